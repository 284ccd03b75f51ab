/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "effect.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

enum { OP_THEN = OP_USER };

const struct effect effect_none = { .mark = { UINT32_MAX, 0 }, .connmark = { UINT32_MAX, 0 } };

static_assert(sizeof(struct effect) == 3 * sizeof(void *) + 80, "padding would tell equal effects apart");

static uint32_t hash_effect(const struct effect *effect)
{
	const uint8_t *bytes = (const uint8_t *)effect;
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < sizeof(*effect); i++)
		h = (h ^ bytes[i]) * 16777619u;
	return h ^ (h >> 15);
}

static uint32_t *find_slot(const struct effects *e, const struct effect *effect)
{
	uint32_t at = hash_effect(effect) & (e->index_size - 1);

	while (e->index[at] && memcmp(&e->items[e->index[at] - 1], effect, sizeof(*effect)) != 0)
		at = (at + 1) & (e->index_size - 1);
	return &e->index[at];
}

static void grow_index(struct effects *e)
{
	e->index_size *= 2;
	free(e->index);
	e->index = xcalloc(e->index_size, sizeof(*e->index));
	for (unsigned i = 0; i < e->n; i++)
		*find_slot(e, &e->items[i]) = i + 1;
}

uint32_t effect_terminal(struct effects *e, const struct effect *effect)
{
	uint32_t *slot;

	if (e->n * 2 >= e->index_size)
		grow_index(e);
	slot = find_slot(e, effect);
	if (!*slot) {
		*(struct effect *)array_push(&e->items, &e->n, sizeof(*effect)) = *effect;
		*slot = e->n;
	}
	return TERMINAL | (*slot - 1);
}

const char *effect_origin(struct effects *e, const char *origin)
{
	for (unsigned i = 0; origin && i < e->n_origins; i++)
		if (!strcmp(e->origins[i], origin))
			return e->origins[i];
	if (origin)
		*(const char **)array_push(&e->origins, &e->n_origins, sizeof(*e->origins)) = origin;
	return origin;
}

void effects_init(struct effects *e)
{
	struct effect everything = effect_none;

	*e = (struct effects){ .index_size = 32 };
	diagram_init(&e->d);
	grow_index(e);
	everything.kind = EFFECT_OVER;
	everything.everything = 1;
	effect_terminal(e, &effect_none);
	effect_terminal(e, &everything);
}

void effects_free(struct effects *e)
{
	diagram_free(&e->d);
	free(e->items);
	free(e->origins);
	free(e->index);
}

/* @mark, of @mark_of, behind what has become of both marks. */
static struct effect_mark compose_mark(const struct effect *first, struct effect_mark mark, uint8_t from_connmark,
				       uint8_t *of)
{
	const struct effect_mark *old = from_connmark ? &first->connmark : &first->mark;
	bool other = from_connmark ? !first->connmark_of : first->mark_of;

	*of = other;
	return (struct effect_mark){ old->keep & mark.keep, (old->flip & mark.keep) ^ mark.flip };
}

static struct effect compose(const struct effect *first, const struct effect *then)
{
	struct effect both = *then;
	uint8_t from_connmark;

	both.mark = compose_mark(first, then->mark, then->mark_of, &from_connmark);
	both.mark_of = from_connmark;
	both.connmark = compose_mark(first, then->connmark, !then->connmark_of, &from_connmark);
	both.connmark_of = !from_connmark;
	both.zone = first->zone ? first->zone : then->zone;
	both.known |= first->known;
	if (!(then->known & KNOWN_DST))
		memcpy(both.dst, first->dst, sizeof(both.dst));
	if (!(then->known & KNOWN_DPORT))
		both.dport = first->dport;
	both.anything |= first->anything;
	if (then->fate != FATE_PASSES && !(then->translates && first->fate == FATE_TPROXIED))
		return both;
	both.retargeted = first->retargeted || then->fate != FATE_PASSES;
	both.translates = first->translates;
	both.fate = first->fate;
	both.port = first->port;
	both.foreign = first->foreign;
	both.fresh = first->fresh;
	both.has_addr = first->has_addr;
	memcpy(both.addr, first->addr, sizeof(both.addr));
	if (first->fate == FATE_PASSES && !first->origin && !first->rule)
		return both;
	both.origin = first->origin;
	both.rule = first->rule;
	both.chain = first->chain;
	both.table = first->table;
	return both;
}

/* The value of the variable, where it is known. */
static bool find_known(const struct effect *effect, uint32_t variable, struct value *value)
{
	static const uint8_t lo[16] = "lo";
	uint8_t known = effect->known;

	*value = (struct value){ 0, 0 };
	switch (field_of(variable)) {
	case FIELD_DST:
		*value = value_of_bytes(effect->dst);
		return known & KNOWN_DST;
	case FIELD_IIF:
		if (known & KNOWN_LO)
			*value = value_of_bytes(lo);
		return known & (KNOWN_LO | KNOWN_IIF);
	case FIELD_OIF:
		return known & KNOWN_OIF;
	case FIELD_DPORT:
		value->low = effect->dport;
		return known & KNOWN_DPORT;
	case FIELD_UID:
	case FIELD_GID:
		value->low = NO_SOCKET;
		return known & KNOWN_OWNER;
	case FIELD_FLAGS:
		value->low = TCP_SYN;
		return known & KNOWN_NEW;
	case FIELD_CTSTATE:
		value->low = 3; /* CTSTATE_NEW is bit 3 */
		return known & KNOWN_NEW;
	default:
		return false;
	}
}

/* The new bit @i of a mark, where the old ones are @mark and @connmark. */
static bool mark_bit(const struct effect_mark *mark, bool of_connmark, unsigned i, bool old_mark, bool old_connmark)
{
	bool old = of_connmark ? old_connmark : old_mark;
	uint32_t bit = 0x80000000u >> i;

	return (old && (mark->keep & bit)) ^ ((mark->flip & bit) != 0);
}

/* Both marks' bit at once: each may become the other's. */
static uint32_t then_mark(const struct diagram_map *map, const struct effect *effect, uint32_t b)
{
	struct diagram *d = map->d;
	unsigned i = (diagram_top(d, b) - field_variables[FIELD_MARK].first) / 2;
	uint32_t variable = field_variables[FIELD_MARK].first + i * 2, old[2][2], by_mark[2];

	for (unsigned m = 0; m < 2; m++)
		for (unsigned c = 0; c < 2; c++) {
			bool mark = mark_bit(&effect->mark, effect->mark_of, i, m, c);
			bool connmark = mark_bit(&effect->connmark, !effect->connmark_of, i, m, c);
			uint32_t half = diagram_half(d, b, variable, mark);

			old[m][c] = diagram_map(map, diagram_half(d, half, variable + 1, connmark));
		}
	for (unsigned m = 0; m < 2; m++)
		by_mark[m] = diagram_bit(d, variable + 1, old[m][0], old[m][1]);
	return diagram_bit(d, variable, by_mark[0], by_mark[1]);
}

static bool then(const struct diagram_map *map, uint32_t b, uint32_t *result)
{
	struct effects *e = map->data;
	const struct effect first = *effect_at(e, map->parameter);
	uint32_t top = diagram_top(&e->d, b);
	struct effect both;
	struct value value;

	if (is_terminal(b)) {
		both = compose(&first, effect_at(e, b));
		*result = effect_terminal(e, &both);
	} else if (find_known(&first, top, &value)) {
		*result = diagram_map(map, diagram_at(&e->d, b, top, value));
	} else if (field_of(top) == FIELD_MARK) {
		*result = then_mark(map, &first, b);
	} else {
		return false;
	}
	return true;
}

uint32_t effect_then(struct effects *e, uint32_t terminal, uint32_t b)
{
	if (terminal == NOTHING)
		return b;
	return diagram_map(&(struct diagram_map){ &e->d, OP_THEN, terminal, then, e, false }, b);
}

static int compare_ends(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

uint32_t effect_replace(struct effects *e, uint32_t a, effect_image *image, void *data)
{
	uint32_t *ends = NULL, result;
	auto_free uint32_t *images = NULL;
	unsigned n = 0;

	diagram_ends(&e->d, a, FIELDS, &ends, &n);
	qsort(ends, n, sizeof(*ends), compare_ends);
	images = xcalloc(n, sizeof(*images));
	for (unsigned i = 0; i < n; i++)
		images[i] = image(e, ends[i], data);
	result = diagram_replace(&e->d, a, ends, images, n);
	free(ends);
	return result;
}

static uint32_t go_on(struct effects *e, uint32_t terminal, void *b)
{
	return effect_at(e, terminal)->kind == EFFECT_GOES_ON ? effect_then(e, terminal, *(uint32_t *)b) : terminal;
}

uint32_t effect_sequence(struct effects *e, uint32_t a, uint32_t b, bool changes)
{
	if (b == NOTHING)
		return a;
	return changes ? effect_replace(e, a, go_on, &b) : diagram_or(&e->d, a, b);
}

struct ends_map {
	struct effects *e;
	effect_map *map;
};

static bool map_end(const struct diagram_map *map, uint32_t a, uint32_t *result)
{
	const struct ends_map *ends = map->data;

	if (is_terminal(a))
		*result = ends->map(ends->e, a, map->parameter);
	return is_terminal(a);
}

uint32_t effect_map_ends(struct effects *e, uint32_t a, uint32_t op, uint32_t parameter, effect_map *map)
{
	struct ends_map ends = { e, map };

	return diagram_map(&(struct diagram_map){ &e->d, op, parameter, map_end, &ends, false }, a);
}

uint32_t effect_without_reason(struct effects *e, uint32_t terminal, uint32_t unused)
{
	struct effect effect = *effect_at(e, terminal);

	(void)unused;
	effect.origin = NULL;
	effect.rule = NULL;
	effect.chain = NULL;
	effect.table = 0;
	effect.foreign = false;
	return effect_terminal(e, &effect);
}
