/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sequence.h"

#include <stdlib.h>

#include "util.h"

#define EDITS_MAX 2000

/* Where step @d's stands: every other of the diagonals -d-1 .. d+1. */
static size_t frontier_at(int d)
{
	return (size_t)d * ((size_t)d + 3) / 2;
}

/* Walks the saved frontiers back and marks the elements of the longest path's diagonals. */
static void mark_kept(const struct sequences *s, int *frontiers, int edits, int x, int y, int from)
{
	for (int d = edits; d >= 0; d--) {
		int k = x - y;
		const int *v = frontiers + frontier_at(d) + (k + d) / 2; /* of diagonals k-1 and k+1 */
		bool down = k == -d || (k != d && v[0] < v[1]);
		int prev_k = down ? k + 1 : k - 1, prev_x = d ? v[down] : 0, prev_y = d ? prev_x - prev_k : 0;

		while (x > prev_x && y > prev_y) {
			x--;
			y--;
			s->kept_a[from + x] = s->kept_b[from + y] = true;
		}
		x = prev_x;
		y = prev_y;
	}
}

/* Compares elements [from, from+n) of the first with [from, from+m) of the second. */
static void compare_middle(const struct sequences *s, int from, int n, int m)
{
	int limit = n + m < EDITS_MAX ? n + m : EDITS_MAX;
	/* One piece, which goes back to the kernel; what is not written takes no memory. */
	auto_free int *frontiers = xcalloc(frontier_at(limit + 1), sizeof(*frontiers));
	auto_free int *v = xcalloc(2 * (size_t)limit + 3, sizeof(*v));
	int d, k, x;
	int *center = v + limit + 1;

	for (d = 0; d <= limit; d++) {
		/* What the step starts from, for the way back. */
		for (int i = 0; i < d + 2; i++)
			frontiers[frontier_at(d) + (size_t)i] = center[2 * i - d - 1];
		for (k = -d; k <= d; k += 2) {
			bool down = k == -d || (k != d && center[k - 1] < center[k + 1]);

			x = down ? center[k + 1] : center[k - 1] + 1;
			while (x < n && x - k < m && s->equal(s->data, (unsigned)(from + x), (unsigned)(from + x - k)))
				x++;
			center[k] = x;
			if (x >= n && x - k >= m) {
				mark_kept(s, frontiers, d, n, m, from);
				return;
			}
		}
	}
}

void sequence_compare(const struct sequences *s)
{
	unsigned from = 0, n = s->n, m = s->m;

	while (from < n && from < m && s->equal(s->data, from, from)) {
		s->kept_a[from] = s->kept_b[from] = true;
		from++;
	}
	while (n > from && m > from && s->equal(s->data, n - 1, m - 1))
		s->kept_a[--n] = s->kept_b[--m] = true;
	if (n > from && m > from)
		compare_middle(s, (int)from, (int)(n - from), (int)(m - from));
}
