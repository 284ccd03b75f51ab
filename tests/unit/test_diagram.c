/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Diagrams against tables of all points of a small space: those at and beside the bounds of what the sets are made of. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../src/traffic/diagram.h"
#include "util.h"

Suite *suite_diagram(void);

#define ENDS 5
#define FUNCTIONS 48
#define STEPS 700

static const struct block {
	uint8_t bytes[16];
	unsigned bits;
} blocks[] = {
	{ { 10 }, 8 },
	{ { 0x20, 1, 0x0d, 0xb8, 0x80 }, 33 },
	{ { 0x20, 1, 0x0d, 0xb8, 0xff, 0, 0, 0, 0xff, 0xff }, 80 },
	{ { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, 128 },
	{ { 0 }, 128 },
};

static const struct numbers {
	enum field field;
	uint64_t low, high;
} ranges[] = {
	{ FIELD_PROTO, 6, 17 },
	{ FIELD_PROTO, 17, 255 },
	{ FIELD_UID, 0, 1000 },
	{ FIELD_UID, 1000, UINT32_MAX },
	{ FIELD_UID, NO_SOCKET, NO_SOCKET },
};

#define BITS 3 /* one bit of the mark, the same of the connection's, and a guess */

/* A point's values: of FIELD_DST, FIELD_PROTO, FIELD_UID, and of the bits. */
struct point {
	struct value dst, proto, uid;
	bool bits[BITS];
};

struct function {
	uint32_t node, *ends; /* @ends: at each point */
};

static struct {
	struct diagram d;
	struct point *points;
	unsigned n;
	struct function functions[FUNCTIONS];
} space;

static uint32_t bit_variable(unsigned bit)
{
	return bit < 2 ? field_variables[FIELD_MARK].first + 6 + bit : field_variables[FIELD_GUESS].first;
}

static void add_values(struct value **values, unsigned *n, struct value first, struct value last, unsigned bits)
{
	struct value max = value_max(bits), found[] = { first, last, value_before(first), value_behind(last) };

	for (unsigned i = 0; i < ARRAY_SIZE(found); i++)
		if (value_compare(found[i], max) <= 0)
			*(struct value *)array_push(values, n, sizeof(**values)) = found[i];
}

static void make_points(void)
{
	struct value *values[FIELDS] = { NULL };
	unsigned n[FIELDS] = { 0 };

	for (unsigned i = 0; i < ARRAY_SIZE(blocks); i++) {
		struct value first = value_of_bytes(blocks[i].bytes), rest = value_max(128 - blocks[i].bits);

		add_values(&values[FIELD_DST], &n[FIELD_DST], first,
			   (struct value){ first.high | rest.high, first.low | rest.low }, 128);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(ranges); i++)
		add_values(&values[ranges[i].field], &n[ranges[i].field], (struct value){ 0, ranges[i].low },
			   (struct value){ 0, ranges[i].high }, field_variables[ranges[i].field].bits);
	for (unsigned dst = 0; dst < n[FIELD_DST]; dst++)
		for (unsigned proto = 0; proto < n[FIELD_PROTO]; proto++)
			for (unsigned uid = 0; uid < n[FIELD_UID] << BITS; uid++)
				*(struct point *)array_push(&space.points, &space.n, sizeof(*space.points)) =
					(struct point){
						values[FIELD_DST][dst],
						values[FIELD_PROTO][proto],
						values[FIELD_UID][uid >> BITS],
						{ uid & 1, uid >> 1 & 1, uid >> 2 & 1 },
					};
	for (enum field field = 0; field < FIELDS; field++)
		free(values[field]);
}

static uint32_t end_at(uint32_t node, const struct point *point)
{
	while (!is_terminal(node)) {
		uint32_t top = diagram_top(&space.d, node);
		enum field field = field_of(top);
		struct value value = field == FIELD_DST ? point->dst : field == FIELD_PROTO ? point->proto : point->uid;

		for (unsigned bit = 0; bit < BITS; bit++)
			if (top == bit_variable(bit))
				value = (struct value){ 0, point->bits[bit] };
		node = diagram_at(&space.d, node, top, value);
	}
	return node;
}

static bool in_range(struct value value, const struct numbers *range)
{
	return range->low <= value.low && value.low <= range->high;
}

static void make_set(struct function *f)
{
	unsigned i = (unsigned)rand() % (ARRAY_SIZE(blocks) + ARRAY_SIZE(ranges) + BITS);

	if (i < ARRAY_SIZE(blocks)) {
		struct value first = value_of_bytes(blocks[i].bytes), rest = value_max(128 - blocks[i].bits);

		f->node = diagram_block(&space.d, FIELD_DST, blocks[i].bytes, blocks[i].bits);
		for (unsigned p = 0; p < space.n; p++) {
			const struct value *dst = &space.points[p].dst;
			bool in = (dst->high & ~rest.high) == first.high && (dst->low & ~rest.low) == first.low;

			f->ends[p] = in ? EVERYTHING : NOTHING;
		}
	} else if (i -= ARRAY_SIZE(blocks), i < ARRAY_SIZE(ranges)) {
		bool proto = ranges[i].field == FIELD_PROTO;

		f->node = diagram_range(&space.d, ranges[i].field, ranges[i].low, ranges[i].high);
		for (unsigned p = 0; p < space.n; p++)
			f->ends[p] = in_range(proto ? space.points[p].proto : space.points[p].uid, &ranges[i]) ?
					     EVERYTHING :
					     NOTHING;
	} else {
		i -= ARRAY_SIZE(ranges);
		f->node = diagram_bit(&space.d, bit_variable(i), NOTHING, EVERYTHING);
		for (unsigned p = 0; p < space.n; p++)
			f->ends[p] = space.points[p].bits[i] ? EVERYTHING : NOTHING;
	}
}

static const struct function *random_function(void)
{
	return &space.functions[rand() % FUNCTIONS];
}

static uint32_t random_end(void)
{
	return TERMINAL | (uint32_t)(rand() % ENDS);
}

/* @of where it is @end, and there @then. */
static void make_part(struct function *f, const struct function *of, uint32_t end, const struct function *then)
{
	f->node = diagram_and(&space.d, diagram_part(&space.d, of->node, end, FIELDS), then->node);
	for (unsigned p = 0; p < space.n; p++)
		f->ends[p] = of->ends[p] == end ? then->ends[p] : NOTHING;
}

static void make_rest(struct function *f, const struct function *of, uint32_t end)
{
	f->node = diagram_not(&space.d, diagram_part(&space.d, of->node, end, FIELDS));
	for (unsigned p = 0; p < space.n; p++)
		f->ends[p] = of->ends[p] == end ? NOTHING : EVERYTHING;
}

static void make_or(struct function *f, const struct function *a, const struct function *b)
{
	f->node = diagram_or(&space.d, a->node, b->node);
	for (unsigned p = 0; p < space.n; p++)
		f->ends[p] = a->ends[p] == NOTHING ? b->ends[p] : a->ends[p];
}

static void make_replaced(struct function *f, const struct function *of)
{
	const struct function *images[ENDS];
	uint32_t ends[ENDS], nodes[ENDS];
	unsigned n = 0;

	for (uint32_t end = 0; end < ENDS; end++) {
		images[end] = rand() % 2 ? random_function() : NULL;
		if (!images[end])
			continue;
		ends[n] = TERMINAL | end;
		nodes[n++] = images[end]->node;
	}
	f->node = diagram_replace(&space.d, of->node, ends, nodes, n);
	for (unsigned p = 0; p < space.n; p++) {
		const struct function *image = images[of->ends[p] & ~TERMINAL];

		f->ends[p] = image ? image->ends[p] : of->ends[p];
	}
}

static bool next_end(const struct diagram_map *map, uint32_t node, uint32_t *result)
{
	*result = TERMINAL | ((node & ~TERMINAL) + map->parameter) % ENDS;
	return is_terminal(node);
}

static void make_mapped(struct function *f, const struct function *of)
{
	uint32_t step = (uint32_t)rand() % ENDS;

	f->node = diagram_map(&(struct diagram_map){ &space.d, OP_USER, step, next_end, NULL, rand() % 2 }, of->node);
	for (unsigned p = 0; p < space.n; p++)
		f->ends[p] = TERMINAL | ((of->ends[p] & ~TERMINAL) + step) % ENDS;
}

static void make_function(struct function *f)
{
	switch (rand() % 8) {
	case 0:
		make_set(f);
		break;
	case 1:
	case 2:
		make_part(f, random_function(), random_end(), random_function());
		break;
	case 3:
		make_rest(f, random_function(), random_end());
		break;
	case 4:
		make_mapped(f, random_function());
		break;
	case 5:
		make_replaced(f, random_function());
		break;
	default:
		make_or(f, random_function(), random_function());
	}
}

static void check_ends(const struct function *f)
{
	uint32_t *ends = NULL, found = 0, wanted = 0;
	unsigned n = 0;

	diagram_ends(&space.d, f->node, FIELDS, &ends, &n);
	for (unsigned i = 0; i < n; i++) {
		ck_assert(!(found & 1u << (ends[i] & ~TERMINAL)));
		found |= 1u << (ends[i] & ~TERMINAL);
	}
	for (unsigned p = 0; p < space.n; p++)
		wanted |= 1u << (f->ends[p] & ~TERMINAL);
	ck_assert_uint_eq(found, wanted);
	free(ends);
}

START_TEST(test_functions)
{
	const char *given = getenv("ISTIO_INIT_SEED");
	unsigned start = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
	uint64_t end = clock_us() + 3000000; /* valgrind and qemu take their time */
	unsigned equal = 0, step;

	printf("seed %u\n", start);
	srand(start);
	diagram_init(&space.d);
	make_points();
	for (unsigned i = 0; i < FUNCTIONS; i++) {
		space.functions[i].ends = xcalloc(space.n, sizeof(uint32_t));
		make_set(&space.functions[i]);
	}
	for (step = 0; step < STEPS && clock_us() < end; step++) {
		struct function f = { .ends = xcalloc(space.n, sizeof(uint32_t)) };
		struct function *place = &space.functions[rand() % FUNCTIONS];

		make_function(&f);
		for (unsigned p = 0; p < space.n; p++)
			ck_assert_msg(end_at(f.node, &space.points[p]) == f.ends[p], "step %u, point %u", step, p);
		check_ends(&f);
		for (unsigned i = 0; i < FUNCTIONS; i++) {
			bool same = !memcmp(f.ends, space.functions[i].ends, space.n * sizeof(*f.ends));

			ck_assert_msg(same == (f.node == space.functions[i].node), "step %u: %u", step, i);
			equal += same;
		}
		free(place->ends);
		*place = f;
	}
	ck_assert(!space.d.full && (equal > 20 || step < STEPS));
	for (unsigned i = 0; i < FUNCTIONS; i++)
		free(space.functions[i].ends);
	free(space.points);
	diagram_free(&space.d);
}
END_TEST

START_TEST(test_values)
{
	const uint8_t bytes[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
	struct value value = value_of_bytes(bytes), max = value_max(128), zero = { 0, 0 }, middle = { 1, 0 };
	uint8_t back[16];

	ck_assert(value.high == 0x0102030405060708 && value.low == 0x090a0b0c0d0e0f10);
	value_to_bytes(value, back);
	ck_assert_mem_eq(back, bytes, 16);
	ck_assert(!value_compare(value_behind(max), zero) && !value_compare(value_before(zero), max));
	ck_assert(!value_compare(value_before(middle), value_max(64)) &&
		  !value_compare(value_behind(value_max(64)), middle));
	ck_assert(value_compare(value_max(64), middle) < 0 && value_compare(middle, value_max(65)) < 0);
	ck_assert(!value_compare(value_max(0), zero) && value_max(33).low == 0x1ffffffff);
	for (enum field field = 0; field < FIELDS; field++) {
		ck_assert(field_of(field_variables[field].first) == field && field_of(field_end(field) - 1) == field);
		ck_assert(field + 1 == FIELDS || field_variables[field + 1].first == field_end(field));
	}
}
END_TEST

Suite *suite_diagram(void)
{
	Suite *suite = suite_create("diagram");
	TCase *tcase = tcase_create("diagram");

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, test_values);
	tcase_add_test(tcase, test_functions);
	suite_add_tcase(suite, tcase);
	return suite;
}
