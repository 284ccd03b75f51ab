/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules of the native layout as text, as nf_tables' expressions, and back; without a kernel. */
#include <arpa/inet.h>
#include <check.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <libnftnl/expr.h>

#include "merge.h"
#include "nft_cases.h"
#include "nft_text.h"
#include "text.h"
#include "util.h"

#include "iptables_nft/iptables_nft.h"
#include "nftables/nftables.h"

Suite *suite_nft(void);

START_TEST(rule_is_printed_as_nft_prints_it)
{
	struct ruleset *rs = ruleset_new(LAYOUT_NATIVE, FAMILY_BOTH);
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	text_print_nft_rule(out, make_rule(rs, &rule_cases[_i]), false);
	fclose(out);
	ck_assert_str_eq(text, rule_cases[_i].text);
	free(text);
	ruleset_free(rs);
}
END_TEST

/* A batch in place of a link that has read generation 7. */
static void init_batch(struct nfnl_batch *batch)
{
	struct nfnl *nfnl = xcalloc(1, sizeof(*nfnl));

	nfnl->generation = 7;
	nfnl_batch_init(batch, nfnl, 0);
	free(nfnl);
}

START_TEST(rule_has_the_expressions_that_nft_makes)
{
	struct ruleset *rs = ruleset_new(LAYOUT_NATIVE, FAMILY_BOTH);
	const struct rule *rule = make_rule(rs, &rule_cases[_i]);
	struct nfnl_batch batch;
	struct nftnl_rule *r;
	char text[4096], expected[4096];
	unsigned sets = 0;

	init_batch(&batch);
	r = nftables_rule_encode(&batch, TABLE_NAT, "istio-output", rule, &sets);
	nftnl_rule_snprintf(text, sizeof(text), r, NFTNL_OUTPUT_DEFAULT, 0);
	nft_text_flatten(text);
	snprintf(expected, sizeof(expected), "%s", rule_cases[_i].code);
	nft_text_of_this_machine(expected);
	ck_assert_str_eq(text, expected);
	nftnl_rule_free(r);
	nfnl_batch_release(&batch);
	ruleset_free(rs);
}
END_TEST

/* The messages of a batch as if the kernel had dumped them. */
static void take_dump(struct nft_dump *dump, const struct nfnl_batch *batch)
{
	const char *end = batch->data + nfnl_batch_bytes(batch);

	memset(dump, 0, sizeof(*dump));
	for (const char *at = batch->data; at < end; at += MNL_ALIGN(((const struct nlmsghdr *)at)->nlmsg_len)) {
		const struct nlmsghdr **place = array_push(&dump->messages, &dump->n, sizeof(*place));

		*place = (const struct nlmsghdr *)at;
	}
}

/* Adds the whole table nat, as a plan for an empty netns does. */
static void put_table(struct nfnl_batch *batch, const struct ruleset *rs)
{
	struct ruleset *none = ruleset_new(LAYOUT_NATIVE, 0);
	struct nft_dump empty = { .rs = none };
	struct nftables_writer writer = { .batch = batch, .dump = &empty };
	struct live live = { .rules = { [NFTABLES] = none } };
	struct plan_want want = { .backend = NFTABLES, .rules = rs };
	struct plan plan;

	plan_init(&plan, &live, &want);
	plan_add_table(&plan, NFTABLES, none, rs, TABLE_NAT, FAMILIES, 0);
	for (unsigned i = 0; i < plan.n; i++)
		nftables_put_step(&writer, &plan.steps[i]);
	plan_free(&plan);
	ruleset_free(none);
}

/* Puts @rs into a batch and reads the chain istio-output back; free with ruleset_free. */
static struct ruleset *read_back(struct nfnl_batch *batch, struct nft_dump *dump, const struct ruleset *rs)
{
	struct ruleset *back = ruleset_new(LAYOUT_NATIVE, FAMILY_BOTH);

	init_batch(batch);
	put_table(batch, rs);
	take_dump(dump, batch);
	dump->rs = back;
	for (unsigned i = 0; i < dump->n; i++)
		if (dump->messages[i]->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE))
			nftables_rule_decode(back, dump, TABLE_NAT, nfnl_attr_str(dump->messages[i], NFTA_RULE_CHAIN),
					     FAMILY_BOTH, dump->messages[i]);
	return back;
}

START_TEST(rule_comes_back_as_it_went)
{
	struct ruleset *rs = ruleset_new(LAYOUT_NATIVE, FAMILY_BOTH), *back;
	const struct rule *rule = make_rule(rs, &rule_cases[_i]);
	struct nft_dump dump;
	struct nfnl_batch batch;

	back = read_back(&batch, &dump, rs);
	ck_assert_uint_eq(ruleset_find(back, TABLE_NAT, "istio-output")->n_rules, 1);
	ck_assert(!ruleset_find(back, TABLE_NAT, "istio-output")->rules->unknown);
	ck_assert(rule_equal(ruleset_find(back, TABLE_NAT, "istio-output")->rules, rule));
	ck_assert_uint_eq(ruleset_find(back, TABLE_NAT, "istio-output")->rules->families, rule->families);
	free(dump.messages);
	nfnl_batch_release(&batch);
	ruleset_free(back);
	ruleset_free(rs);
}
END_TEST

/* What no set of the kernel's holds; a stretch that ends before it begins must not be split. */
START_TEST(elements_that_are_there_twice)
{
	struct ruleset *rs = ruleset_new(LAYOUT_NATIVE, FAMILY_BOTH), *twice = ruleset_new(LAYOUT_NATIVE, FAMILY_BOTH),
		       *back;
	const struct rule *rule = make_rule(rs, &rule_cases[_i]), *read;
	struct nft_dump dump;
	struct nfnl_batch batch;
	unsigned sets = 0;

	back = read_back(&batch, &dump, rs);
	for (unsigned i = 0, n = dump.n; i < n; i++)
		if (dump.messages[i]->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM)) {
			const struct nlmsghdr **place = array_push(&dump.messages, &dump.n, sizeof(*place));

			*place = dump.messages[i];
			sets++;
		}
	for (unsigned i = 0; i < dump.n; i++)
		if (dump.messages[i]->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE))
			nftables_rule_decode(twice, &dump, TABLE_NAT, "istio-output", FAMILY_BOTH, dump.messages[i]);
	read = ruleset_find(twice, TABLE_NAT, "istio-output")->rules;
	ck_assert(read->unknown ? sets : rule_equal(read, rule));
	free(dump.messages);
	nfnl_batch_release(&batch);
	ruleset_free(back);
	ruleset_free(twice);
	ruleset_free(rs);
}
END_TEST

/* 20,000 prefixes that do not touch, and one message of the kernel's size for each part of them. */
START_TEST(long_lists_are_split_over_messages)
{
	enum { N = 20000 };
	struct ruleset *rs = ruleset_new(LAYOUT_NATIVE, FAMILY_BOTH), *back;
	struct prefix *prefixes = xcalloc(N, sizeof(*prefixes));
	struct match m = { .kind = MATCH_DST, .n = N, .prefixes = prefixes };
	struct rule rule = { .families = V6, .n_matches = 1, .matches = &m, .target = RETURN };
	struct nft_dump dump;
	struct nfnl_batch batch;
	unsigned parts = 0;

	for (uint32_t i = 0; i < N; i++) {
		uint32_t net = htonl(2 * ((i * 7919) % N));

		prefixes[i] = (struct prefix){ .family = IPV6, .len = 64, .addr = { 0xfd } };
		memcpy(prefixes[i].addr + 4, &net, sizeof(net));
	}
	ruleset_append(rs, TABLE_NAT, "istio-output", &rule);
	ruleset_normalize(rs);
	back = read_back(&batch, &dump, rs);
	ck_assert(rule_equal(ruleset_find(back, TABLE_NAT, "istio-output")->rules,
			     ruleset_find(rs, TABLE_NAT, "istio-output")->rules));
	for (unsigned i = 0; i < dump.n; i++) {
		ck_assert_uint_le(dump.messages[i]->nlmsg_len, SET_MESSAGE_MAX);
		parts += dump.messages[i]->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM);
	}
	ck_assert_uint_gt(parts, 20);
	ck_assert_uint_eq(batch.items, N);
	ck_assert_uint_lt(nfnl_batch_bytes(&batch) - batch.items_bytes, 4096);
	free(dump.messages);
	nfnl_batch_release(&batch);
	ruleset_free(back);
	ruleset_free(rs);
	free(prefixes);
}
END_TEST

/* What the golden texts cannot show on a machine of one byte order. */
static int find_data(struct nftnl_expr *e, void *data)
{
	const void **found = data;
	uint32_t len;

	if (!strcmp(nftnl_expr_get_str(e, NFTNL_EXPR_NAME), "cmp"))
		*found = nftnl_expr_get(e, NFTNL_EXPR_CMP_DATA, &len);
	return 0;
}

static void check_last_cmp(const struct rule_case *c, const void *data, size_t len)
{
	struct ruleset *rs = ruleset_new(LAYOUT_NATIVE, FAMILY_BOTH);
	const void *found = NULL;
	struct nfnl_batch batch;
	struct nftnl_rule *r;
	unsigned sets = 0;

	init_batch(&batch);
	r = nftables_rule_encode(&batch, TABLE_NAT, "istio-output", make_rule(rs, c), &sets);
	nftnl_expr_foreach (r, find_data, &found)
		;
	ck_assert_mem_eq(found, data, len);
	nftnl_rule_free(r);
	nfnl_batch_release(&batch);
	ruleset_free(rs);
}

START_TEST(registers_have_the_byte_order_of_their_fields)
{
	static const struct rule_case port = { .families = FAMILY_BOTH, .proto = IPPROTO_TCP, .dport = "15008" };
	static const struct rule_case uid = { .families = FAMILY_BOTH, .uid = "1337" };
	static const struct rule_case uids = { .families = FAMILY_BOTH, .uid = "1-1337" };
	static const struct rule_case mark = { .families = FAMILY_BOTH, .mark = { 1337, UINT32_MAX } };
	static const struct rule_case addr = { .families = V4, .dst = "10.1.2.3" };
	uint32_t host = 1337;

	check_last_cmp(&port, "\x3a\xa0", 2);
	check_last_cmp(&uid, &host, sizeof(host));
	check_last_cmp(&uids, "\x00\x00\x05\x39", 4);
	check_last_cmp(&mark, &host, sizeof(host));
	check_last_cmp(&addr, "\x0a\x01\x02\x03", 4);
}
END_TEST

Suite *suite_nft(void)
{
	Suite *suite = suite_create("nft");
	TCase *tc = tcase_create("nft");

	tcase_add_loop_test(tc, rule_is_printed_as_nft_prints_it, 0, n_rule_cases);
	tcase_add_loop_test(tc, rule_has_the_expressions_that_nft_makes, 0, n_rule_cases);
	tcase_add_loop_test(tc, rule_comes_back_as_it_went, 0, n_rule_cases);
	tcase_add_loop_test(tc, elements_that_are_there_twice, 0, n_rule_cases);
	tcase_add_test(tc, long_lists_are_split_over_messages);
	tcase_add_test(tc, registers_have_the_byte_order_of_their_fields);
	suite_add_tcase(suite, tc);
	return suite;
}
