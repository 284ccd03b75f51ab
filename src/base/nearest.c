/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nearest.h"

#include <string.h>

/* Longer words are compared by their beginning. */
#define WORD_MAX 64

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* Letters to insert, drop or change (Levenshtein); 0 if the name only goes on. */
static unsigned distance(const char *word, const char *name)
{
	unsigned row[WORD_MAX + 1], n = (unsigned)strnlen(word, WORD_MAX);

	if (n && !strncmp(word, name, n))
		return 0;
	for (unsigned i = 0; i <= n; i++)
		row[i] = i;
	for (const char *c = name; *c; c++) {
		unsigned corner = row[0];

		row[0]++;
		for (unsigned i = 1; i <= n; i++) {
			unsigned above = row[i];

			row[i] = min3(corner + (word[i - 1] != *c), above + 1, row[i - 1] + 1);
			corner = above;
		}
	}
	return row[n];
}

const char *nearest_name(const char *word, const char *const *names, size_t n)
{
	unsigned least = (unsigned)strnlen(word, WORD_MAX) / 3 + 1;
	const char *nearest = NULL;

	for (size_t i = 0; i < n; i++) {
		unsigned d = names[i] ? distance(word, names[i]) : least;

		if (d < least) {
			least = d;
			nearest = names[i];
		}
	}
	return nearest;
}
