/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What two sequences have in common, by Myers' greedy algorithm (E. W. Myers, 1986). */
#ifndef ISTIO_INIT_SEQUENCE_H
#define ISTIO_INIT_SEQUENCE_H

#include <stdbool.h>

struct sequences {
	unsigned n, m;                                           /* elements of the first and of the second */
	bool (*equal)(const void *data, unsigned i, unsigned j); /* first's i-th and second's j-th, from 0 */
	const void *data;
	bool *kept_a, *kept_b; /* the answer: n and m entries, all false before; caller's */
};

/*
 * Marks the elements of one longest common subsequence.  Beyond 2,000 edits a shortest script is not worth its
 * quadratic cost: what lies between the equal beginning and the equal end is then taken for different.
 */
void sequence_compare(const struct sequences *s);

#endif
