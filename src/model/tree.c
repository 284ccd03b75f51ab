/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A chain of the tree tests which of some ten blocks holds the address and goes to that
 * block's chain; leaves hold the list's own prefixes.  So a new connection passes some tens of
 * rules whatever the length of the list.
 *
 * Blocks are cut by how many of the list's prefixes they hold, not by bits: so the height
 * follows from the list's length alone, and no list, however its addresses lie, makes more
 * levels than the kernel follows.  A block can lie in another one, and then stands before it.
 *
 * Chains are entered with goto: what falls out of a leaf returns at once to where the
 * tree was entered.  A list that ends in RETURN means the return from the chain that held
 * it, so that chain goes to the tree, too, and all that followed the list moves into a
 * chain of its own, to which every chain of the tree goes at its end.
 */
#include "tree.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "merge.h"
#include "util.h"

/* Blocks that a chain has about; each holds at least that part of the chain's prefixes and less than two. */
#define FANOUT 16

/* A chain of its own costs two rules more (the way there and back) and libiptc's search for its name. */
#define DIRECT_MAX 8
#define LEAF_MAX (2 * DIRECT_MAX)

/* Or a leaf would become a tree itself. */
static_assert(LEAF_MAX < TREE_MIN, "a leaf is too short for a tree");

struct tree {
	struct ruleset *rs;
	enum table_id table;
	const struct rule *rule; /* the rule with the list */
	unsigned list;           /* index of the list among its matches */
	unsigned number;         /* of the tree, in the names of its chains */
	const char *rest;        /* chain that goes on where no prefix matches; NULL: back to the caller */
	unsigned fanout;
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

	rule.top = rule.front = false;
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

/* A chain of @n prefixes cuts a block where it has found this many. */
static uint32_t block_min(uint32_t n, unsigned fanout)
{
	uint32_t min = n / fanout + 1;

	return min > DIRECT_MAX ? min : DIRECT_MAX + 1;
}

/* How many chains stand one below the other, at most, for a list of @n prefixes. */
static unsigned height(uint32_t n, unsigned fanout)
{
	unsigned levels = 1;

	/* A block is made of two halves that were too small for one. */
	for (; n > LEAF_MAX; levels++)
		n = 2 * (block_min(n, fanout) - 1);
	return levels;
}

/* How many of the sorted @items, which are alike in the bits before, come before the first that has bit @bit set. */
static uint32_t find_half(const struct prefix *items, uint32_t n, unsigned bit)
{
	uint32_t low = 0, high = n;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (items[middle].addr[bit / 8] & (0x80 >> bit % 8))
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static const char *grow(struct tree *t, struct prefix *items, uint32_t n);

/* The way to a chain of its own for @items; all else that lies in their block stands before it. */
static void add_block(struct tree *t, const char *chain, struct prefix *items, uint32_t n)
{
	struct prefix *block = cut_prefix(t, &items[0], common_bits(&items[0], &items[n - 1]));

	add_rule(t, chain, block, 1, go_to(grow(t, items, n)));
}

/*
 * Halves the block of @items until its parts are small, and on the way back makes a block of what has
 * come together, from @min prefixes on.  Returns how many are left over, moved to the front.
 */
static uint32_t cut_blocks(struct tree *t, const char *chain, struct prefix *items, uint32_t n, uint32_t min)
{
	uint32_t half, left;

	if (n < min)
		return n;
	half = find_half(items, n, common_bits(&items[0], &items[n - 1]));
	left = cut_blocks(t, chain, items, half, min);
	n = cut_blocks(t, chain, items + half, n - half, min);
	memmove(items + left, items + half, n * sizeof(*items));
	left += n;
	if (left < min)
		return left;
	add_block(t, chain, items, left);
	return 0;
}

static const struct prefix *copy_prefixes(struct tree *t, const struct prefix *items, uint32_t n)
{
	return memcpy(ruleset_alloc(t->rs, n * sizeof(*items)), items, n * sizeof(*items));
}

/* Makes the chain of the disjoint, sorted @items and all below it, moving them about; returns its name. */
static const char *grow(struct tree *t, struct prefix *items, uint32_t n)
{
	char name[32];
	const char *chain;

	/* Short, and different early on: libiptc compares them for each rule. */
	snprintf(name, sizeof(name), "ISTIO_T%u_%06u", t->number, t->serial++);
	chain = ruleset_strdup(t->rs, name);
	if (n > LEAF_MAX) {
		n = cut_blocks(t, chain, items, n, block_min(n, t->fanout));
		if (n > DIRECT_MAX) {
			add_block(t, chain, items, n);
			n = 0;
		}
	}
	if (n)
		add_rule(t, chain, copy_prefixes(t, items, n), n, t->rule->target);
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
	struct tree t = { .rs = rs, .table = table, .rule = &rule, .list = list, .number = number, .fanout = FANOUT };
	uint32_t n = rule.matches[list].n;
	auto_free struct prefix *items = xcalloc(n, sizeof(*items));
	const char *root;

	memcpy(items, rule.matches[list].prefixes, n * sizeof(*items));
	n = prefixes_merge(items, n);
	if (rule.target.kind == TARGET_RETURN)
		t.rest = split_rest(rs, table, c, index, number);
	while (height(n, t.fanout) > TREE_HEIGHT_MAX)
		t.fanout *= 2;
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
