/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "merge.h"
#include "util.h"

Suite *suite_merge(void);

/* Space-separated words parsed into @items; returns their number. */
static uint32_t parse_prefixes(const char *words, struct prefix *items)
{
	char copy[256], *rest = NULL;
	uint32_t n = 0;

	snprintf(copy, sizeof(copy), "%s", words);
	for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		ck_assert_ptr_null(prefix_parse(word, &items[n++], NULL));
	return n;
}

/* The list as prefixes, and as the stretches that nft prints. */
static void check_prefixes(const char *from, const char *to, const char *spans)
{
	struct match m = { .kind = MATCH_DST };
	char got[512] = "", text[PREFIX_TEXT_MAX];
	struct prefix items[32];
	struct span span;
	uint32_t at = 0;

	match_merge(&m, items, parse_prefixes(from, items));
	for (uint32_t i = 0; i < m.n; i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s", i ? " " : "",
			 prefix_text(&m.prefixes[i], text));
	ck_assert_str_eq(got, to);
	if (!spans)
		return;
	*got = '\0';
	while (prefixes_next_span(m.prefixes, m.n, &at, &span)) {
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s-", *got ? " " : "",
			 addr_text(m.prefixes->family, span.first, text));
		strcat(got, addr_text(m.prefixes->family, span.last, text));
	}
	ck_assert_str_eq(got, spans);
}

START_TEST(prefixes_are_sorted_and_joined)
{
	check_prefixes("10.0.0.0/8 10.1.0.0/16 9.0.0.0/8 10.0.0.0/8", "9.0.0.0/8 10.0.0.0/8", "9.0.0.0-10.255.255.255");
	check_prefixes("10.0.1.0/24 10.0.0.0/24 10.0.2.0/24", "10.0.0.0/23 10.0.2.0/24", "10.0.0.0-10.0.2.255");
	check_prefixes("128.0.0.0/1 0.0.0.0/2 64.0.0.0/2", "0.0.0.0/0", "0.0.0.0-255.255.255.255");
	check_prefixes("0.0.0.0/8 255.255.255.255 172.16.0.0/12", "0.0.0.0/8 172.16.0.0/12 255.255.255.255/32",
		       "0.0.0.0-0.255.255.255 172.16.0.0-172.31.255.255 255.255.255.255-255.255.255.255");
	check_prefixes("ff00::/8 ::/96 fd00::/9 fd80::/9 ::1:0:0/96", "::/95 fd00::/8 ff00::/8",
		       "::-::1:ffff:ffff fd00::-fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		       "ff00::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}
END_TEST

START_TEST(single_addresses_stay_single)
{
	check_prefixes("10.0.0.2 10.0.0.3 10.0.0.1 10.0.0.2", "10.0.0.1/32 10.0.0.2/32 10.0.0.3/32", NULL);
	check_prefixes("10.0.0.2 10.0.0.3 10.0.0.4/30", "10.0.0.2/31 10.0.0.4/30", "10.0.0.2-10.0.0.7");
}
END_TEST

START_TEST(spans_split_into_what_they_were_joined_from)
{
	static const char *const lists[] = {
		"10.0.0.0/23 10.0.2.0/24",
		"0.0.0.0/0",
		"1.2.3.5/32 1.2.3.6/31 1.2.3.8/29",
		"255.255.255.254/31",
		"::1/128 ::2/127 ::4/126",
		"fd00::/8 fe00::/7",
		"8000::/1",
	};

	for (unsigned l = 0; l < ARRAY_SIZE(lists); l++) {
		char got[512] = "", text[PREFIX_TEXT_MAX];
		struct prefix items[32], prefix;
		uint32_t n = parse_prefixes(lists[l], items), at = 0;
		struct span span;
		bool more = true;

		ck_assert(prefixes_next_span(items, n, &at, &span));
		ck_assert_uint_eq(at, n);
		ck_assert_int_eq(span_prefix(&span, items->family, &prefix), n == 1);
		while (more) {
			more = span_split(&span, items->family, &prefix);
			snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s", *got ? " " : "",
				 prefix_text(&prefix, text));
		}
		ck_assert_str_eq(got, lists[l]);
	}
}
END_TEST

/* Pairs of numbers. */
static void check_ranges(const struct range *from, uint32_t n, const char *to)
{
	struct match m = { .kind = MATCH_DPORT };
	struct range items[8];
	char got[256] = "";

	memcpy(items, from, n * sizeof(*from));
	match_merge(&m, items, n);
	for (uint32_t i = 0; i < m.n; i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%u-%u", i ? " " : "", m.ranges[i].lo,
			 m.ranges[i].hi);
	ck_assert_str_eq(got, to);
}

START_TEST(ranges_are_sorted_and_joined)
{
	static const struct range mixed[] = { { 90, 95 }, { 80, 80 }, { 96, 100 }, { 93, 94 }, { 65535, 65535 } };
	static const struct range singles[] = { { 15090, 15090 }, { 15021, 15021 }, { 15020, 15020 }, { 15021, 15021 } };
	static const struct range top[] = { { 5, UINT32_MAX }, { UINT32_MAX, UINT32_MAX }, { 1, 2 } };

	check_ranges(mixed, ARRAY_SIZE(mixed), "80-80 90-100 65535-65535");
	check_ranges(singles, ARRAY_SIZE(singles), "15020-15020 15021-15021 15090-15090");
	check_ranges(top, ARRAY_SIZE(top), "1-2 5-4294967295");
}
END_TEST

static void check_ifaces(const char *from, const char *to)
{
	struct match m = { .kind = MATCH_IIF };
	struct iface items[16] = {};
	char copy[256], got[256] = "", *rest = NULL;
	uint32_t n = 0;

	snprintf(copy, sizeof(copy), "%s", from);
	for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		strcpy(items[n++].name, word);
	match_merge(&m, items, n);
	for (uint32_t i = 0; i < m.n; i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s", i ? " " : "", m.ifaces[i].name);
	ck_assert_str_eq(got, to);
}

START_TEST(names_are_sorted_as_nft_sorts_them)
{
	check_ifaces("eth1 vm0 eth0 b lo", "b lo vm0 eth0 eth1");
	check_ifaces("lo eth+ eth0 a tun0 eth eth1+ tun0", "a eth+ lo tun0");
	check_ifaces("eth0 + lo", "+");
}
END_TEST

START_TEST(normal_form_has_no_test_that_lets_all_pass)
{
	struct ruleset *rs = ruleset_new(LAYOUT_NATIVE, FAMILY_BOTH);
	struct prefix halves[2], *all = &halves[0];
	struct iface any = { "+" };
	struct match matches[] = {
		{ .kind = MATCH_DST, .n = 2, .prefixes = halves },
		{ .kind = MATCH_IIF, .n = 1, .ifaces = &any },
		{ .kind = MATCH_SRC, .n = 2, .prefixes = halves, .invert = true },
	};
	struct rule rule = { .families = FAMILY_BIT(IPV4), .n_matches = 3, .matches = matches };

	parse_prefixes("0.0.0.0/1 128.0.0.0/1", halves);
	ruleset_append(rs, TABLE_NAT, "own", &rule);
	ruleset_append(rs, TABLE_NAT, "OUTPUT", &rule);
	ruleset_append(rs, TABLE_NAT, "PREROUTING", &rule);
	ruleset_normalize(rs);
	/* Base chains first, in the order of their hooks. */
	ck_assert_str_eq(rs->tables[TABLE_NAT].chains[0].name, "PREROUTING");
	ck_assert_str_eq(rs->tables[TABLE_NAT].chains[1].name, "OUTPUT");
	ck_assert_str_eq(rs->tables[TABLE_NAT].chains[2].name, "own");
	/* What lets nothing pass stays. */
	ck_assert_uint_eq(rs->tables[TABLE_NAT].chains[2].rules->n_matches, 1);
	ck_assert_uint_eq(rs->tables[TABLE_NAT].chains[2].rules->matches->kind, MATCH_SRC);
	ck_assert_uint_eq(rs->tables[TABLE_NAT].chains[2].rules->families, FAMILY_BIT(IPV4));
	/* The lists of the caller are as they were. */
	ck_assert_uint_eq(all->len, 1);
	ruleset_free(rs);
}
END_TEST

Suite *suite_merge(void)
{
	Suite *suite = suite_create("merge");
	TCase *tc = tcase_create("merge");

	tcase_add_test(tc, prefixes_are_sorted_and_joined);
	tcase_add_test(tc, single_addresses_stay_single);
	tcase_add_test(tc, spans_split_into_what_they_were_joined_from);
	tcase_add_test(tc, ranges_are_sorted_and_joined);
	tcase_add_test(tc, names_are_sorted_as_nft_sorts_them);
	tcase_add_test(tc, normal_form_has_no_test_that_lets_all_pass);
	suite_add_tcase(suite, tc);
	return suite;
}
