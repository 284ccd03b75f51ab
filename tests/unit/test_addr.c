/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "rounds.h"
#include "util.h"

Suite *suite_addr(void);

static const struct {
	const char *word;
	uint32_t lo, hi; /* 0, 0: refused */
} ports[] = {
	{ "1", 1, 1 },
	{ "80", 80, 80 },
	{ "65535", 65535, 65535 },
	{ "80-90", 80, 90 },
	{ "80:90", 80, 90 },
	{ "80-80", 80, 80 },
	{ "1-65535", 1, 65535 },
	{ "0080", 80, 80 },
	{ "", 0, 0 },
	{ "0", 0, 0 },
	{ "65536", 0, 0 },
	{ "80-", 0, 0 },
	{ "-80", 0, 0 },
	{ "90-80", 0, 0 },
	{ "http", 0, 0 },
	{ "80x", 0, 0 },
	{ "80 ", 0, 0 },
	{ "+80", 0, 0 },
	{ "0-80", 0, 0 },
	{ "1-65536", 0, 0 },
	{ "80-90-100", 0, 0 },
	{ "4294967376", 0, 0 },
	{ "18446744073709551696", 0, 0 },
	{ "0x50", 0, 0 },
};

START_TEST(port_words)
{
	struct range port = { 0, 0 };
	const char *expected = port_parse(ports[_i].word, &port);

	if (!ports[_i].lo) {
		ck_assert_msg(expected != NULL, "%s was taken", ports[_i].word);
		return;
	}
	ck_assert_msg(expected == NULL, "%s: %s", ports[_i].word, expected);
	ck_assert_uint_eq(port.lo, ports[_i].lo);
	ck_assert_uint_eq(port.hi, ports[_i].hi);
}
END_TEST

static const struct {
	const char *word, *text; /* text NULL: refused */
	bool loopback;
} prefixes[] = {
	{ "10.0.0.0/8", "10.0.0.0/8", false },
	{ "10.96.0.2/24", "10.96.0.0/24", false },
	{ "1.2.3.4", "1.2.3.4/32", false },
	{ "255.255.255.255/1", "128.0.0.0/1", false },
	{ "0.0.0.0/0", "0.0.0.0/0", false },
	{ "127.0.0.1/8", "127.0.0.0/8", true },
	{ "126.0.0.0/7", "126.0.0.0/7", false },
	{ "127.255.0.1/0", "0.0.0.0/0", true },
	{ "::1", "::1/128", true },
	{ "::1/64", "::/64", true },
	{ "::/0", "::/0", false },
	{ "2001:DB8::/32", "2001:db8::/32", false },
	{ "fe80::1:2:3:4/127", "fe80::1:2:3:4/127", false },
	{ "2001:db8:ffff::/33", "2001:db8:8000::/33", false },
	{ "", NULL, false },
	{ "10.0.0.0/33", NULL, false },
	{ "10.0.0", NULL, false },
	{ "::/129", NULL, false },
	{ "1.2.3.4/", NULL, false },
	{ "1.2.3.4/-1", NULL, false },
	{ "1.2.3.4/8/8", NULL, false },
	{ "1.2.3.4.5", NULL, false },
	{ "256.1.1.1", NULL, false },
	{ "01.2.3.4x", NULL, false },
	{ "::ffff:1.2.3.4", NULL, false },
	{ "::ffff:1.2.3.4/120", NULL, false },
	{ "fe80::1%eth0", NULL, false },
	{ " 1.2.3.4", NULL, false },
	{ "1.2.3.4\n", NULL, false },
	{ "*", NULL, false },
	{ "1:2:3:4:5:6:7:8:9", NULL, false },
};

START_TEST(prefix_words)
{
	char text[PREFIX_TEXT_MAX];
	struct prefix prefix;
	bool loopback = false;
	const char *expected = prefix_parse(prefixes[_i].word, &prefix, &loopback);

	if (!prefixes[_i].text) {
		ck_assert_msg(expected != NULL, "%s was taken", prefixes[_i].word);
		return;
	}
	ck_assert_msg(expected == NULL, "%s: %s", prefixes[_i].word, expected);
	ck_assert_str_eq(prefix_text(&prefix, text), prefixes[_i].text);
	ck_assert_int_eq(loopback, prefixes[_i].loopback);
}
END_TEST

/* Unit tests are linked with glibc, whose inet_ntop is the judge. */
START_TEST(addresses_as_glibc_writes_them)
{
	static const uint8_t bytes[] = { 0, 0, 0, 0, 0, 0, 1, 0xff, 0x10 };
	char ours[ADDR_TEXT_MAX], theirs[ADDR_TEXT_MAX];
	uint8_t addr[16];

	srand(1);
	for (unsigned round = 0; round < rounds(20000); round++) {
		for (unsigned i = 0; i < sizeof(addr); i++)
			addr[i] = bytes[(unsigned)rand() % ARRAY_SIZE(bytes)];
		if (round % 3 == 0)
			memset(addr, 0, 10);
		if (round % 6 == 0)
			addr[10] = addr[11] = 0xff;
		ck_assert_str_eq(addr_text(IPV6, addr, ours), inet_ntop(AF_INET6, addr, theirs, sizeof(theirs)));
		ck_assert_str_eq(addr_text(IPV4, addr, ours), inet_ntop(AF_INET, addr, theirs, sizeof(theirs)));
	}
}
END_TEST

static const struct {
	const char *word;
	int64_t value; /* -1: refused */
} marks[] = {
	{ "0", 0 },
	{ "1337", 1337 },
	{ "0x539", 1337 },
	{ "0XfF", 255 },
	{ "4294967295", 4294967295 },
	{ "0xffffffff", 4294967295 },
	{ "0x1ffffffff", -1 },
	{ "4294967296", -1 },
	{ "", -1 },
	{ "0x", -1 },
	{ "-1", -1 },
	{ "12ab", -1 },
	{ "0x12/0xff", -1 },
	{ " 1", -1 },
};

START_TEST(mark_words)
{
	uint32_t value = 0;
	const char *expected = mark_parse(marks[_i].word, &value);

	ck_assert_msg(!expected == (marks[_i].value >= 0), "%s", marks[_i].word);
	if (!expected)
		ck_assert_int_eq(value, marks[_i].value);
}
END_TEST

static const struct {
	const char *word;
	bool good;
} ifaces[] = {
	{ "eth0", true },
	{ "lo", true },
	{ "eth+", true },
	{ "+", true },
	{ "a.b-c_d@e", true },
	{ "abcdefghijklmno", true },
	{ "abcdefghijklmnop", false },
	{ "", false },
	{ "eth 0", false },
	{ "eth:0", false },
	{ "eth\"0", false },
	{ "eth\\0", false },
	{ "eth*", false },
	{ "eth/0", false },
	{ "eth\n0", false },
	{ "eth\x7f", false },
	{ ".", false },
	{ "..", false },
};

START_TEST(iface_words)
{
	struct iface iface;
	const char *expected = iface_parse(ifaces[_i].word, &iface);

	ck_assert_msg(!expected == ifaces[_i].good, "%s", ifaces[_i].word);
	if (!expected)
		ck_assert_str_eq(iface.name, ifaces[_i].word);
}
END_TEST

static const struct {
	const char *outer, *inner;
	bool contains;
} nests[] = {
	{ "10.0.0.0/8", "10.1.2.0/24", true },
	{ "10.0.0.0/8", "10.0.0.0/8", true },
	{ "10.0.0.0/9", "10.128.0.0/9", false },
	{ "10.0.0.0/24", "10.0.0.0/8", false },
	{ "0.0.0.0/0", "1.2.3.4", true },
	{ "::/0", "1.2.3.4", false },
	{ "2001:db8::/33", "2001:db8:8000::/34", false },
	{ "2001:db8::/32", "2001:db8:8000::/33", true },
};

START_TEST(prefix_nesting)
{
	struct prefix outer, inner;

	ck_assert(!prefix_parse(nests[_i].outer, &outer, NULL) && !prefix_parse(nests[_i].inner, &inner, NULL));
	ck_assert_int_eq(prefix_contains(&outer, &inner), nests[_i].contains);
}
END_TEST

Suite *suite_addr(void)
{
	Suite *suite = suite_create("addr");
	TCase *tc = tcase_create("words");

	tcase_add_loop_test(tc, port_words, 0, ARRAY_SIZE(ports));
	tcase_add_loop_test(tc, prefix_words, 0, ARRAY_SIZE(prefixes));
	tcase_add_loop_test(tc, mark_words, 0, ARRAY_SIZE(marks));
	tcase_add_loop_test(tc, iface_words, 0, ARRAY_SIZE(ifaces));
	tcase_add_loop_test(tc, prefix_nesting, 0, ARRAY_SIZE(nests));
	tcase_add_test(tc, addresses_as_glibc_writes_them);
	suite_add_tcase(suite, tc);
	return suite;
}
