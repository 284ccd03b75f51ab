/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "diagram.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"

/* 20 bytes each with the hash; with what a doubling holds at once that is below 1 GiB. */
#define NODES_MAX (1u << 25)
#define NODES_MIN (1u << 12)
#define MEMOS_MIN (1u << 12)
#define MEMOS_MAX (1u << 21)

const struct field_bits field_bits[FIELDS] = {
	[FIELD_DST] = { 0, 128 },
	[FIELD_SRC] = { 128, 128 },
	[FIELD_IIF] = { 256, 128 },
	[FIELD_OIF] = { 384, 128 },
	[FIELD_PROTO] = { 512, 8 },
	[FIELD_DPORT] = { 520, 16 },
	[FIELD_SPORT] = { 536, 16 },
	[FIELD_UID] = { 552, 33 },
	[FIELD_GID] = { 585, 33 },
	[FIELD_MARK] = { 618, 64 },
	[FIELD_FLAGS] = { 682, 6 },
	[FIELD_CTSTATE] = { 688, 2 },
	[FIELD_GUESS] = { 690, GUESS_BITS },
};

enum field field_of(unsigned variable)
{
	enum field field = FIELD_DST;

	while (variable >= field_bits[field].first + field_bits[field].bits)
		field++;
	return field;
}

static uint32_t hash3(uint32_t a, uint32_t b, uint32_t c)
{
	uint64_t h = (((uint64_t)b << 32 | c) ^ a * 0xc2b2ae3d27d4eb4fu) * 0x9e3779b97f4a7c15u;

	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	return (uint32_t)(h >> 32);
}

void diagram_init(struct diagram *d)
{
	*d = (struct diagram){ .room = NODES_MIN, .memo_mask = MEMOS_MIN - 1 };
	d->nodes = xreallocarray(NULL, d->room, sizeof(*d->nodes));
	d->index = xcalloc((size_t)d->room * 2, sizeof(*d->index));
	d->memos = xcalloc(MEMOS_MIN, sizeof(*d->memos));
}

void diagram_free(struct diagram *d)
{
	free(d->nodes);
	free(d->index);
	free(d->memos);
}

static uint32_t *find_slot(const struct diagram *d, unsigned variable, uint32_t low, uint32_t high)
{
	uint32_t mask = d->room * 2 - 1, at = hash3(variable, low, high) & mask;

	for (; d->index[at]; at = (at + 1) & mask) {
		const struct diagram_node *node = &d->nodes[d->index[at] - 1];

		if (node->variable == variable && node->low == low && node->high == high)
			break;
	}
	return &d->index[at];
}

/* The memos grow with the nodes; what was in them is forgotten. */
static void grow(struct diagram *d)
{
	d->room *= 2;
	d->nodes = xreallocarray(d->nodes, d->room, sizeof(*d->nodes));
	free(d->index);
	d->index = xcalloc((size_t)d->room * 2, sizeof(*d->index));
	for (uint32_t i = 0; i < d->n; i++)
		*find_slot(d, d->nodes[i].variable, d->nodes[i].low, d->nodes[i].high) = i + 1;
	if (d->room > MEMOS_MAX)
		return;
	free(d->memos);
	d->memos = xcalloc(d->room, sizeof(*d->memos));
	d->memo_mask = d->room - 1;
}

uint32_t diagram_node(struct diagram *d, unsigned variable, uint32_t low, uint32_t high)
{
	uint32_t *slot;

	if (low == high)
		return low;
	slot = find_slot(d, variable, low, high);
	if (*slot)
		return *slot - 1;
	if (d->n == NODES_MAX) {
		d->full = true;
		return NOTHING;
	}
	if (d->n == d->room) {
		grow(d);
		slot = find_slot(d, variable, low, high);
	}
	d->nodes[d->n] = (struct diagram_node){ variable, low, high };
	*slot = ++d->n;
	return d->n - 1;
}

static struct diagram_memo *memo_of(const struct diagram *d, uint32_t op, uint32_t a, uint32_t b)
{
	return &d->memos[hash3(op, a, b) & d->memo_mask];
}

bool diagram_recall(const struct diagram *d, uint32_t op, uint32_t a, uint32_t b, uint32_t *result)
{
	const struct diagram_memo *memo = memo_of(d, op, a, b);

	*result = memo->result;
	return memo->op == op && memo->a == a && memo->b == b;
}

uint32_t diagram_remember(struct diagram *d, uint32_t op, uint32_t a, uint32_t b, uint32_t result)
{
	*memo_of(d, op, a, b) = (struct diagram_memo){ op, a, b, result };
	return result;
}

typedef uint32_t binary(struct diagram *d, uint32_t a, uint32_t b);

/* The operation on both halves of what @a and @b test first. */
static uint32_t descend(struct diagram *d, uint32_t op, binary *function, uint32_t a, uint32_t b)
{
	uint32_t top = diagram_top(d, a) < diagram_top(d, b) ? diagram_top(d, a) : diagram_top(d, b), low, high;

	if (d->full)
		return NOTHING;
	if (diagram_recall(d, op, a, b, &low))
		return low;
	low = function(d, diagram_half(d, a, top, false), diagram_half(d, b, top, false));
	high = function(d, diagram_half(d, a, top, true), diagram_half(d, b, top, true));
	return diagram_remember(d, op, a, b, diagram_node(d, top, low, high));
}

uint32_t diagram_and(struct diagram *d, uint32_t set, uint32_t a)
{
	if (set == NOTHING || a == NOTHING)
		return NOTHING;
	if (set == EVERYTHING)
		return a;
	return descend(d, OP_AND, diagram_and, set, a);
}

uint32_t diagram_or(struct diagram *d, uint32_t a, uint32_t b)
{
	if (a == NOTHING || a == b)
		return b;
	if (is_terminal(a) || b == NOTHING)
		return a;
	return descend(d, OP_OR, diagram_or, a, b);
}

uint32_t diagram_not(struct diagram *d, uint32_t set)
{
	uint32_t result, low, high;

	if (is_terminal(set))
		return set == NOTHING ? EVERYTHING : NOTHING;
	if (diagram_recall(d, OP_NOT, set, 0, &result))
		return result;
	low = diagram_not(d, d->nodes[set].low);
	high = diagram_not(d, d->nodes[set].high);
	return diagram_remember(d, OP_NOT, set, 0, diagram_node(d, d->nodes[set].variable, low, high));
}

/* The variable behind those of the field; FIELDS: behind all. */
static uint32_t field_end(enum field field)
{
	return field < FIELDS ? (uint32_t)field_bits[field].first + field_bits[field].bits : UINT32_MAX;
}

uint32_t diagram_part(struct diagram *d, uint32_t a, uint32_t end, enum field field)
{
	uint32_t op = OP_PART + (uint32_t)field, result, low, high;

	if (a == end)
		return EVERYTHING;
	if (is_terminal(a) || d->nodes[a].variable >= field_end(field))
		return NOTHING;
	if (diagram_recall(d, op, a, end, &result))
		return result;
	low = diagram_part(d, d->nodes[a].low, end, field);
	high = diagram_part(d, d->nodes[a].high, end, field);
	return diagram_remember(d, op, a, end, diagram_node(d, d->nodes[a].variable, low, high));
}

uint32_t diagram_prefix(struct diagram *d, enum field field, unsigned skip, const uint8_t *value, unsigned bits)
{
	uint32_t node = EVERYTHING;

	for (unsigned i = bits; i-- > 0;) {
		bool high = value[i / 8] & (0x80 >> i % 8);

		node = diagram_node(d, field_bits[field].first + skip + i, high ? NOTHING : node, high ? node : NOTHING);
	}
	return node;
}

/* Up to a bound, or (@from) from it on. */
static uint32_t bound(struct diagram *d, enum field field, unsigned skip, uint32_t value, bool from)
{
	unsigned bits = field_bits[field].bits - skip;
	uint32_t node = EVERYTHING;

	for (unsigned i = bits; i-- > 0;) {
		bool high = value & (1u << (bits - 1 - i));
		uint32_t beside = high == from ? NOTHING : EVERYTHING;

		node = diagram_node(d, field_bits[field].first + skip + i, high ? beside : node, high ? node : beside);
	}
	return node;
}

uint32_t diagram_range(struct diagram *d, enum field field, unsigned skip, uint32_t low, uint32_t high)
{
	return diagram_and(d, bound(d, field, skip, low, true), bound(d, field, skip, high, false));
}

struct search {
	struct diagram *d;
	uint8_t *seen;
	uint32_t end; /* the variable behind those that are looked at */
	uint32_t **ends;
	unsigned *n;
};

static void find_ends(struct search *s, uint32_t node)
{
	if (!is_terminal(node) && diagram_top(s->d, node) < s->end) {
		if (s->seen[node / 8] & (1u << node % 8))
			return;
		s->seen[node / 8] |= (uint8_t)(1u << node % 8);
		find_ends(s, s->d->nodes[node].low);
		find_ends(s, s->d->nodes[node].high);
		return;
	}
	for (unsigned i = 0; i < *s->n; i++)
		if ((*s->ends)[i] == node)
			return;
	*(uint32_t *)array_push(s->ends, s->n, sizeof(**s->ends)) = node;
}

void diagram_ends(struct diagram *d, uint32_t a, enum field field, uint32_t **ends, unsigned *n)
{
	struct search s = { .d = d, .ends = ends, .n = n, .end = field_end(field) };

	s.seen = xcalloc(d->n / 8 + 1, 1);
	find_ends(&s, a);
	free(s.seen);
}
