/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one attempt has open and done, so that it can be undone in reverse. */
#ifndef ISTIO_INIT_ATTEMPT_H
#define ISTIO_INIT_ATTEMPT_H

#include "context.h"

/* Which backends to try, in order, and why. */
struct choice {
	enum backend_index candidates[BACKENDS];
	unsigned n;
	const char *reason;
	bool holds[BACKENDS]; /* Istio rules live there */
	bool lacks_raw;       /* iptables-legacy is no candidate, for want of CAP_NET_RAW */
};

struct attempt {
	struct run *run;
	const struct backend_ops *ops[BACKENDS];
	struct backend *backends[BACKENDS]; /* open, oldest first */
	unsigned n;
	unsigned replaced; /* how many of them have been written */
	struct backend *looked[BACKENDS]; /* by index: open already, by a look; or NULL */
};

/*
 * Attempts again and again while @attempt says -EAGAIN, until --wait runs out (STATUS_BUSY).
 * Holds the xtables lock (where it can be had) during each attempt; what an attempt that fails
 * has done is undone.  Returns what the last attempt returned.
 */
int attempt_until_done(struct run *run, int (*attempt)(struct attempt *a, void *data, struct err *err), void *data,
		       struct err *err);

/* Closes what is open; nothing is undone.  Who only reads makes an attempt of their own, without a lock. */
void attempt_close(struct attempt *a);

/*
 * What the backend at @index holds (see its holds()); -EOPNOTSUPP: this kernel does not have it, or we lack
 * the right to look.  Other failures are errors: to take them for "nothing" would leave rules behind.
 */
int attempt_look(struct attempt *a, enum backend_index index, struct err *err);

/* Opens one more backend; its rules are attempt_live()'s until the next is opened. */
int attempt_open(struct attempt *a, enum backend_index index, const struct ruleset *want, struct err *err);
const struct ruleset *attempt_live(const struct attempt *a);

/* Both for the backend that was opened last: makes ready, writes. */
int attempt_prepare(struct attempt *a, const struct ruleset *want, bool force, struct err *err);
int attempt_commit(struct attempt *a, struct err *err);

/*
 * Opens a backend and, if it holds Istio rules (or @held: anything of Istio's), removes them: 1 if it did,
 * 0 if there were none.
 */
int attempt_clean(struct attempt *a, enum backend_index index, const struct ruleset *want, bool held, struct err *err);

/* As the manual says (BACKENDS), without touching anything.  Fails if several hold rules and nothing says which to keep. */
int choose_backend(struct choice *choice, struct attempt *a, struct err *err);

/* Calls @look with the backend that an apply would use: of several candidates the first that this kernel has. */
int choose_and_look(struct attempt *a, int (*look)(struct attempt *a, enum backend_index index, struct err *err),
		    struct err *err);

#endif
