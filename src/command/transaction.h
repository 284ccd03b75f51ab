/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A plan carried out as a whole or not at all, and the lock under which it was made. */
#ifndef ISTIO_INIT_TRANSACTION_H
#define ISTIO_INIT_TRANSACTION_H

#include "context.h"

/*
 * Carries out the plan, which was made of what @ctx has read, engine by engine.  After a failure what was written is
 * taken back, the newest first; what cannot be is said in the log.  Returns 0, or what the engine that failed says.
 */
int transaction_run(struct context *ctx, const struct plan *plan, struct err *err);

/*
 * Reads what is live and calls @attempt, again and again while one of the two says -EAGAIN, until --wait runs out
 * (STATUS_BUSY).  Holds the locks (see system.h) meanwhile, from before the first look until after an undo, but not any
 * more while @report tells what the last attempt has found, if that returned a number above 0.  Returns what the last attempt, or @report, returned.
 */
struct attempt {
	int (*attempt)(struct context *ctx, void *data, struct err *err);
	int (*report)(struct context *ctx, void *data, struct err *err);
	void *data;
};
int transaction_attempt(struct context *ctx, const struct attempt *attempt, struct err *err);

#endif
