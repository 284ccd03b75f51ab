/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "draft.h"

#include <string.h>

#include "merge.h"
#include "util.h"

void draft_init(struct draft *draft, struct ruleset *rs, enum family family)
{
	draft->rs = rs;
	draft->rule = (struct rule){ .families = FAMILY_BIT(family), .matches = draft->matches };
	draft->rule.target.kind = TARGET_NONE;
}

static struct match *match_find(struct draft *draft, enum match_kind kind)
{
	for (unsigned i = 0; i < draft->rule.n_matches; i++)
		if (draft->matches[i].kind == kind)
			return &draft->matches[i];
	return NULL;
}

/* Adds a match, in its place by kind, whose list is @n items at @items; a scalar is one item. */
void draft_add_list(struct draft *draft, enum match_kind kind, bool invert, const void *items, uint32_t n)
{
	size_t size = match_item_size(kind);
	struct match m = { .kind = (uint8_t)kind, .invert = invert, .n = n };
	unsigned at;

	/* A condition that is there twice is met by both; a list, by any of its items. */
	if (!n || match_find(draft, kind) || draft->rule.n_matches >= RULE_MATCHES_MAX) {
		draft->rule.unknown |= UNKNOWN_TEST;
		return;
	}
	if (size)
		m.ranges = memcpy(ruleset_alloc(draft->rs, n * size), items, n * size); /* one pointer, whatever the list is of */
	else if (kind == MATCH_MARK || kind == MATCH_CONNMARK || kind == MATCH_TCP_FLAGS)
		m.mark = *(const struct mark *)items;
	else if (kind == MATCH_CTSTATE)
		m.ctstates = *(const uint32_t *)items;
	else
		m.proto = *(const uint32_t *)items;
	for (at = draft->rule.n_matches++; at && draft->matches[at - 1].kind > kind; at--)
		draft->matches[at] = draft->matches[at - 1];
	draft->matches[at] = m;
}

/* Grows an inverted list of owners: several inverted matches are met if none of their owners matches. */
static void owner_add(struct draft *draft, struct match *m, const struct range *owner)
{
	struct range *ranges = (struct range *)m->ranges;

	/* Full at each power of two, so that no capacity needs to be kept. */
	if ((m->n & (m->n - 1)) == 0) {
		ranges = ruleset_alloc(draft->rs, 2 * m->n * sizeof(*ranges));
		memcpy(ranges, m->ranges, m->n * sizeof(*ranges));
		m->ranges = ranges;
	}
	ranges[m->n++] = *owner;
}

void draft_add(struct draft *draft, enum match_kind kind, bool invert, const void *item)
{
	struct match *m = kind == MATCH_UID || kind == MATCH_GID ? match_find(draft, kind) : NULL;

	if (m && m->invert && invert)
		owner_add(draft, m, item);
	else
		draft_add_list(draft, kind, invert, item, 1);
}

/* Targets that let the packet go on to the next rule, and change nothing that a rule of the model tests. */
static bool is_harmless(const char *name)
{
	static const char *const names[] = { "LOG", "NFLOG", "TRACE", "AUDIT", "TCPMSS",
					     "TOS", "DSCP",  "TTL",   "HL",    "CHECKSUM" };

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

void draft_set_unread_target(struct draft *draft, const char *name)
{
	bool harmless = is_harmless(name);

	draft->rule.target = (struct target){ .kind = harmless ? TARGET_NONE : TARGET_UNKNOWN };
	draft->rule.unknown |= harmless ? UNKNOWN_TEST : UNKNOWN_ACTION;
	rule_note_unread(draft->rs, &draft->rule, name);
}
