/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "diagram.h"

#include <stdlib.h>

#include "util.h"

/* Below 1 GiB in all, with what is made of the diagram: 24 bytes a cut, and 24 a node with its index. */
#define CUTS_MAX (20u << 20)
#define CUTS_MIN (1u << 10)
#define NODES_MAX (8u << 20)
#define NODES_MIN (1u << 9)
#define MEMOS_MAX (1u << 21)
#define MEMOS_MIN (1u << 12)

struct diagram_memo {
	uint32_t op, a, b, result;
};

void diagram_init(struct diagram *d)
{
	*d = (struct diagram){ .nodes_room = NODES_MIN, .cuts_room = CUTS_MIN, .memo_mask = MEMOS_MIN - 1 };
	d->nodes = xreallocarray(NULL, d->nodes_room, sizeof(*d->nodes));
	d->cuts = xreallocarray(NULL, d->cuts_room, sizeof(*d->cuts));
	d->index = xcalloc((size_t)d->nodes_room * 2, sizeof(*d->index));
	d->memos = xcalloc(MEMOS_MIN, sizeof(*d->memos));
}

void diagram_free(struct diagram *d)
{
	free(d->nodes);
	free(d->cuts);
	free(d->open);
	free(d->index);
	free(d->memos);
}

static uint64_t mix(uint64_t h)
{
	h *= 0x9e3779b97f4a7c15u;
	return h ^ h >> 32;
}

/* The memos grow with the nodes; what was in them is forgotten. */
static void grow_nodes(struct diagram *d)
{
	uint32_t mask = d->nodes_room * 4 - 1;

	d->nodes_room *= 2;
	d->nodes = xreallocarray(d->nodes, d->nodes_room, sizeof(*d->nodes));
	free(d->index);
	d->index = xcalloc((size_t)d->nodes_room * 2, sizeof(*d->index));
	for (uint32_t i = 0, at; i < d->n_nodes; i++) {
		for (at = d->nodes[i].hash & mask; d->index[at]; at = (at + 1) & mask)
			;
		d->index[at] = i + 1;
	}
	if (d->nodes_room <= d->memo_mask || d->nodes_room > MEMOS_MAX)
		return;
	free(d->memos);
	d->memos = xcalloc(d->nodes_room, sizeof(*d->memos));
	d->memo_mask = d->nodes_room - 1;
}

/* A half is left for the rules, and for what the diagram is made of. */
static bool fits_memory(const struct diagram *d, uint64_t nodes, uint64_t cuts)
{
	uint64_t bytes = nodes * (sizeof(*d->nodes) + 2 * sizeof(*d->index) + sizeof(*d->memos)) + cuts * sizeof(*d->cuts);

	return !d->memory || bytes <= d->memory / 2;
}

/* Whether there is room for another node of @n cuts. */
static bool has_room(struct diagram *d, uint32_t n)
{
	bool more_nodes = d->n_nodes == d->nodes_room, more_cuts = n > d->cuts_room - d->n_cuts;

	d->full |= d->n_nodes == NODES_MAX || n > CUTS_MAX - d->n_cuts;
	if (more_nodes || more_cuts)
		d->full |= !fits_memory(d, (uint64_t)d->nodes_room << more_nodes, (uint64_t)d->cuts_room << more_cuts);
	if (d->full)
		return false;
	if (d->n_nodes == d->nodes_room)
		grow_nodes(d);
	if (n <= d->cuts_room - d->n_cuts)
		return true;
	while (n > d->cuts_room - d->n_cuts)
		d->cuts_room = d->cuts_room < CUTS_MAX / 2 ? d->cuts_room * 2 : CUTS_MAX;
	d->cuts = xreallocarray(d->cuts, d->cuts_room, sizeof(*d->cuts));
	return true;
}

/* The next cut of the node that is being made, whose first is at @first; one that changes nothing is left out. */
static void open_cut(struct diagram *d, uint32_t first, struct value from, uint32_t node)
{
	if (d->n_open > first && d->open[d->n_open - 1].node == node)
		return;
	if (d->n_open == d->open_room) {
		d->open_room = d->open_room ? d->open_room * 2 : CUTS_MIN;
		d->open = xreallocarray(d->open, d->open_room, sizeof(*d->open));
	}
	d->open[d->n_open++] = (struct cut){ from, node };
}

static bool same_cuts(const struct cut *a, const struct cut *b, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (a[i].node != b[i].node || value_compare(a[i].from, b[i].from) != 0)
			return false;
	return true;
}

static uint32_t *find_slot(const struct diagram *d, const struct diagram_node *new, const struct cut *cuts)
{
	uint32_t mask = d->nodes_room * 2 - 1, at = new->hash &mask;

	for (; d->index[at]; at = (at + 1) & mask) {
		const struct diagram_node *node = &d->nodes[d->index[at] - 1];

		if (node->hash == new->hash && node->variable == new->variable &&
		    node->n == new->n &&same_cuts(&d->cuts[node->first], cuts, new->n))
			break;
	}
	return &d->index[at];
}

/* The node of the cuts from @first on is made. */
static uint32_t close_cuts(struct diagram *d, uint32_t first, uint32_t variable)
{
	struct diagram_node new = { .variable = variable, .n = d->n_open - first };
	const struct cut *cuts = &d->open[first];
	uint64_t hash = mix(variable + 1);

	d->n_open = first;
	if (new.n == 1)
		return cuts->node;
	for (uint32_t i = 0; i < new.n; i++)
		hash = mix(mix(mix(hash ^ cuts[i].from.high) ^ cuts[i].from.low) ^ cuts[i].node);
	new.hash = (uint32_t)hash;
	if (*find_slot(d, &new, cuts))
		return *find_slot(d, &new, cuts) - 1;
	if (!has_room(d, new.n))
		return NOTHING;
	new.first = d->n_cuts;
	for (uint32_t i = 0; i < new.n; i++)
		d->cuts[d->n_cuts++] = cuts[i];
	*find_slot(d, &new, cuts) = d->n_nodes + 1;
	d->nodes[d->n_nodes] = new;
	return d->n_nodes++;
}

static struct diagram_memo *find_memo(const struct diagram *d, uint32_t op, uint32_t a, uint32_t b)
{
	return &d->memos[mix(mix((uint64_t)a << 32 | b) ^ op) & d->memo_mask];
}

static bool recall(const struct diagram *d, uint32_t op, uint32_t a, uint32_t b, uint32_t *result)
{
	const struct diagram_memo *memo = find_memo(d, op, a, b);

	*result = memo->result;
	return memo->op == op && memo->a == a && memo->b == b;
}

static uint32_t remember(struct diagram *d, uint32_t op, uint32_t a, uint32_t b, uint32_t result)
{
	*find_memo(d, op, a, b) = (struct diagram_memo){ op, a, b, result };
	return result;
}

/* From cut to cut of a variable; a node that does not test it is the same everywhere. */
struct walk {
	uint32_t node, next, end;
};

static struct walk walk_begin(const struct diagram *d, uint32_t node, uint32_t variable)
{
	uint32_t first;

	if (diagram_top(d, node) != variable)
		return (struct walk){ node, 0, 0 };
	first = d->nodes[node].first;
	return (struct walk){ d->cuts[first].node, first + 1, first + d->nodes[node].n };
}

/* To the next cut of any; false behind the last. */
static bool walk_on(const struct diagram *d, struct walk *walks, uint32_t n, struct value *from)
{
	const struct cut *next = NULL;

	for (uint32_t i = 0; i < n; i++) {
		const struct cut *cut = &d->cuts[walks[i].next];

		if (walks[i].next < walks[i].end && (!next || value_compare(cut->from, next->from) < 0))
			next = cut;
	}
	if (!next)
		return false;
	*from = next->from;
	for (uint32_t i = 0; i < n; i++)
		if (walks[i].next < walks[i].end && !value_compare(d->cuts[walks[i].next].from, *from))
			walks[i].node = d->cuts[walks[i].next++].node;
	return true;
}

typedef uint32_t binary(struct diagram *d, uint32_t a, uint32_t b);

/* The operation on both, cut by cut of what they test first. */
static uint32_t descend(struct diagram *d, uint32_t op, binary *function, uint32_t a, uint32_t b)
{
	uint32_t top = diagram_top(d, a) < diagram_top(d, b) ? diagram_top(d, a) : diagram_top(d, b), first = d->n_open;
	struct walk walks[] = { walk_begin(d, a, top), walk_begin(d, b, top) };
	struct value from = { 0, 0 };
	uint32_t result;

	if (recall(d, op, a, b, &result))
		return result;
	do
		open_cut(d, first, from, function(d, walks[0].node, walks[1].node));
	while (!d->full && walk_on(d, walks, 2, &from));
	return remember(d, op, a, b, close_cuts(d, first, top));
}

uint32_t diagram_and(struct diagram *d, uint32_t set, uint32_t a)
{
	if (set == NOTHING || a == NOTHING)
		return NOTHING;
	if (set == EVERYTHING || set == a)
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

uint32_t diagram_map(const struct diagram_map *map, uint32_t a)
{
	struct diagram *d = map->d;
	uint32_t result, first = d->n_open;
	struct value from = { 0, 0 };
	struct walk walk;

	if (map->quick && map->stop(map, a, &result))
		return result;
	if (recall(d, map->op, a, map->parameter, &result))
		return result;
	if (map->quick || !map->stop(map, a, &result)) {
		walk = walk_begin(d, a, diagram_top(d, a));
		do
			open_cut(d, first, from, diagram_map(map, walk.node));
		while (!d->full && walk_on(d, &walk, 1, &from));
		result = close_cuts(d, first, diagram_top(d, a));
	}
	return remember(d, map->op, a, map->parameter, result);
}

/* What stands for terminals is a node itself, of no packet's variable: by their numbers, and KEPT for the others. */
#define IMAGES (UINT32_MAX - 1)
#define KEPT UINT32_MAX

static uint32_t put_images(struct diagram *d, uint32_t a, uint32_t images)
{
	uint32_t n, at, result, first = d->n_open, inner, top = diagram_top(d, a);
	auto_free struct walk *walks = NULL;
	struct value from = { 0, 0 };

	if (images == KEPT || d->full)
		return a;
	if (is_terminal(a)) {
		result = diagram_at(d, images, IMAGES, (struct value){ 0, a & ~TERMINAL });
		return result == KEPT ? a : result;
	}
	if (recall(d, OP_REPLACE, a, images, &result))
		return result;
	n = d->nodes[images].n;
	at = d->nodes[images].first;
	for (uint32_t i = 0; i < n; i++)
		if (diagram_top(d, d->cuts[at + i].node) < top)
			top = diagram_top(d, d->cuts[at + i].node);
	walks = xcalloc(n + 1, sizeof(*walks));
	walks[n] = walk_begin(d, a, top);
	for (uint32_t i = 0; i < n; i++)
		walks[i] = walk_begin(d, d->cuts[at + i].node, top);
	do {
		inner = d->n_open;
		for (uint32_t i = 0; i < n; i++)
			open_cut(d, inner, d->cuts[at + i].from, walks[i].node);
		result = close_cuts(d, inner, IMAGES);
		open_cut(d, first, from, put_images(d, walks[n].node, result));
	} while (!d->full && walk_on(d, walks, n + 1, &from));
	return remember(d, OP_REPLACE, a, images, close_cuts(d, first, top));
}

uint32_t diagram_replace(struct diagram *d, uint32_t a, const uint32_t *ends, const uint32_t *images, unsigned n)
{
	uint32_t first = d->n_open, behind = TERMINAL;

	for (unsigned i = 0; i < n; i++) {
		if (ends[i] != behind)
			open_cut(d, first, (struct value){ 0, behind & ~TERMINAL }, KEPT);
		behind = ends[i] + 1;
		open_cut(d, first, (struct value){ 0, ends[i] & ~TERMINAL }, images[i] == ends[i] ? KEPT : images[i]);
	}
	open_cut(d, first, (struct value){ 0, behind & ~TERMINAL }, KEPT);
	return put_images(d, a, close_cuts(d, first, IMAGES));
}

static bool negate(const struct diagram_map *map, uint32_t node, uint32_t *result)
{
	(void)map;
	*result = node == NOTHING ? EVERYTHING : NOTHING;
	return is_terminal(node);
}

uint32_t diagram_not(struct diagram *d, uint32_t set)
{
	return diagram_map(&(struct diagram_map){ .d = d, .op = OP_NOT, .stop = negate, .quick = true }, set);
}

/* @data: the variable behind those that are looked at; @parameter: the end. */
static bool is_part(const struct diagram_map *map, uint32_t node, uint32_t *result)
{
	*result = node == map->parameter ? EVERYTHING : NOTHING;
	return *result == EVERYTHING || diagram_top(map->d, node) >= *(const uint32_t *)map->data;
}

uint32_t diagram_part(struct diagram *d, uint32_t a, uint32_t end, enum field field)
{
	uint32_t behind = field_end(field);

	return diagram_map(&(struct diagram_map){ d, OP_PART + (uint32_t)field, end, is_part, &behind, true }, a);
}

uint32_t diagram_at(const struct diagram *d, uint32_t node, uint32_t variable, struct value value)
{
	uint32_t low, high, middle;

	if (diagram_top(d, node) != variable)
		return node;
	low = d->nodes[node].first;
	for (high = low + d->nodes[node].n; high - low > 1;) {
		middle = low + (high - low) / 2;
		if (value_compare(d->cuts[middle].from, value) <= 0)
			low = middle;
		else
			high = middle;
	}
	return d->cuts[low].node;
}

uint32_t diagram_bit(struct diagram *d, uint32_t variable, uint32_t clear, uint32_t set)
{
	uint32_t first = d->n_open;

	open_cut(d, first, (struct value){ 0, 0 }, clear);
	open_cut(d, first, (struct value){ 0, 1 }, set);
	return close_cuts(d, first, variable);
}

static uint32_t interval(struct diagram *d, enum field field, struct value low, struct value high)
{
	const struct field_variables *f = &field_variables[field];
	uint32_t first = d->n_open;

	if (low.high || low.low)
		open_cut(d, first, (struct value){ 0, 0 }, NOTHING);
	open_cut(d, first, low, EVERYTHING);
	if (value_compare(high, value_max(f->bits)) < 0)
		open_cut(d, first, value_behind(high), NOTHING);
	return close_cuts(d, first, f->first);
}

uint32_t diagram_range(struct diagram *d, enum field field, uint64_t low, uint64_t high)
{
	return interval(d, field, (struct value){ 0, low }, (struct value){ 0, high });
}

uint32_t diagram_block(struct diagram *d, enum field field, const uint8_t bytes[16], unsigned bits)
{
	struct value first = value_of_bytes(bytes), rest = value_max(field_variables[field].bits - bits);

	first.high &= ~rest.high;
	first.low &= ~rest.low;
	return interval(d, field, first, (struct value){ first.high | rest.high, first.low | rest.low });
}

struct search {
	struct diagram *d;
	uint8_t *seen;
	uint32_t behind; /* the variable behind those that are looked at */
	uint32_t **ends;
	unsigned *n;
};

static void find_ends(struct search *s, uint32_t node)
{
	if (diagram_top(s->d, node) < s->behind) {
		const struct diagram_node *at = &s->d->nodes[node];

		if (s->seen[node / 8] & (1u << node % 8))
			return;
		s->seen[node / 8] |= (uint8_t)(1u << node % 8);
		for (uint32_t i = 0; i < at->n; i++)
			find_ends(s, s->d->cuts[at->first + i].node);
		return;
	}
	for (unsigned i = *s->n; i-- > 0;)
		if ((*s->ends)[i] == node)
			return;
	*(uint32_t *)array_push(s->ends, s->n, sizeof(**s->ends)) = node;
}

void diagram_ends(struct diagram *d, uint32_t a, enum field field, uint32_t **ends, unsigned *n)
{
	struct search s = { .d = d, .ends = ends, .n = n, .behind = field_end(field) };

	s.seen = xcalloc(d->n_nodes / 8 + 1, 1);
	find_ends(&s, a);
	free(s.seen);
}
