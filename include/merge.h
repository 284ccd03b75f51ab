/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one form of a list in the native layout, where a list is one set: sorted, without
 * items that others hold, neighbours joined.  A list of single values only stays that, and
 * is a plain set: a hash is faster than intervals.
 */
#ifndef ISTIO_INIT_MERGE_H
#define ISTIO_INIT_MERGE_H

#include "ruleset.h"

/* Whether the items of a match with a list are single addresses, numbers, or names without a wildcard. */
bool match_is_single(const struct match *m);

/* Bytes of an item of such a match; 0: its value is no list. */
size_t match_item_size(enum match_kind kind);

/* Its list becomes the items at @items, merged in place. */
void match_merge(struct match *m, void *items, uint32_t n);

/* The same for @n prefixes of one family, n >= 1; returns how many are left. */
uint32_t prefixes_merge(struct prefix *items, uint32_t n);

/* Whether the name ends in the wildcard. */
bool iface_is_wildcard(const struct iface *iface);

/* Addresses without a gap, both ends included, network order. */
struct span {
	uint8_t first[16], last[16];
};

/*
 * The next stretch without a gap of merged prefixes that are not all single; *@at
 * begins at 0.  Returns false at the end.
 */
bool prefixes_next_span(const struct prefix *items, uint32_t n, uint32_t *at, struct span *span);

/* The prefix that holds exactly the span; false if none does. */
bool span_prefix(const struct span *span, enum family family, struct prefix *prefix);

/* The largest prefix at the beginning of the span, and the rest; false if that was all. */
bool span_split(struct span *span, enum family family, struct prefix *prefix);

/* The addresses of the family that none of @n merged prefixes holds, as blocks; array_push. */
void prefixes_invert(const struct prefix *items, uint32_t n, enum family family, struct prefix **others,
		     unsigned *n_others);

/*
 * Brings a ruleset of the native layout into its one form, which read-back gives, too:
 * lists merged, tests that let everything pass left out, base chains first.
 */
void ruleset_normalize(struct ruleset *rs);

#endif
