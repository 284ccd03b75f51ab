/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nearest.h"

#include <string.h>

/* Longer words are compared by their beginning. */
#define WORD_MAX 64

static unsigned min(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Letters to insert, drop, change, or swap with their neighbour (optimal string alignment). */
static unsigned count_changes(const char *word, const char *name)
{
	unsigned rows[3][WORD_MAX + 1], n = (unsigned)strnlen(word, WORD_MAX), m = (unsigned)strlen(name);

	if (n && n < m && !strncmp(word, name, n))
		return 1;
	for (unsigned i = 0; i <= n; i++)
		rows[0][i] = i;
	for (unsigned k = 1; k <= m; k++) {
		unsigned *row = rows[k % 3], *above = rows[(k + 2) % 3], *second = rows[(k + 1) % 3];

		row[0] = k;
		for (unsigned i = 1; i <= n; i++) {
			row[i] = min(min(above[i], row[i - 1]) + 1, above[i - 1] + (word[i - 1] != name[k - 1]));
			if (i > 1 && k > 1 && word[i - 1] == name[k - 2] && word[i - 2] == name[k - 1])
				row[i] = min(row[i], second[i - 2] + 1);
		}
	}
	return rows[m % 3][n];
}

void nearest_try(struct nearest *nearest, const char *name)
{
	unsigned changes = count_changes(nearest->word, name);

	if (changes > strlen(nearest->word) / 3 || (nearest->name && changes >= nearest->changes))
		return;
	nearest->name = name;
	nearest->changes = changes;
}

const char *nearest_name(const char *word, const char *const *names, size_t n)
{
	struct nearest nearest = { .word = word };

	for (size_t i = 0; i < n; i++)
		if (names[i])
			nearest_try(&nearest, names[i]);
	return nearest.name;
}
