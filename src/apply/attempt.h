/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one attempt has open and done, so that it can be undone in reverse. */
#ifndef ISTIO_INIT_ATTEMPT_H
#define ISTIO_INIT_ATTEMPT_H

#include "run.h"

struct attempt {
	struct run *run;
	const struct backend_ops *ops[BACKENDS];
	struct backend *backends[BACKENDS]; /* open, oldest first */
	unsigned n;
	unsigned replaced; /* how many of them have been written */
	int lock;          /* descriptor, or below 0 */
};

/*
 * Attempts again and again while @attempt says -EAGAIN, until --wait runs out (STATUS_BUSY).
 * Holds the xtables lock (where it can be had) during each attempt; what an attempt that fails
 * has done is undone.  Returns what the last attempt returned.
 */
int attempt_until_done(struct run *run, int (*attempt)(struct attempt *a, void *data, struct err *err), void *data,
		       struct err *err);

/* Opens one more backend; its rules are attempt_live()'s until the next is opened. */
int attempt_open(struct attempt *a, const struct backend_ops *ops, const struct ruleset *want, struct err *err);
const struct ruleset *attempt_live(const struct attempt *a);

/* Writes to the backend that was opened last. */
int attempt_replace(struct attempt *a, const struct ruleset *want, bool force, struct err *err);

/*
 * Opens a backend and, if it holds Istio rules (or @held: anything of Istio's), removes them: 1 if it did,
 * 0 if there were none.
 */
int attempt_clean(struct attempt *a, const struct backend_ops *ops, const struct ruleset *want, bool held,
		  struct err *err);

#endif
