/* SPDX-License-Identifier: GPL-2.0-or-later */
/* YAML: what scalars mean, what is refused, how values are written. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "json_write.h"

Suite *suite_yaml(void);

static struct arena *arena;

static void begin(void)
{
	arena = arena_new();
	json_use_arena(arena);
}

static void end(void)
{
	arena_free(arena);
}

/* A document and the JSON that kubectl makes of it. */
static const struct {
	const char *yaml, *json;
} meanings[] = {
	{ "yes", "true" },
	{ "Off", "false" },
	{ "n", "false" },
	{ "y", "true" },
	{ "yEs", "\"yEs\"" },
	{ "~", "null" },
	{ "", "null" },
	{ "null", "null" },
	{ "'yes'", "\"yes\"" },
	{ "\"1\"", "\"1\"" },
	{ "truex", "\"truex\"" },
	{ "12", "12" },
	{ "+12", "12" },
	{ "-12", "-12" },
	{ "0644", "420" },
	{ "0o17", "15" },
	{ "0x1F", "31" },
	{ "0b101", "5" },
	{ "-0x10", "-16" },
	{ "1_000", "1000" },
	{ "0899", "899" },
	{ "-0", "0" },
	{ "00", "0" },
	{ "0x", "\"0x\"" },
	{ "0xg", "\"0xg\"" },
	{ "0x0x1", "\"0x0x1\"" },
	{ "1__2", "12" },
	{ "9223372036854775807", "9223372036854775807" },
	{ "9223372036854775808", "9223372036854775808" },
	{ "18446744073709551615", "18446744073709551615" },
	{ "0xffffffffffffffff", "18446744073709551615" },
	{ "-9223372036854775808", "-9223372036854775808" },
	{ "123456789012345678901234567890", "123456789012345678901234567890" },
	{ "1e3", "1e3" },
	{ "0.10", "0.10" },
	{ ".5", "0.5" },
	{ "1.", "1" },
	{ "-.5e+3", "-0.5e+3" },
	{ "+1.5", "1.5" },
	{ "1.e3", "1e3" },
	{ "00.5", "0.5" },
	{ "1_0.5", "10.5" },
	{ ".03_7", "0.037" },
	{ "._5", "\"._5\"" },
	{ "1e999", "\"1e999\"" },
	{ "e3", "\"e3\"" },
	{ "12:30", "\"12:30\"" },
	{ "12:30:45", "\"12:30:45\"" },
	{ "2001-12-14", "\"2001-12-14\"" },
	{ "2001-12-14t21:59:43.10-05:00", "\"2001-12-14t21:59:43.10-05:00\"" },
	{ "1.2.3", "\"1.2.3\"" },
	{ "10.0.0.0/8", "\"10.0.0.0/8\"" },
	{ "-", "[null]" },
	{ "--x", "\"--x\"" },
	{ "<<", "\"<<\"" },
	{ "!!str 12", "\"12\"" },
	{ "!!int \"12\"", "12" },
	{ "!!float 1", "1" },
	{ "!!bool yes", "true" },
	{ "!!null ''", "null" },
	{ "!!map {a: 1}", "{\"a\":1}" },
	{ "!!seq [1]", "[1]" },
	{ "{1: a, yes: b, 1.5: c, ~x: d}", "{\"1\":\"a\",\"true\":\"b\",\"1.5\":\"c\",\"~x\":\"d\"}" },
	{ "a: &x {b: 1}\nc: *x\n", "{\"a\":{\"b\":1},\"c\":{\"b\":1}}" },
	{ "a: &x 1\nb: &x 2\nc: *x\n", "{\"a\":1,\"b\":2,\"c\":2}" },
	{ "a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  b: 3\n", "{\"a\":{\"b\":1,\"c\":2},\"d\":{\"b\":3,\"c\":2}}" },
	{ "<<: [{a: 1}, {a: 2, b: 3}]\n", "{\"a\":1,\"b\":3}" },
	{ "\"<<\": 1\n", "{\"<<\":1}" },
	{ "a: |\n  x\n   y\nb: >\n  x\n  y\n", "{\"a\":\"x\\n y\\n\",\"b\":\"x y\\n\"}" },
	{ "a: \"\\u00e4\\x41\\/\"", "{\"a\":\"\xc3\xa4"
				    "A/\"}" },
	{ "--- # x\na: 1\n...\n", "{\"a\":1}" },
	{ "a: 1\r\nb: 2\r\n", "{\"a\":1,\"b\":2}" },
};

START_TEST(meant)
{
	struct document doc;
	struct err err;

	ck_assert_msg(!yaml_read(&doc, arena, meanings[_i].yaml, strlen(meanings[_i].yaml), 1, &err), "%s: %s",
		      meanings[_i].yaml, err.what);
	ck_assert_str_eq(json_text(doc.root ? doc.root : json_null()), meanings[_i].json);
}
END_TEST

static const struct {
	const char *text, *what;
} bad[] = {
	{ "a: 1\nb: 2\na: 3\n", "3:1: the key \"a\" is there twice" },
	{ "{1: a, \"1\": b}", "1:8: the key \"1\" is there twice" },
	{ "a: *x\n", "1:4: the alias *x has no anchor" },
	{ "a: &x [*x]\n", "1:8: the alias *x is within what it stands for" },
	{ "a: !thing 1\n", "1:4: the tag !thing is none of the core ones" },
	{ "a: !!binary aGk=\n", "1:4: the tag tag:yaml.org,2002:binary is none of the core ones" },
	{ "a: !!int x\n", "1:4: \"x\" is not what its tag !!int says" },
	{ "a: !!map [1]\n", "1:4: the tag tag:yaml.org,2002:map does not go with a list" },
	{ "a: .inf\n", "1:4: .inf is no number that JSON has" },
	{ "{[a]: 1}", "1:2: expected a key that is a text" },
	{ "~: 1\n", "1:1: expected a key that is a text" },
	{ "<<: 1\n", "1:5: expected a mapping, or a list of them, for <<" },
	{ "a: \"x\\0\"\n", "1:4: a NUL in a string" },
	{ "a: 1\n b: 2\n", "2:3: mapping values are not allowed in this context" },
	{ "a:\n\t- b\n", "2:1: while scanning for the next token: found character that cannot start any token" },
	{ "a: 1\n--- \nb: 2\n", "2:1: expected the end of the text" },
	{ "a: x\n\xc3\xa4: \xff\n", "2:4: invalid leading UTF-8 octet" },
	{ "a: \x01\n", "1:4: control characters are not allowed" },
};

START_TEST(refused)
{
	struct document doc;
	struct err err = { 0 };

	ck_assert_int_lt(yaml_read(&doc, arena, bad[_i].text, strlen(bad[_i].text), 1, &err), 0);
	ck_assert_str_eq(err.what, bad[_i].what);
	ck_assert_int_eq(err.status, STATUS_DATA);
	ck_assert_ptr_null(doc.root);
}
END_TEST

/* Ten levels of ten aliases each are 10^10 values. */
START_TEST(laughs)
{
	struct buffer text = { 0 };
	struct document doc;
	struct err err = { 0 };

	buffer_puts(&text, "a0: &a0 [x]\n");
	for (int i = 1; i < 10; i++) {
		buffer_printf(&text, "a%d: &a%d [", i, i);
		for (int j = 0; j < 10; j++)
			buffer_printf(&text, "*a%d,", i - 1);
		buffer_puts(&text, "]\n");
	}
	ck_assert_int_lt(yaml_read(&doc, arena, text.data, text.len, 1, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.what, "more than 1000000 values, aliases expanded"));
	buffer_free(&text);
}
END_TEST

START_TEST(depth)
{
	struct document doc;
	struct err err;

	for (unsigned n = 100; n <= 101; n++) {
		char text[2 * 101 + 1];

		memset(text, '[', n);
		memset(text + n, ']', n);
		ck_assert_int_eq(yaml_read(&doc, arena, text, 2 * (size_t)n, 1, &err) == 0, n == 100);
	}
	/* 60 levels in 60 levels, by an alias */
	{
		struct buffer text = { 0 };

		buffer_puts(&text, "a: &a ");
		for (int i = 0; i < 60; i++)
			buffer_putc(&text, '[');
		for (int i = 0; i < 60; i++)
			buffer_putc(&text, ']');
		buffer_puts(&text, "\nb: ");
		for (int i = 0; i < 60; i++)
			buffer_putc(&text, '[');
		buffer_puts(&text, "*a");
		for (int i = 0; i < 60; i++)
			buffer_putc(&text, ']');
		ck_assert_int_lt(yaml_read(&doc, arena, text.data, text.len, 1, &err), 0);
		ck_assert_str_eq(err.what, "2:64: more than 100 levels of values in values");
		buffer_free(&text);
	}
}
END_TEST

START_TEST(places)
{
	static const char text[] = "# c\na:\n  b: [1,\n    {c: 2}]\n";
	struct document doc;
	struct err err;
	struct json_place place;

	ck_assert(!yaml_read(&doc, arena, text, strlen(text), 10, &err));
	ck_assert(doc.comments);
	place = document_place(&doc, "/a/b/1/c");
	ck_assert_uint_eq(place.line, 13);
	ck_assert_uint_eq(place.column, 6);
	place = document_place(&doc, "/a/b");
	ck_assert_uint_eq(place.line, 12);
	ck_assert_uint_eq(place.column, 3);
}
END_TEST

static const struct {
	const char *text;
	bool comments;
} commented[] = {
	{ "a: 1\n", false },
	{ "a: b#c\n", false },
	{ "a: '# no'\n", false },
	{ "a: |\n  # no\n", false },
	{ "a: 1 # yes\n", true },
	{ "# yes\na: 1\n", true },
	{ "a: 1\n# yes\n", true },
	{ "a:\n# yes\n- b\n", true },
	{ "--- # yes\na: 1\n", true },
	{ "\xc3\xa4: \"\xc3\xa4#\" # yes\n", true },
	{ "\xc3\xa4: \"\xc3\xa4#\"\n", false },
};

START_TEST(comments)
{
	struct document doc;
	struct err err;

	ck_assert(!yaml_read(&doc, arena, commented[_i].text, strlen(commented[_i].text), 1, &err));
	ck_assert_int_eq(doc.comments, commented[_i].comments);
}
END_TEST

/* A value and how it is written when nothing is known of how it was. */
static const struct {
	const char *json, *yaml;
} written[] = {
	{ "{\"a\":{\"b\":[1,{\"c\":2,\"d\":[]},[3,[4]]]},\"e\":{}}",
	  "a:\n  b:\n  - 1\n  - c: 2\n    d: []\n  - - 3\n    - - 4\ne: {}\n" },
	{ "[[],{},null,true,\"x\"]", "- []\n- {}\n- null\n- true\n- x\n" },
	{ "{\"a\":\"x: y\",\"b\":\"x #y\",\"c\":\"x:\",\"d\":\"#\",\"e\":\" x\",\"f\":\"\"}",
	  "a: \"x: y\"\nb: \"x #y\"\nc: \"x:\"\nd: \"#\"\ne: \" x\"\nf: \"\"\n" },
	{ "[\"yes\",\"12\",\"0644\",\"1_0\",\"12:30\",\"2001-12-14\",\"~\",\"null\",\"=\",\"<<\",\"1e3\",\".inf\",\"0x1F\",\"y\",\"15090,15021\"]",
	  "- \"yes\"\n- \"12\"\n- \"0644\"\n- \"1_0\"\n- \"12:30\"\n- \"2001-12-14\"\n- \"~\"\n- \"null\"\n- \"=\"\n- \"<<\"\n- \"1e3\"\n"
	  "- \".inf\"\n- \"0x1F\"\n- \"y\"\n- \"15090,15021\"\n" },
	{ "[\"-x\",\"-\",\"- x\",\"-b\",\"*\",\"&a\",\"10.0.0.0/8\",\"a:b\",\"example.org/x:1.0\",\"500m\",\"1Gi\"]",
	  "- -x\n- \"-\"\n- \"- x\"\n- -b\n- \"*\"\n- \"&a\"\n- 10.0.0.0/8\n- a:b\n- example.org/x:1.0\n- 500m\n- 1Gi\n" },
	{ "[\"a\\nb\",\"a\\nb\\n\",\"a\\n\\n\",\" a\\nb\",\"\\n\",\"a\\tb\",\"a\\n\\u0001\",\"a\\r\\nb\",\"\\ta\\nb\"]",
	  "- |-\n  a\n  b\n- |\n  a\n  b\n- |+\n  a\n\n- \" a\\nb\"\n- \"\\n\"\n- \"a\\tb\"\n- \"a\\n\\x01\"\n- \"a\\r\\nb\"\n- \"\\ta\\nb\"\n" },
	{ "{\"a\":{\"b\":\"x\\ny\\n\"},\"c\":1}", "a:\n  b: |\n    x\n    y\nc: 1\n" },
	{ "[\"\\u0085\\u2028\\ufeff\xc3\xa4\"]", "- \"\\u0085\\u2028\\ufeff\xc3\xa4\"\n" },
	{ "{\"yes\":1,\"12\":2,\"a: b\":3,\"\":4}", "\"yes\": 1\n\"12\": 2\n\"a: b\": 3\n\"\": 4\n" },
	{ "\"x\"", "x\n" },
	{ "{}", "{}\n" },
	{ "1e3", "1e3\n" },
};

START_TEST(emitted)
{
	struct buffer out = { 0 };
	struct document again;
	struct err err;
	json_t *value;

	ck_assert(!json_parse(written[_i].json, strlen(written[_i].json), &value, &err));
	yaml_write(&out, value, NULL, NULL, "\n");
	ck_assert_str_eq(out.data, written[_i].yaml);
	ck_assert(!yaml_read(&again, arena, out.data, out.len, 1, &err));
	ck_assert(json_same(again.root, value));
	buffer_free(&out);
}
END_TEST

/* Spellings of the user's that survive a change elsewhere. */
START_TEST(kept)
{
	static const char from[] = "mode: 0644\nflag: yes\nwhen: 12:30\nnothing:\nquoted: 'x'\nnumber: \"1\"\n"
				   "containers: [{name: a, big: 1_000}, {name: b}]\non: {k: ~}\n";
	static const char to[] = "mode: 0644\nflag: yes\nwhen: 12:30\nnothing:\nquoted: x\nnumber: \"1\"\n"
				 "containers:\n- name: b\n- name: a\n  big: 1_000\n  new: 420\non:\n  k: ~\nlast: 1\n";
	static const char changed[] =
		"{\"mode\":420,\"flag\":true,\"when\":\"12:30\",\"nothing\":null,\"quoted\":\"x\",\"number\":\"1\","
		"\"containers\":[{\"name\":\"b\"},{\"name\":\"a\",\"big\":1000,\"new\":420}],\"true\":{\"k\":null},\"last\":1}";
	struct buffer out = { 0 };
	struct document doc;
	struct err err;
	json_t *value;

	ck_assert(!yaml_read(&doc, arena, from, strlen(from), 1, &err));
	ck_assert(!json_parse(changed, strlen(changed), &value, &err));
	yaml_write(&out, value, doc.root, &doc.node, "\n");
	ck_assert_str_eq(out.data, to);
	buffer_free(&out);
}
END_TEST

/* Plain scalars that flow style or a place within the line allows, but not the beginning of a line. */
static const char *const movable[] = { "[-]", "{a: -}", "- # (\n ...", "{? --- x : 1}", "{a: 1.}" };

START_TEST(moved)
{
	struct buffer out = { 0 };
	struct document doc, again;
	struct err err;

	ck_assert_msg(!yaml_read(&doc, arena, movable[_i], strlen(movable[_i]), 1, &err), "%s: %s", movable[_i], err.what);
	yaml_write(&out, doc.root, doc.root, &doc.node, "\n");
	ck_assert_msg(!yaml_read(&again, arena, out.data, out.len, 1, &err), "%s: %s", movable[_i], err.what);
	ck_assert_msg(json_same(again.root, doc.root), "%s: %s", movable[_i], out.data);
	buffer_free(&out);
}
END_TEST

START_TEST(long_keys)
{
	struct buffer text = { 0 }, out = { 0 };
	struct document again;
	struct err err;
	json_t *value;

	buffer_puts(&text, "{\"");
	for (int i = 0; i < 3000; i++)
		buffer_putc(&text, 'k');
	buffer_puts(&text, "\":{\"a\":[1]}}");
	ck_assert(!json_parse(text.data, text.len, &value, &err));
	yaml_write(&out, value, NULL, NULL, "\n");
	ck_assert_msg(!yaml_read(&again, arena, out.data, out.len, 1, &err), "%s", err.what);
	ck_assert(json_same(again.root, value));
	buffer_free(&text);
	buffer_free(&out);
}
END_TEST

Suite *suite_yaml(void)
{
	Suite *suite = suite_create("yaml");
	TCase *tcase = tcase_create("yaml");

	tcase_add_checked_fixture(tcase, begin, end);
	tcase_add_loop_test(tcase, meant, 0, ARRAY_SIZE(meanings));
	tcase_add_loop_test(tcase, refused, 0, ARRAY_SIZE(bad));
	tcase_add_test(tcase, laughs);
	tcase_add_test(tcase, depth);
	tcase_add_test(tcase, places);
	tcase_add_loop_test(tcase, comments, 0, ARRAY_SIZE(commented));
	tcase_add_loop_test(tcase, emitted, 0, ARRAY_SIZE(written));
	tcase_add_test(tcase, kept);
	tcase_add_loop_test(tcase, moved, 0, ARRAY_SIZE(movable));
	tcase_add_test(tcase, long_keys);
	suite_add_tcase(suite, tcase);
	return suite;
}
