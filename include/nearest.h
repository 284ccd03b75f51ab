/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_NEAREST_H
#define ISTIO_INIT_NEAREST_H

#include <stddef.h>

/* The name that is nearest to a word, if one is near at all. */
struct nearest {
	const char *word;
	const char *name; /* NULL: none so far */
	unsigned changes;
};

/*
 * Takes @name if fewer letters have to be changed to get it from the word than for those before it, and
 * at most a third of the word's letters.  To go on is one change: users of other parsers abbreviate.
 */
void nearest_try(struct nearest *nearest, const char *name);

/* The nearest of @n names, NULL if none is near; NULL among the names is skipped. */
const char *nearest_name(const char *word, const char *const *names, size_t n);

#endif
