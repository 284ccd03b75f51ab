/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets of one field's values as people write them. */
#include "traffic_list.h"

#include <stdlib.h>
#include <string.h>

struct listing {
	const struct diagram *d;
	enum field field;
	unsigned skip, step; /* variables in front of the value, and from one of its bits to the next */
	unsigned bits;       /* of a value */
	uint8_t value[16];
	bool blocks; /* each item is a prefix; else ranges are joined */
	bool odd;    /* a block is none that can be written */
	enum family family;
	struct traffic_item *items;
	unsigned n;
};

static uint32_t number(const struct listing *l)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < l->bits; i++)
		n = n << 1 | ((l->value[i / 8] >> (7 - i % 8)) & 1);
	return n;
}

static void add_range(struct listing *l, unsigned bit)
{
	uint32_t low = number(l), high = low | (uint32_t)(((uint64_t)1 << (l->bits - bit)) - 1);

	if (l->n && l->items[l->n - 1].range.hi + 1 == low)
		l->items[l->n - 1].range.hi = high;
	else
		((struct traffic_item *)array_push(&l->items, &l->n, sizeof(*l->items)))->range =
			(struct range){ low, high };
}

/* All values that begin with the first @bit bits. */
static void add_block(struct listing *l, unsigned bit)
{
	struct traffic_item *item;

	if (!l->blocks) {
		add_range(l, bit);
		return;
	}
	item = array_push(&l->items, &l->n, sizeof(*l->items));
	memset(item, 0, sizeof(*item));
	if (l->field == FIELD_IIF || l->field == FIELD_OIF) {
		memcpy(item->iface.name, l->value, sizeof(item->iface.name));
		l->odd |= bit % 8 || (bit < l->bits && bit / 8 + 1 >= sizeof(item->iface.name));
		if (bit < l->bits)
			item->iface.name[bit / 8] = '+';
		return;
	}
	item->prefix = (struct prefix){ .family = (uint8_t)l->family, .len = (uint8_t)bit };
	memcpy(item->prefix.addr, l->value, sizeof(item->prefix.addr));
}

static void list_values(struct listing *l, uint32_t set, unsigned bit)
{
	uint32_t variable = field_bits[l->field].first + l->skip + bit * l->step;

	if (set == NOTHING)
		return;
	if (set == EVERYTHING) {
		add_block(l, bit);
		return;
	}
	list_values(l, diagram_half(l->d, set, variable, false), bit + 1);
	l->value[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	list_values(l, diagram_half(l->d, set, variable, true), bit + 1);
	l->value[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
}

/* Marks are not blocks: a path's bits, those that it tests. */
static void list_marks(struct listing *l, uint32_t set, struct mark mark)
{
	uint32_t bit;

	if (set == NOTHING)
		return;
	if (set == EVERYTHING) {
		((struct traffic_item *)array_push(&l->items, &l->n, sizeof(*l->items)))->mark = mark;
		return;
	}
	bit = 0x80000000u >> (diagram_top(l->d, set) - field_bits[FIELD_MARK].first) / 2;
	mark.mask |= bit;
	list_marks(l, l->d->nodes[set].low, mark);
	mark.value |= bit;
	list_marks(l, l->d->nodes[set].high, mark);
}

static struct listing make_listing(const struct diagram *d, uint32_t set, enum field field, enum family family)
{
	struct listing l = { .d = d, .field = field, .family = family, .step = 1, .bits = field_bits[field].bits };

	l.blocks = field <= FIELD_OIF;
	if (field == FIELD_DST || field == FIELD_SRC)
		l.bits = family_addr_len(family) * 8;
	if (field == FIELD_UID || field == FIELD_GID) {
		l.skip = 1;
		l.bits--;
		set = diagram_half(d, set, field_bits[field].first, false);
	}
	if (field == FIELD_MARK)
		list_marks(&l, set, (struct mark){ 0 });
	else
		list_values(&l, set, 0);
	return l;
}

void traffic_list_make(struct traffic_list *list, struct diagram *d, uint32_t set, enum field field, enum family family,
		       struct arena *arena)
{
	struct listing l = make_listing(d, set, field, family);
	struct listing other = make_listing(d, diagram_not(d, set), field, family);
	struct listing *fewer = other.n < l.n || (l.odd && !other.odd) ? &other : &l;

	*list = (struct traffic_list){
		.any = set == EVERYTHING,
		.not = fewer == &other,
		.n = fewer->n,
		.items = arena_take(arena, fewer->n * sizeof(*fewer->items)),
	};
	if (fewer->n)
		memcpy(list->items, fewer->items, fewer->n * sizeof(*fewer->items));
	if (field == FIELD_UID || field == FIELD_GID)
		list->none = (diagram_half(d, set, field_bits[field].first, true) == EVERYTHING) != list->not ;
	free(l.items);
	free(other.items);
}
