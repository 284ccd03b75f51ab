/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "effect.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

enum { OP_THEN = OP_USER, OP_REPLACE };

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

/* The bit of the variable, where it is known; else -1. */
static int known_bit(const struct effect *effect, unsigned variable)
{
	static const uint8_t lo[16] = "lo", none[16];
	enum field field = field_of(variable);
	unsigned bit = variable - field_bits[field].first;
	const uint8_t *value = NULL;

	if (field == FIELD_DST && effect->known & KNOWN_DST)
		value = effect->dst;
	else if (field == FIELD_IIF && effect->known & KNOWN_LO)
		value = lo;
	else if ((field == FIELD_IIF && effect->known & KNOWN_IIF) || (field == FIELD_OIF && effect->known & KNOWN_OIF))
		value = none;
	if (value)
		return (value[bit / 8] & (0x80 >> bit % 8)) != 0;
	if (field == FIELD_DPORT && effect->known & KNOWN_DPORT)
		return (effect->dport >> (15 - bit)) & 1;
	if ((field == FIELD_UID || field == FIELD_GID) && effect->known & KNOWN_OWNER)
		return !bit;
	if (field == FIELD_FLAGS && effect->known & KNOWN_NEW)
		return (TCP_SYN >> (field_bits[field].bits - 1 - bit)) & 1;
	if (field == FIELD_CTSTATE && effect->known & KNOWN_NEW)
		return 1; /* CTSTATE_NEW is bit 3 */
	return -1;
}

/* The new bit @i of a mark, where the old ones are @mark and @connmark. */
static bool mark_bit(const struct effect_mark *mark, bool of_connmark, unsigned i, bool old_mark, bool old_connmark)
{
	bool old = of_connmark ? old_connmark : old_mark;
	uint32_t bit = 0x80000000u >> i;

	return (old && (mark->keep & bit)) ^ ((mark->flip & bit) != 0);
}

/* Both marks' bit at once: each may become the other's. */
static uint32_t then_mark(struct effects *e, uint32_t terminal, uint32_t b)
{
	const struct effect effect = *effect_at(e, terminal);
	unsigned i = (diagram_top(&e->d, b) - field_bits[FIELD_MARK].first) / 2;
	uint32_t variable = field_bits[FIELD_MARK].first + i * 2, old[2][2], by_mark[2];

	for (unsigned m = 0; m < 2; m++)
		for (unsigned c = 0; c < 2; c++) {
			bool mark = mark_bit(&effect.mark, effect.mark_of, i, m, c);
			bool connmark = mark_bit(&effect.connmark, !effect.connmark_of, i, m, c);
			uint32_t half = diagram_half(&e->d, b, variable, mark);

			old[m][c] = effect_then(e, terminal, diagram_half(&e->d, half, variable + 1, connmark));
		}
	for (unsigned m = 0; m < 2; m++)
		by_mark[m] = diagram_node(&e->d, variable + 1, old[m][0], old[m][1]);
	return diagram_node(&e->d, variable, by_mark[0], by_mark[1]);
}

uint32_t effect_then(struct effects *e, uint32_t terminal, uint32_t b)
{
	uint32_t result, low, high, top = diagram_top(&e->d, b);
	struct effect both;
	int bit;

	if (terminal == NOTHING || e->d.full)
		return b;
	if (is_terminal(b)) {
		both = compose(effect_at(e, terminal), effect_at(e, b));
		return effect_terminal(e, &both);
	}
	if (diagram_recall(&e->d, OP_THEN, terminal, b, &result))
		return result;
	bit = known_bit(effect_at(e, terminal), top);
	if (bit >= 0) {
		result = effect_then(e, terminal, diagram_half(&e->d, b, top, bit));
	} else if (field_of(top) == FIELD_MARK) {
		result = then_mark(e, terminal, b);
	} else {
		low = effect_then(e, terminal, diagram_half(&e->d, b, top, false));
		high = effect_then(e, terminal, diagram_half(&e->d, b, top, true));
		result = diagram_node(&e->d, top, low, high);
	}
	return diagram_remember(&e->d, OP_THEN, terminal, b, result);
}

/* What stands for each end, where it is an end itself. */
struct images {
	const uint32_t *ends, *images;
	unsigned n;
	uint32_t serial; /* names this one in the cache */
};

static uint32_t replace_ends(struct effects *e, uint32_t a, const struct images *images)
{
	uint32_t result, low, high;

	for (unsigned i = 0; is_terminal(a) && i < images->n; i++)
		if (images->ends[i] == a)
			return is_terminal(images->images[i]) ? images->images[i] : NOTHING;
	if (diagram_recall(&e->d, OP_REPLACE, a, images->serial, &result))
		return result;
	low = replace_ends(e, e->d.nodes[a].low, images);
	high = replace_ends(e, e->d.nodes[a].high, images);
	return diagram_remember(&e->d, OP_REPLACE, a, images->serial,
				diagram_node(&e->d, e->d.nodes[a].variable, low, high));
}

/* In one go where an end takes another's place; a diagram is put where its end was, part by part. */
uint32_t effect_replace(struct effects *e, uint32_t a, effect_image *image, void *data)
{
	uint32_t *ends = NULL, all, part;
	auto_free uint32_t *found = NULL;
	unsigned n = 0;

	diagram_ends(&e->d, a, FIELDS, &ends, &n);
	found = xcalloc(n, sizeof(*found));
	for (unsigned i = 0; i < n; i++)
		found[i] = image(e, ends[i], data);
	all = replace_ends(e, a, &(struct images){ ends, found, n, e->serial++ });
	for (unsigned i = 0; i < n; i++) {
		if (is_terminal(found[i]))
			continue;
		part = diagram_part(&e->d, a, ends[i], FIELDS);
		all = diagram_or(&e->d, all, diagram_and(&e->d, part, found[i]));
	}
	free(ends);
	return all;
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

uint32_t effect_map_ends(struct effects *e, uint32_t a, uint32_t op, uint32_t parameter, effect_map *map)
{
	uint32_t result, low, high;

	if (is_terminal(a))
		return map(e, a, parameter);
	if (diagram_recall(&e->d, op, a, parameter, &result))
		return result;
	low = effect_map_ends(e, e->d.nodes[a].low, op, parameter, map);
	high = effect_map_ends(e, e->d.nodes[a].high, op, parameter, map);
	return diagram_remember(&e->d, op, a, parameter, diagram_node(&e->d, e->d.nodes[a].variable, low, high));
}
