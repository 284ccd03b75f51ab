/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "rounds.h"
#include "sequence.h"
#include "util.h"

Suite *suite_sequence(void);

#define LENGTH_MAX 6000

struct words {
	const char *a, *b;
	unsigned n, m;
	unsigned asked; /* how often two were compared */
	bool outside;
};

static bool letters_equal(const void *data, unsigned i, unsigned j)
{
	struct words *w = (struct words *)data;

	w->asked++;
	w->outside |= i >= w->n || j >= w->m;
	return w->a[i] == w->b[j];
}

static void keep(char *out, const char *text, const bool *kept)
{
	for (unsigned i = 0; text[i]; i++)
		if (kept[i])
			*out++ = text[i];
	*out = '\0';
}

/* What is kept of both, which must be the same word. */
static void compare(struct words *w, char *common)
{
	static char other[LENGTH_MAX];
	auto_free bool *kept_a = xcalloc(strlen(w->a) + 1, sizeof(*kept_a)),
		       *kept_b = xcalloc(strlen(w->b) + 1, sizeof(*kept_b));

	w->n = (unsigned)strlen(w->a);
	w->m = (unsigned)strlen(w->b);
	sequence_compare(&(struct sequences){ w->n, w->m, letters_equal, w, kept_a, kept_b });
	ck_assert(!w->outside);
	keep(common, w->a, kept_a);
	keep(other, w->b, kept_b);
	ck_assert_str_eq(common, other);
}

static const struct {
	const char *a, *b, *common;
} cases[] = {
	{ "", "", "" },
	{ "a", "", "" },
	{ "", "a", "" },
	{ "abc", "abc", "abc" },
	{ "abc", "xyz", "" },
	{ "abc", "abxc", "abc" },
	{ "abxc", "abc", "abc" },
	{ "xabc", "abc", "abc" },
	{ "abcx", "abc", "abc" },
	{ "aaa", "aa", "aa" },
	/* the beginning and the end that are equal must not overlap */
	{ "aba", "ababa", "aba" },
	{ "ababa", "aba", "aba" },
};

START_TEST(what_two_words_have_in_common)
{
	struct words w = { .a = cases[_i].a, .b = cases[_i].b };
	char common[LENGTH_MAX];

	compare(&w, common);
	ck_assert_str_eq(common, cases[_i].common);
}
END_TEST

/* The length of a longest common subsequence, by the table that everybody knows. */
static unsigned longest(const char *a, const char *b)
{
	unsigned row[32] = { 0 };

	for (; *a; a++)
		for (unsigned j = 0, diagonal = 0; b[j]; j++) {
			unsigned above = row[j + 1];

			row[j + 1] = *a == b[j] ? diagonal + 1 : above > row[j] ? above : row[j];
			diagonal = above;
		}
	return row[strlen(b)];
}

START_TEST(nothing_longer_is_in_common)
{
	srand(1);
	for (unsigned round = 0; round < rounds(5000); round++) {
		char a[16], b[16], common[LENGTH_MAX];
		unsigned n = (unsigned)rand() % 15, m = (unsigned)rand() % 15, letters = 1 + (unsigned)rand() % 5;
		struct words w = { .a = a, .b = b };

		for (unsigned i = 0; i < n; i++)
			a[i] = (char)('a' + (unsigned)rand() % letters);
		for (unsigned i = 0; i < m; i++)
			b[i] = (char)('a' + (unsigned)rand() % letters);
		a[n] = b[m] = '\0';
		compare(&w, common);
		ck_assert_msg(strlen(common) == longest(a, b), "%s %s: %s", a, b, common);
	}
}
END_TEST

/* Two long words of which all but both ends differs: the ends stay, and nobody waits for it. */
START_TEST(far_too_different_is_given_up)
{
	static char a[LENGTH_MAX], b[LENGTH_MAX], common[LENGTH_MAX];
	struct words w = { .a = a, .b = b };

	memset(a, 'a', 2500);
	memset(b, 'b', 2500);
	a[0] = b[0] = a[2499] = b[2499] = 'x';
	compare(&w, common);
	ck_assert_str_eq(common, "xx");
	ck_assert_uint_lt(w.asked, 5000000);
}
END_TEST

Suite *suite_sequence(void)
{
	Suite *suite = suite_create("sequence");
	TCase *tc = tcase_create("sequence");

	tcase_add_loop_test(tc, what_two_words_have_in_common, 0, ARRAY_SIZE(cases));
	tcase_add_test(tc, nothing_longer_is_in_common);
	tcase_add_test(tc, far_too_different_is_given_up);
	suite_add_tcase(suite, tc);
	return suite;
}
