/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"
#include "ruleset.h"
#include "text.h"
#include "util.h"

Suite *suite_ruleset(void);

static struct prefix cidrs[3];
static const struct range ports[] = { { 80, 80 }, { 90, 95 } };
static const struct iface ifaces[] = { { "eth0" }, { "eth1" } };

static void parse_cidrs(void)
{
	ck_assert(!prefix_parse("10.0.0.0/8", &cidrs[0], NULL));
	ck_assert(!prefix_parse("0.0.0.0/0", &cidrs[1], NULL));
	ck_assert(!prefix_parse("10.9.0.0/16", &cidrs[2], NULL));
}

static char *rule_lines(const struct rule *rule)
{
	char *text = NULL;
	struct rule_iter it;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	rule_iter_init(&it, rule);
	while (rule_iter_next(&it)) {
		text_print_iptables_rule(out, "X", &it.flat, IPV4);
		fputc('\n', out);
	}
	fclose(out);
	return text;
}

START_TEST(lists_unroll_prefixes_first_interfaces_last)
{
	struct match matches[] = {
		{ .kind = MATCH_IIF, .n = 2, .ifaces = ifaces },
		{ .kind = MATCH_DST, .n = 2, .prefixes = cidrs },
	};
	struct rule rule = { .families = FAMILY_BIT(IPV4), .n_matches = 2, .matches = matches };
	char *text;

	parse_cidrs();
	text = rule_lines(&rule);
	ck_assert_str_eq(text, "-A X -i eth0 -d 10.0.0.0/8 -j RETURN\n"
			       "-A X -i eth1 -d 10.0.0.0/8 -j RETURN\n"
			       "-A X -i eth0 -j RETURN\n"
			       "-A X -i eth1 -j RETURN\n");
	free(text);
}
END_TEST

START_TEST(inverted_lists_stay_whole)
{
	struct match matches[] = {
		{ .kind = MATCH_PROTO, .n = 1, .proto = IPPROTO_TCP },
		{ .kind = MATCH_DPORT, .invert = true, .n = 2, .ranges = ports },
		{ .kind = MATCH_GID, .invert = true, .n = 2, .ranges = ports },
	};
	struct rule rule = { .families = FAMILY_BOTH, .n_matches = 3, .matches = matches };
	char *text = rule_lines(&rule);

	ck_assert_str_eq(text, "-A X -p tcp -m multiport ! --dports 80,90:95 -m owner ! --gid-owner 80 "
			       "-m owner ! --gid-owner 90-95 -j RETURN\n");
	free(text);
}
END_TEST

START_TEST(matches_are_sorted)
{
	struct ruleset *rs = ruleset_new(LAYOUT_IPTABLES, FAMILY_BOTH);
	struct match matches[] = {
		{ .kind = MATCH_MARK, .n = 1, .mark = { 1, 255 } },
		{ .kind = MATCH_PROTO, .n = 1, .proto = IPPROTO_UDP },
		{ .kind = MATCH_OIF, .n = 1, .ifaces = ifaces },
	};
	struct rule rule = { .families = FAMILY_BOTH, .n_matches = 3, .matches = matches };
	const struct rule *kept = ruleset_append(rs, TABLE_NAT, "X", &rule);
	char *text = rule_lines(kept);

	ck_assert_str_eq(text, "-A X -o eth0 -p udp -m mark --mark 0x1/0xff -j RETURN\n");
	free(text);
	ruleset_free(rs);
}
END_TEST

static bool is_live(const struct ruleset *live, const struct ruleset *want, enum table_id table)
{
	return plan_table_is(IPTABLES_LEGACY, live, want, table, IPV4, 0);
}

/* One list, the same as a rule an item, and what differs from it. */
START_TEST(lists_are_looked_through)
{
	struct match list = { .kind = MATCH_DST, .n = 3, .prefixes = cidrs }, item = list;
	struct rule rule = { .families = FAMILY_BIT(IPV4), .n_matches = 1, .matches = &list };
	struct ruleset *want = ruleset_new(LAYOUT_IPTABLES, FAMILY_BOTH);
	struct ruleset *live = ruleset_new(LAYOUT_IPTABLES, FAMILY_BOTH);

	parse_cidrs();
	live->tables[TABLE_NAT].present = FAMILY_BOTH;
	ruleset_append(want, TABLE_NAT, "ISTIO_OUTPUT", &rule);
	ck_assert(!is_live(live, want, TABLE_NAT));
	item.n = 1;
	for (unsigned i = 0; i < 3; i++) {
		/* A live rule has no test for any address. */
		rule.n_matches = cidrs[i].len ? 1 : 0;
		item.prefixes = &cidrs[i];
		rule.matches = &item;
		ruleset_append(live, TABLE_NAT, "ISTIO_OUTPUT", &rule);
		ck_assert_int_eq(is_live(live, want, TABLE_NAT), i == 2);
	}
	ruleset_append(want, TABLE_RAW, "ISTIO_OUTPUT", &rule);
	ck_assert(!is_live(live, want, TABLE_RAW) && is_live(live, want, TABLE_NAT));
	ruleset_chain(live, TABLE_NAT, "ISTIO_ELSE")->families = FAMILY_BIT(IPV4);
	ck_assert(!is_live(live, want, TABLE_NAT));
	ruleset_free(want);
	ruleset_free(live);
}
END_TEST

START_TEST(unified_diff)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	text_print_unified(out, "a", "b", "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n10\n", false);
	fclose(out);
	ck_assert_str_eq(text, "--- a\n+++ b\n@@ -2,8 +2,9 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n 9\n+10\n");
	free(text);
}
END_TEST

Suite *suite_ruleset(void)
{
	Suite *suite = suite_create("ruleset");
	TCase *tc = tcase_create("ruleset");

	tcase_add_test(tc, lists_unroll_prefixes_first_interfaces_last);
	tcase_add_test(tc, inverted_lists_stay_whole);
	tcase_add_test(tc, matches_are_sorted);
	tcase_add_test(tc, lists_are_looked_through);
	tcase_add_test(tc, unified_diff);
	suite_add_tcase(suite, tc);
	return suite;
}
