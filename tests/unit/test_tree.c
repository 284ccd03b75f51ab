/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "build_rules.h"
#include "capture.h"
#include "explain.h"
#include "rounds.h"
#include "tree.h"
#include "util.h"

Suite *suite_tree(void);

static void random_addr(uint8_t addr[16])
{
	for (unsigned i = 0; i < 16; i++)
		addr[i] = (uint8_t)rand();
}

static void clear_host_bits(struct prefix *p)
{
	for (unsigned bit = p->len; bit < 128; bit++)
		p->addr[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
}

static void flip_bit(uint8_t addr[16], unsigned bit)
{
	addr[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
}

/* Prefixes that leave one path at bit i modulo the address's, or, if not @deep, lie anywhere. */
static void make_list(struct prefix_list *list, enum family family, uint32_t n, bool deep)
{
	unsigned bits = family == IPV4 ? 32 : 128;
	uint8_t path[16];

	random_addr(path);
	*list = (struct prefix_list){ xcalloc(n, sizeof(*list->items)), n };
	for (uint32_t i = 0; i < n; i++) {
		struct prefix *p = &list->items[i];
		unsigned at = i % bits, len = deep ? at + 6 : 24 + (unsigned)rand() % 9;

		p->family = (uint8_t)family;
		p->len = (uint8_t)(len < bits ? len : bits);
		random_addr(p->addr);
		for (unsigned bit = 0; deep && bit <= at; bit++)
			if ((p->addr[bit / 8] ^ path[bit / 8] ^ (bit == at ? 0xff : 0)) & (0x80 >> bit % 8))
				flip_bit(p->addr, bit);
		clear_host_bits(p);
	}
}

static void make_lists(struct cidr_list *list, uint32_t n, bool deep)
{
	for (enum family f = 0; f < FAMILIES; f++)
		make_list(&list->of[f], f, n, deep);
}

static void free_lists(struct cidr_list *list)
{
	for (enum family f = 0; f < FAMILIES; f++)
		free(list->of[f].items);
}

static struct ruleset *build(struct config *cfg, enum long_lists form)
{
	struct capture_options options = { .layout = LAYOUT_IPTABLES, .families = FAMILY_BOTH, .zones = true };

	cfg->long_lists = form;
	return capture_build(cfg, &options);
}

/* The most jumps and gotos one behind the other from @chain on; @known remembers it plus one, by the chain's place. */
static unsigned count_jumps(const struct ruleset *rs, enum table_id t, const struct chain *chain, unsigned *known)
{
	unsigned *depth = &known[chain - rs->tables[t].chains], below = 0;

	if (*depth)
		return *depth - 1;
	for (unsigned i = 0; i < chain->n_rules; i++) {
		const struct target *target = &chain->rules[i].target;
		const struct chain *next;
		unsigned jumps;

		if (target->kind != TARGET_JUMP && target->kind != TARGET_GOTO)
			continue;
		next = ruleset_find(rs, t, target->chain);
		ck_assert_ptr_nonnull(next);
		jumps = 1 + count_jumps(rs, t, next, known);
		below = jumps > below ? jumps : below;
	}
	*depth = below + 1;
	return below;
}

static unsigned ruleset_jumps(const struct ruleset *rs)
{
	unsigned most = 0;

	for (enum table_id t = 0; t < TABLES; t++) {
		const struct table *table = &rs->tables[t];
		auto_free unsigned *known = xcalloc(table->n_chains, sizeof(*known));

		for (unsigned c = 0; c < table->n_chains; c++) {
			unsigned jumps =
				table->chains[c].hook == HOOK_NONE ? 0 : count_jumps(rs, t, &table->chains[c], known);

			most = jumps > most ? jumps : most;
		}
	}
	return most;
}

/* An address of the list, or one bit beside it. */
static void pick_addr(const struct prefix_list *list, uint8_t addr[16])
{
	const struct prefix *p = &list->items[(uint32_t)rand() % list->n];
	unsigned bits = p->family == IPV4 ? 32 : 128;

	memcpy(addr, p->addr, 16);
	for (unsigned bit = p->len; bit < bits; bit++)
		if (rand() % 2)
			flip_bit(addr, bit);
	if (rand() % 2)
		flip_bit(addr, (unsigned)rand() % bits);
}

static unsigned decide(const struct ruleset *rs, const struct packet *packet)
{
	struct explanation e;
	struct err err = { 0 };
	unsigned fate;

	ck_assert_msg(!explain_packet(&e, rs, packet, &err), "%s", err.what);
	fate = e.fate << 16 | e.port;
	explanation_free(&e);
	return fate;
}

static void expect_same_decisions(const struct ruleset *linear, const struct ruleset *tree, const struct config *cfg)
{
	unsigned n = rounds(400), captured = 0;

	for (unsigned i = 0; i < n; i++) {
		struct packet p = { .hook = i % 4 ? HOOK_OUTPUT : HOOK_PREROUTING,
				    .family = i / 4 % 2 ? IPV6 : IPV4,
				    .proto = IPPROTO_TCP,
				    .dport = 80,
				    .sport = 40000,
				    .ctstate = CTSTATE_NEW };
		const struct cidr_list *list = i / 8 % 2 ? &cfg->outbound_cidrs : &cfg->outbound_cidrs_exclude;

		random_addr(p.src);
		strcpy((p.hook == HOOK_OUTPUT ? &p.oif : &p.iif)->name, "eth0");
		pick_addr(&list->of[p.family], p.dst);
		if (p.hook == HOOK_PREROUTING)
			pick_addr(&cfg->exclude_inbound_cidrs.of[p.family], p.src);
		p.has_owner = p.hook == HOOK_OUTPUT;
		p.uid = p.gid = 1000;
		ck_assert_uint_eq(decide(linear, &p), decide(tree, &p));
		captured += decide(tree, &p) != FATE_PASSES << 16;
	}
	ck_assert_uint_gt(captured, n / 20);
	ck_assert_uint_lt(captured, n - n / 20);
}

static const struct {
	const char *line;
	uint32_t n;
	bool deep, compare;
} cases[] = {
	{ "-b *", 17, true, true },
	{ "-b * -m TPROXY -k eth1", 128, true, true },
	{ "-b *", 400, true, true },
	{ "-b * -m TPROXY", 2000, false, true },
	{ "-b * -k eth1", 4096, true, false },
	{ "-b *", 100000, false, false },
};

/* Two lists in a row, each of any form and length: not deeper than a kernel follows, and the same for every address. */
START_TEST(trees_are_flat)
{
	struct ruleset *linear, *tree;
	struct config cfg;

	srand((unsigned)_i);
	parse_line(&cfg, cases[_i].line);
	make_lists(&cfg.outbound_cidrs, cases[_i].n, cases[_i].deep);
	make_lists(&cfg.outbound_cidrs_exclude, cases[_i].n, cases[_i].deep);
	make_lists(&cfg.exclude_inbound_cidrs, cases[_i].n, cases[_i].deep);
	tree = build(&cfg, LONG_LISTS_TREE);
	ck_assert_uint_le(ruleset_jumps(tree), TREE_JUMPS_MAX);
	ck_assert_uint_gt(tree->tables[TABLE_NAT].n_chains, 6); /* more than without trees */
	if (cases[_i].compare) {
		linear = build(&cfg, LONG_LISTS_LINEAR);
		expect_same_decisions(linear, tree, &cfg);
		ruleset_free(linear);
	}
	ruleset_free(tree);
	free_lists(&cfg.outbound_cidrs);
	free_lists(&cfg.outbound_cidrs_exclude);
	free_lists(&cfg.exclude_inbound_cidrs);
}
END_TEST

Suite *suite_tree(void)
{
	Suite *suite = suite_create("tree");
	TCase *tc = tcase_create("tree");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, trees_are_flat, 0, ARRAY_SIZE(cases));
	suite_add_tcase(suite, tc);
	return suite;
}
