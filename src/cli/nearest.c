/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nearest.h"

#include <string.h>

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* Longer words are compared by their beginning. */
#define WORD_MAX 64

/*
 * How far @word is from @name: twice the letters to insert, drop or change
 * (Levenshtein), 1 if the name only goes on: users of other parsers abbreviate.
 */
static unsigned distance(const char *word, const char *name)
{
	unsigned row[WORD_MAX + 1], n = (unsigned)strnlen(word, WORD_MAX);

	if (n && !strncmp(word, name, n))
		return 1;
	for (unsigned i = 0; i <= n; i++)
		row[i] = i * 2;
	for (const char *c = name; *c; c++) {
		unsigned corner = row[0];

		row[0] += 2;
		for (unsigned i = 1; i <= n; i++) {
			unsigned above = row[i];

			row[i] = min3(corner + (word[i - 1] == *c ? 0 : 2), above + 2, row[i - 1] + 2);
			corner = above;
		}
	}
	return row[n];
}

const struct option *option_nearest(const char *word)
{
	const struct option *nearest = NULL;
	unsigned least = ~0u;

	for (const struct option *o = options; o < options + OPTIONS; o++) {
		unsigned d = o->name ? distance(word, o->name) : ~0u;

		if (d < least) {
			least = d;
			nearest = o;
		}
	}
	return nearest;
}

const char *command_nearest(const char *word)
{
	enum command nearest = 0;

	for (enum command c = 1; c < COMMANDS; c++)
		if (distance(word, command_name(c)) < distance(word, command_name(nearest)))
			nearest = c;
	return command_name(nearest);
}
