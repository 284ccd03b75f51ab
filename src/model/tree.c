/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A radix tree of four bits a level: a chain tests which of up to 16 blocks holds the
 * address and goes to that block's chain; leaves hold the list's own prefixes.  So a new
 * connection passes some tens of rules whatever the length of the list.
 *
 * Chains are entered with goto: what falls out of a leaf returns at once to where the
 * tree was entered.  A list that ends in RETURN means the return from the chain that held
 * it, so that chain goes to the tree, too, and all that followed the list moves into a
 * chain of its own, to which every chain of the tree goes at its end.
 */
#include "tree.h"

#include <stdio.h>
#include <string.h>

#include "merge.h"

#define LEVEL_BITS 4
#define LEAF_MAX 16

/* A chain of its own costs two rules more (the way there and back) and libiptc's search for its name. */
#define DIRECT_MAX 8

struct tree {
	struct ruleset *rs;
	enum table_id table;
	const struct rule *rule; /* the rule with the list */
	unsigned list;           /* index of the list among its matches */
	unsigned number;         /* of the tree, in the names of its chains */
	const char *rest;        /* chain that goes on where no prefix matches; NULL: back to the caller */
	unsigned serial;
};

static unsigned common_bits(const struct prefix *a, const struct prefix *b)
{
	unsigned bits = 0, max = a->len < b->len ? a->len : b->len;

	while (bits < max && !((a->addr[bits / 8] ^ b->addr[bits / 8]) & (0x80 >> bits % 8)))
		bits++;
	return bits;
}

static struct prefix *cut_prefix(struct tree *t, const struct prefix *p, unsigned len)
{
	struct prefix *cut = ruleset_alloc(t->rs, sizeof(*cut));

	*cut = *p;
	cut->len = (uint8_t)len;
	for (unsigned i = 0; i < sizeof(cut->addr); i++) {
		unsigned bits = len > i * 8 ? len - i * 8 : 0;

		if (bits < 8)
			cut->addr[i] &= (uint8_t)(0xff00 >> bits);
	}
	return cut;
}

static struct target go_to(const char *chain)
{
	return (struct target){ .kind = TARGET_GOTO, .chain = chain };
}

/* A rule of the tree: the list's rule with other prefixes and target, and of its other matches only the protocol. */
static void add_rule(struct tree *t, const char *chain, const struct prefix *prefixes, uint32_t n, struct target target)
{
	struct match matches[2];
	struct rule rule = *t->rule;

	rule.top = false;
	rule.target = target;
	if (target.kind == TARGET_GOTO)
		rule.origin = NULL; /* only the way there */
	rule.matches = matches;
	rule.n_matches = 0;
	for (unsigned i = 0; n && i < t->rule->n_matches; i++) {
		if (i != t->list && t->rule->matches[i].kind != MATCH_PROTO)
			continue;
		matches[rule.n_matches] = t->rule->matches[i];
		if (i == t->list) {
			matches[rule.n_matches].prefixes = prefixes;
			matches[rule.n_matches].n = n;
		}
		rule.n_matches++;
	}
	ruleset_append(t->rs, t->table, chain, &rule);
}

/* Makes the chain of the disjoint, sorted @items and all below it; returns its name. */
static const char *grow(struct tree *t, const struct prefix *items, uint32_t n)
{
	char name[32];
	const char *chain;
	unsigned level;

	/* Short, and different early on: libiptc compares them for each rule. */
	snprintf(name, sizeof(name), "ISTIO_T%u_%06u", t->number, t->serial++);
	chain = ruleset_strdup(t->rs, name);
	level = n > LEAF_MAX ? common_bits(&items[0], &items[n - 1]) + LEVEL_BITS : 128;
	for (uint32_t i = 0, k; i < n; i = k) {
		struct prefix *block = cut_prefix(t, &items[i], level < items[i].len ? level : items[i].len);

		for (k = i + 1; k < n && prefix_contains(block, &items[k]); k++)
			;
		if (k - i <= DIRECT_MAX)
			add_rule(t, chain, &items[i], k - i, t->rule->target);
		else
			add_rule(t, chain, block, 1, go_to(grow(t, items + i, k - i)));
	}
	if (t->rest)
		add_rule(t, chain, NULL, 0, go_to(t->rest));
	return chain;
}

/* Moves what follows rule @index of the chain, for the rule's family, into a chain of its own; NULL: nothing does. */
static const char *split_rest(struct ruleset *rs, enum table_id table, unsigned c, unsigned index, unsigned number)
{
	unsigned family = rs->tables[table].chains[c].rules[index].families;
	char name[32];
	const char *rest = NULL;

	snprintf(name, sizeof(name), "%.20s_R%u", rs->tables[table].chains[c].name, number);
	for (unsigned i = index + 1; i < rs->tables[table].chains[c].n_rules; i++) {
		struct rule *rule = &rs->tables[table].chains[c].rules[i];
		struct rule moved = *rule;

		moved.families &= (uint8_t)family;
		rule->families &= (uint8_t)~family;
		if (!moved.families)
			continue;
		rest = rest ? rest : ruleset_strdup(rs, name);
		ruleset_append(rs, table, rest, &moved);
	}
	return rest;
}

static void replace_list(struct ruleset *rs, enum table_id table, unsigned c, unsigned index, unsigned list, unsigned number)
{
	struct rule rule = rs->tables[table].chains[c].rules[index], *entry;
	struct tree t = { .rs = rs, .table = table, .rule = &rule, .list = list, .number = number };
	uint32_t n = rule.matches[list].n;
	struct prefix *items = ruleset_alloc(rs, n * sizeof(*items));
	const char *root;

	memcpy(items, rule.matches[list].prefixes, n * sizeof(*items));
	n = prefixes_merge(items, n);
	if (rule.target.kind == TARGET_RETURN)
		t.rest = split_rest(rs, table, c, index, number);
	root = grow(&t, items, n);
	entry = &rs->tables[table].chains[c].rules[index];
	entry->target = (struct target){
		.kind = rule.target.kind == TARGET_RETURN ? TARGET_GOTO : TARGET_JUMP,
		.chain = root,
	};
	entry->matches = ruleset_alloc(rs, rule.n_matches * sizeof(*entry->matches));
	entry->n_matches = 0;
	for (unsigned i = 0; i < rule.n_matches; i++)
		if (i != list)
			entry->matches[entry->n_matches++] = rule.matches[i];
}

static int find_list(const struct rule *rule, unsigned min)
{
	for (unsigned i = 0; i < rule->n_matches; i++) {
		const struct match *m = &rule->matches[i];

		if ((m->kind == MATCH_SRC || m->kind == MATCH_DST) && !m->invert && m->n >= min)
			return (int)i;
	}
	return -1;
}

void ruleset_grow_trees(struct ruleset *rs, unsigned min)
{
	unsigned number = 0;

	for (enum table_id t = 0; t < TABLES; t++)
		/* Chains that are made on the way stand behind and are looked at, too; trees hold no long lists. */
		for (unsigned c = 0; c < rs->tables[t].n_chains; c++)
			for (unsigned i = 0; i < rs->tables[t].chains[c].n_rules; i++) {
				int list = find_list(&rs->tables[t].chains[c].rules[i], min);

				if (list >= 0 && rs->tables[t].chains[c].rules[i].families)
					replace_list(rs, t, c, i, (unsigned)list, ++number);
			}
}
