/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets of one field's values as people write them. */
#include "traffic_list.h"

#include <stdlib.h>
#include <string.h>

struct listing {
	const struct diagram *d;
	enum field field;
	enum family family;
	unsigned limit; /* it may end behind so many items */
	bool odd;       /* an item is none that can be written */
	struct traffic_item *items;
	unsigned n;
};

static struct traffic_item *add_item(struct listing *l)
{
	struct traffic_item *item = array_push(&l->items, &l->n, sizeof(*l->items));

	memset(item, 0, sizeof(*item));
	return item;
}

/* All values that begin with the first @bits bits. */
static void add_block(struct listing *l, struct value first, unsigned bits)
{
	struct traffic_item *item = add_item(l);
	unsigned whole = bits / 8;

	if (l->field == FIELD_DST || l->field == FIELD_SRC) {
		item->prefix.family = (uint8_t)l->family;
		item->prefix.len = (uint8_t)bits;
		value_to_bytes(first, item->prefix.addr);
		return;
	}
	value_to_bytes(first, (uint8_t *)item->iface.name);
	if (whole == sizeof(item->iface.name))
		return;
	l->odd |= bits % 8 || whole + 1 == sizeof(item->iface.name);
	item->iface.name[whole] = '+';
}

/* As the largest blocks that do. */
static void add_blocks(struct listing *l, struct value first, struct value last)
{
	struct value end, wider;
	unsigned bits;

	do {
		end = first;
		for (bits = 128; bits > 0; bits--, end = wider) {
			struct value rest = value_max(128 - bits + 1);

			wider = (struct value){ first.high | rest.high, first.low | rest.low };
			if (first.high & rest.high || first.low & rest.low || value_compare(wider, last) > 0)
				break;
		}
		add_block(l, first, bits);
		first = value_behind(end);
	} while (value_compare(end, last) < 0 && l->n <= l->limit);
}

static void add_range(struct listing *l, struct value first, struct value last)
{
	if (first.low < NO_SOCKET)
		add_item(l)->range =
			(struct range){ (uint32_t)first.low, last.low < NO_SOCKET ? (uint32_t)last.low : UINT32_MAX };
}

static void list_values(struct listing *l, uint32_t set)
{
	const struct cut all = { { 0, 0 }, set }, *cuts = &all;
	uint32_t n = 1;

	if (!is_terminal(set)) {
		n = l->d->nodes[set].n;
		cuts = &l->d->cuts[l->d->nodes[set].first];
	}
	for (uint32_t i = 0; i < n && l->n <= l->limit; i++) {
		struct value last = value_max(field_variables[l->field].bits);

		if (cuts[i].node == NOTHING)
			continue;
		if (i + 1 < n)
			last = value_before(cuts[i + 1].from);
		if (l->field <= FIELD_OIF)
			add_blocks(l, cuts[i].from, last);
		else
			add_range(l, cuts[i].from, last);
	}
}

/* Marks are not blocks: a path's bits, those that it tests. */
static void list_marks(struct listing *l, uint32_t set, struct mark mark)
{
	uint32_t variable = diagram_top(l->d, set), bit;

	if (set == NOTHING)
		return;
	if (set == EVERYTHING) {
		add_item(l)->mark = mark;
		return;
	}
	bit = 0x80000000u >> (variable - field_variables[FIELD_MARK].first) / 2;
	mark.mask |= bit;
	list_marks(l, diagram_half(l->d, set, variable, false), mark);
	mark.value |= bit;
	list_marks(l, diagram_half(l->d, set, variable, true), mark);
}

static void make_listing(struct listing *l, uint32_t set, unsigned limit)
{
	l->limit = limit;
	l->n = 0;
	if (l->field == FIELD_MARK)
		list_marks(l, set, (struct mark){ 0 });
	else
		list_values(l, set);
}

/* A long list of addresses is short beside that of all others, which is not made whole. */
static struct listing *make_fewer(struct listing *in, struct listing *out, struct diagram *d, uint32_t set)
{
	bool addr = in->field == FIELD_DST || in->field == FIELD_SRC;
	uint32_t others = diagram_not(d, set);

	for (unsigned limit = addr ? 64 : UINT32_MAX; !d->full; limit *= 2) {
		make_listing(in, set, limit);
		make_listing(out, others, limit);
		if (in->n <= limit || out->n <= limit)
			break;
		d->full |= limit > LISTED_MAX;
	}
	return out->n < in->n || (in->odd && !out->odd) ? out : in;
}

void traffic_list_make(struct traffic_list *list, struct diagram *d, uint32_t set, enum field field, enum family family,
		       struct arena *arena)
{
	struct listing in = { .d = d, .field = field, .family = family }, out = in;
	const struct value none = { 0, NO_SOCKET };
	struct listing *fewer = make_fewer(&in, &out, d, set);

	*list = (struct traffic_list){
		.any = set == EVERYTHING,
		.not = fewer == &out,
		.n = fewer->n,
		.items = arena_take(arena, fewer->n * sizeof(*fewer->items)),
	};
	if (fewer->n)
		memcpy(list->items, fewer->items, fewer->n * sizeof(*fewer->items));
	if (field == FIELD_UID || field == FIELD_GID)
		list->none = (diagram_at(d, set, field_variables[field].first, none) == EVERYTHING) != list->not ;
	free(in.items);
	free(out.items);
}
