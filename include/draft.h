/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A live rule in the making, of who reads iptables' rules: from the kernel's structures, or from text. */
#ifndef ISTIO_INIT_DRAFT_H
#define ISTIO_INIT_DRAFT_H

#include "ruleset.h"

/*
 * What the model cannot express, or what iptables-save would print in another way than our text does, sets
 * rule.unknown.  Items are kept in the arena of @rs, matches sorted as rule_equal wants them;
 * ruleset_append(rs, ..., &draft.rule) keeps the rest.
 */
struct draft {
	struct ruleset *rs;
	struct rule rule;
	struct match matches[RULE_MATCHES_MAX];
};
void draft_init(struct draft *draft, struct ruleset *rs, enum family family);

/*
 * Adds one condition.  @item: struct prefix, range, iface or mark, or uint32_t
 * (protocol, ctstates), as @kind says.  Inverted ones of one kind of owner become one inverted list.
 */
void draft_add(struct draft *draft, enum match_kind kind, bool invert, const void *item);

/* Adds a match whose list is @n items at @items. */
void draft_add_list(struct draft *draft, enum match_kind kind, bool invert, const void *items, uint32_t n);

/* The target is the extension of that name, which the model cannot express; or only what was read of it is so. */
void draft_set_unread_target(struct draft *draft, const char *name);

#endif
