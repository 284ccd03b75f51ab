/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The CNI plugin's pure parts: an entry in a list's text, the pod's options. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "../../src/cni/conflist.h"
#include "../../src/pod/options.h"

Suite *suite_cni(void);

#define OURS "{\"type\":\"istio-init-cni\"}"
#define OTHER "{\"type\":\"istio-init-cni\",\"a\":1}"

static const struct list_case {
	const char *text, *with, *without; /* NULL: refused */
} lists[] = {
	{ "{\"plugins\":[{\"type\":\"a\"}]}", "{\"plugins\":[{\"type\":\"a\"}," OURS "]}",
	  "{\"plugins\":[{\"type\":\"a\"}]}" },
	{ " {\"plugins\":[{\"type\":\"a\", \"x\":1.0}],\"z\":1e3}\n",
	  " {\"plugins\":[{\"type\":\"a\", \"x\":1.0}," OURS "],\"z\":1e3}\n",
	  " {\"plugins\":[{\"type\":\"a\", \"x\":1.0}],\"z\":1e3}\n" },
	{ "{\"plugins\":[" OTHER ",{\"type\":\"a\"}]}", "{\"plugins\":[" OURS ",{\"type\":\"a\"}]}",
	  "{\"plugins\":[{\"type\":\"a\"}]}" },
	{ "{\"plugins\":[{\"type\":\"a\"}," OURS "," OTHER "]}", "{\"plugins\":[{\"type\":\"a\"}," OURS "]}",
	  "{\"plugins\":[{\"type\":\"a\"}]}" },
	{ "{\"plugins\":[]}", NULL, NULL },
	{ "{\"plugins\":[{}]}", NULL, NULL },
	{ "{\"plugins\":{\"type\":\"a\"}}", NULL, NULL },
	{ "[]", NULL, NULL },
	{ "{\"plugins\":[{\"type\":\"a\"}]", NULL, NULL },
	{ "", NULL, NULL },
};

static void check_text(int rc, const struct buffer *out, const struct err *err, const char *wanted)
{
	if (wanted)
		ck_assert_str_eq(out->data, wanted);
	else
		ck_assert_msg(rc == -EINVAL && err->what[0], "not refused: %d", rc);
}

START_TEST(list)
{
	const struct list_case *of = &lists[_i];
	struct arena *arena = arena_new();
	struct buffer with = { 0 }, without = { 0 };
	struct err err = { 0 };
	json_t *entry;
	int rc;

	json_use_arena(arena);
	ck_assert_int_eq(json_parse(OURS, strlen(OURS), &entry, &err), 0);
	rc = conflist_add(&with, arena, of->text, strlen(of->text), entry, &err);
	check_text(rc, &with, &err, of->with);
	rc = conflist_remove(&without, arena, of->text, strlen(of->text), &err);
	check_text(rc, &without, &err, of->without);
	buffer_free(&with);
	buffer_free(&without);
	arena_free(arena);
}
END_TEST

START_TEST(joined)
{
	static const struct {
		const char *list, *wanted;
	} cases[] = {
		{ "", "7,8" }, { "7", "7,8" }, { " 9,, 8 ,", "9,8,7" }, { "8,7", "8,7" }, { "77", "77,7,8" },
	};
	static const char *const more[] = { "7", "8" };
	struct arena *arena = arena_new();

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
		ck_assert_str_eq(list_with(arena, cases[i].list, more, ARRAY_SIZE(more)), cases[i].wanted);
	ck_assert_str_eq(list_with(arena, "", more, 0), "");
	arena_free(arena);
}
END_TEST

Suite *suite_cni(void)
{
	Suite *s = suite_create("cni");
	TCase *tc = tcase_create("cni");

	tcase_add_loop_test(tc, list, 0, ARRAY_SIZE(lists));
	tcase_add_test(tc, joined);
	suite_add_tcase(s, tc);
	return s;
}
