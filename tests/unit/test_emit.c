/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "emit.h"

Suite *suite_emit(void);

static char *text;
static size_t len;
static struct emit emit;

static void begin(void)
{
	emit_begin(&emit, open_memstream(&text, &len));
}

static void ends_as(const char *expected)
{
	emit_finish(&emit);
	fclose(emit.out);
	ck_assert_str_eq(text, expected);
	free(text);
}

START_TEST(nothing_is_a_document)
{
	begin();
	ends_as("{\n  \"version\": 1\n}\n");
}
END_TEST

START_TEST(levels_are_indented_and_rows_are_lines)
{
	begin();
	emit_array(&emit, "rules");
	for (unsigned i = 0; i < 2; i++) {
		emit_row(&emit, NULL);
		emit_number(&emit, "n", UINT64_MAX - i);
		emit_object(&emit, "in");
		emit_bool(&emit, "yes", true);
		emit_end(&emit);
		emit_list(&emit, "list");
		emit_string(&emit, NULL, "a");
		emit_null(&emit, NULL);
		emit_end(&emit);
		emit_end(&emit);
	}
	emit_end(&emit);
	emit_object(&emit, "empty");
	emit_end(&emit);
	emit_array(&emit, "none");
	emit_end(&emit);
	ends_as("{\n  \"version\": 1,\n  \"rules\": [\n"
		"    {\"n\": 18446744073709551615, \"in\": {\"yes\": true}, \"list\": [\"a\", null]},\n"
		"    {\"n\": 18446744073709551614, \"in\": {\"yes\": true}, \"list\": [\"a\", null]}\n"
		"  ],\n  \"empty\": {},\n  \"none\": []\n}\n");
}
END_TEST

START_TEST(strings_are_escaped_or_absent)
{
	begin();
	emit_string(&emit, "k\"", "a\"b\\c\n\x01\x7f\xff\u00e9\u202e");
	emit_string(&emit, "absent", NULL);
	ends_as("{\n  \"version\": 1,\n  \"k\\\"\": \"a\\\"b\\\\c\\n\\u0001\\u007f\\u00ff\u00e9\\u202e\"\n}\n");
}
END_TEST

/* The second is shorter than the first. */
START_TEST(what_is_printed_is_a_string)
{
	begin();
	fprintf(emit_print(&emit), "%s", "a long text");
	emit_printed(&emit, "one");
	fprintf(emit_print(&emit), "%u", 7);
	emit_printed(&emit, "two");
	ends_as("{\n  \"version\": 1,\n  \"one\": \"a long text\",\n  \"two\": \"7\"\n}\n");
}
END_TEST

Suite *suite_emit(void)
{
	Suite *suite = suite_create("emit");
	TCase *tc = tcase_create("emit");

	tcase_add_test(tc, nothing_is_a_document);
	tcase_add_test(tc, levels_are_indented_and_rows_are_lines);
	tcase_add_test(tc, strings_are_escaped_or_absent);
	tcase_add_test(tc, what_is_printed_is_a_string);
	suite_add_tcase(suite, tc);
	return suite;
}
