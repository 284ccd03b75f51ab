/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON: what is read, refused, written, spliced, found. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "json_write.h"

Suite *suite_json(void);

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

/* Values that come out as they went in: spelling, order, all of it. */
static const char *const same[] = {
	"0",
	"-1",
	"123456789012345678",
	"1e3",
	"0.10",
	"1.0",
	"1E+2",
	"123456789012345678901234567890",
	"9223372036854775807",
	"-9223372036854775808",
	"true",
	"false",
	"null",
	"\"\"",
	"\"a\"",
	"[]",
	"{}",
	"[1,[2,{\"b\":0.50,\"a\":null}]]",
	"{\"b\":1,\"a\":2,\"\":3}",
	"\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"",
	"\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\"",
};

START_TEST(read_and_written)
{
	struct document doc;
	struct err err;
	struct buffer out = { 0 };

	ck_assert_msg(!json_read(&doc, arena, same[_i], strlen(same[_i]), &err), "%s: %s", same[_i], err.what);
	json_write(&out, doc.root);
	ck_assert_str_eq(out.data, same[_i]);
	buffer_free(&out);
}
END_TEST

static const struct {
	const char *text, *what;
} bad[] = {
	{ "", "1:1: expected a value, not the end of the text" },
	{ " \n ", "2:2: expected a value, not the end of the text" },
	{ "{\"a\":1,\"b\":2,\"a\":3}", "1:14: the key \"a\" is there twice" },
	{ "{\"a\":{\"x\":1},\n\"\\u0061\":3}", "2:1: the key \"a\" is there twice" },
	{ "{\"\xc3\xa4\": x}", "1:7: expected a value, not 'x'" },
	{ "[1,]", "1:4: expected a value, not ']'" },
	{ "[1 2]", "1:4: expected ',' or ']', not '2'" },
	{ "{\"a\" 1}", "1:6: expected ':', not '1'" },
	{ "{a:1}", "1:2: expected a key in quotes, not 'a'" },
	{ "{\"a\":1,}", "1:8: expected a key in quotes, not '}'" },
	{ "{\"a\":1", "1:7: expected ',' or '}', not the end of the text" },
	{ "1 2", "1:3: expected the end of the text, not '2'" },
	{ "01", "1:2: expected no digit behind a leading 0, not '1'" },
	{ "-", "1:2: expected a digit, not the end of the text" },
	{ "1.", "1:3: expected a digit, not the end of the text" },
	{ "1.e1", "1:3: expected a digit, not 'e'" },
	{ "1e", "1:3: expected a digit, not the end of the text" },
	{ "+1", "1:1: expected a value, not '+'" },
	{ "tru", "1:1: expected a value, not 't'" },
	{ "NaN", "1:1: expected a value, not 'N'" },
	{ "\"a", "1:3: the text ends in a string" },
	{ "\"a\nb\"", "1:3: a control character (0x0a) in a string" },
	{ "\"\\x\"", "1:3: expected an escape, one of \"\\/bfnrtu, not 'x'" },
	{ "\"\\u12g4\"", "1:6: expected four hexadecimal digits, not 'g'" },
	{ "\"\\u0000\"", "1:2: a NUL in a string" },
	{ "\"\\ud800\"", "1:2: half of a surrogate pair in a string" },
	{ "\"\\udc00x\"", "1:2: half of a surrogate pair in a string" },
	{ "\"\\ud800\\u0041\"", "1:2: half of a surrogate pair in a string" },
	{ "\"\xc0\x80\"", "1:2: bytes that are no UTF-8" },
	{ "\"\xed\xa0\x80\"", "1:2: bytes that are no UTF-8" },
	{ "\"\xf4\x90\x80\x80\"", "1:2: bytes that are no UTF-8" },
	{ "\xff", "1:1: expected a value, not byte 0xff" },
};

START_TEST(refused)
{
	struct document doc;
	struct err err = { 0 };

	ck_assert_int_lt(json_read(&doc, arena, bad[_i].text, strlen(bad[_i].text), &err), 0);
	ck_assert_str_eq(err.what, bad[_i].what);
	ck_assert_int_eq(err.status, STATUS_DATA);
	ck_assert_ptr_null(doc.root);
}
END_TEST

START_TEST(escapes)
{
	static const char text[] = "\"\\u00e4\\u20ac\\ud83d\\ude00\\/\\u0041\"";
	struct document doc;
	struct err err;

	ck_assert(!json_read(&doc, arena, text, strlen(text), &err));
	ck_assert_str_eq(json_string_value(doc.root), "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80/A");
}
END_TEST

START_TEST(depth)
{
	char text[2 * 101 + 1];
	struct document doc;
	struct err err;

	for (unsigned n = 100; n <= 101; n++) {
		memset(text, '[', n);
		memset(text + n, ']', n);
		text[2 * n] = '\0';
		ck_assert_int_eq(json_read(&doc, arena, text, 2 * n, &err) == 0, n == 100);
	}
	ck_assert_str_eq(err.what, "1:101: more than 100 levels of values in values");
}
END_TEST

/* The root is one node, so that a million items are one too many. */
START_TEST(many_nodes)
{
	for (unsigned n = JSON_NODES_MAX - 1; n <= JSON_NODES_MAX; n++) {
		char *text = xcalloc(2 * (size_t)n + 2, 1);
		struct document doc;
		struct err err;

		for (unsigned i = 0; i < n; i++)
			memcpy(text + 2 * i, i ? ",1" : "[1", 2);
		text[2 * n] = ']';
		ck_assert_int_eq(json_read(&doc, arena, text, 2 * (size_t)n + 1, &err) == 0, n < JSON_NODES_MAX);
		free(text);
	}
}
END_TEST

START_TEST(several_values)
{
	static const char text[] = " {\"a\":1}\n[2]3 \"x\" ";
	struct json_reader reader = { .text = text, .len = strlen(text), .arena = arena };
	struct document doc;
	struct err err;
	const char *const values[] = { "{\"a\":1}", "[2]", "3", "\"x\"" };

	for (unsigned i = 0; i < ARRAY_SIZE(values); i++) {
		ck_assert_int_eq(json_read_next(&reader, &doc, &err), 1);
		ck_assert_str_eq(json_text(doc.root), values[i]);
		ck_assert_mem_eq(text + doc.node.start, values[i], doc.node.end - doc.node.start);
	}
	ck_assert_int_eq(json_read_next(&reader, &doc, &err), 0);
}
END_TEST

START_TEST(pointers)
{
	static const char text[] = "{\"a/b\": {\"~x\": [10,\n  20]},\n\"\": 0}";
	struct document doc;
	struct err err;
	struct json_place place;

	ck_assert(!json_read(&doc, arena, text, strlen(text), &err));
	ck_assert_int_eq(json_integer_value(json_at(doc.root, "/a~1b/~0x/1")), 20);
	ck_assert_ptr_nonnull(json_at(doc.root, "/"));
	ck_assert_ptr_eq(json_at(doc.root, ""), doc.root);
	ck_assert_ptr_null(json_at(doc.root, "/a~1b/none/1"));
	place = document_place(&doc, "/a~1b/~0x/1");
	ck_assert_uint_eq(place.line, 2);
	ck_assert_uint_eq(place.column, 3);
	place = document_place(&doc, "/a~1b/~0x/none");
	ck_assert_uint_eq(place.line, 1);
	ck_assert_uint_eq(place.column, 10);
	ck_assert_uint_eq(document_place(&doc, "/").line, 3);
}
END_TEST

/* @to is what @from's value becomes; the text keeps all that it can. */
static const struct {
	const char *from, *to, *text;
} splices[] = {
	{ "{\"a\": 1e3, \"b\":0.10}", "{\"a\":1e3,\"b\":0.10}", "{\"a\": 1e3, \"b\":0.10}" },
	{ "{\"a\":\"\\u0041\\/\",\"b\":1}", "{\"a\":\"A/\",\"b\":2}", "{\"a\":\"\\u0041\\/\",\"b\":2}" },
	{ "{ \"a\" : 1 , \"b\" : 2 }", "{\"a\":3,\"b\":2,\"c\":4}", "{ \"a\" : 3 , \"b\" : 2, \"c\": 4 }" },
	{ "{\"a\":1,\"b\":2}", "{\"b\":2}", "{\"b\":2}" },
	{ "{\"a\":1,\"b\":2}", "{\"a\":1}", "{\"a\":1}" },
	{ "{\"a\":1}", "{\"b\":[1,{\"c\":2}]}", "{\"b\":[1,{\"c\":2}]}" },
	{ "{}", "{\"a\":1}", "{\"a\":1}" },
	{ "{\n  \"a\": {\n    \"b\": 1\n  }\n}", "{\"a\":{\"b\":1,\"c\":{\"d\":[1,{}]}}}",
	  "{\n  \"a\": {\n    \"b\": 1,\n    \"c\": {\n      \"d\": [\n        1,\n        {}\n      ]\n    }\n  }\n}" },
	{ "{\n\t\"a\": []\n}", "{\"a\":[{\"x\":1}]}", "{\n\t\"a\": [\n\t\t{\n\t\t\t\"x\": 1\n\t\t}\n\t]\n}" },
	{ "{\"containers\":[{\"name\":\"a\", \"x\":0.10}, {\"name\":\"b\"}]}",
	  "{\"containers\":[{\"name\":\"c\"},{\"name\":\"b\",\"y\":1},{\"name\":\"a\",\"x\":0.10}]}",
	  "{\"containers\":[{\"name\":\"c\"}, {\"name\":\"b\",\"y\":1},{\"name\":\"a\", \"x\":0.10}]}" },
	{ "{\r\n  \"a\": 1\r\n}\r\n", "{\"a\":1,\"b\":{\"c\":2}}",
	  "{\r\n  \"a\": 1,\r\n  \"b\": {\r\n    \"c\": 2\r\n  }\r\n}" },
};

START_TEST(spliced)
{
	struct document doc;
	struct buffer out = { 0 };
	struct err err;
	json_t *to;

	ck_assert(!json_read(&doc, arena, splices[_i].from, strlen(splices[_i].from), &err));
	ck_assert(!json_parse(splices[_i].to, strlen(splices[_i].to), &to, &err));
	json_splice(&out, &doc, to);
	ck_assert_str_eq(out.data, splices[_i].text);
	buffer_free(&out);
}
END_TEST

Suite *suite_json(void)
{
	Suite *suite = suite_create("json");
	TCase *tcase = tcase_create("json");

	tcase_add_checked_fixture(tcase, begin, end);
	tcase_add_loop_test(tcase, read_and_written, 0, ARRAY_SIZE(same));
	tcase_add_loop_test(tcase, refused, 0, ARRAY_SIZE(bad));
	tcase_add_test(tcase, escapes);
	tcase_add_test(tcase, depth);
	tcase_add_test(tcase, many_nodes);
	tcase_add_test(tcase, several_values);
	tcase_add_test(tcase, pointers);
	tcase_add_loop_test(tcase, spliced, 0, ARRAY_SIZE(splices));
	suite_add_tcase(suite, tcase);
	return suite;
}
