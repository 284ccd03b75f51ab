/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The three things in the kernel that a plan changes.  nf_tables holds two backends, nftables and iptables-nft, and
 * both change in one transaction; x_tables holds iptables-legacy; and there are routes.  The calls come in this order;
 * prepare and commit once for each stage of the plan that is the engine's, all prepares before the first commit.
 */
#ifndef ISTIO_INIT_ENGINE_H
#define ISTIO_INIT_ENGINE_H

#include "err.h"
#include "plan.h"

enum engine_index { ENGINE_ROUTES, ENGINE_NF_TABLES, ENGINE_X_TABLES, ENGINES };

struct engine;

/*
 * Functions that return int return 0, or -errno with @err:
 *   -EOPNOTSUPP  this kernel lacks it: another backend may do (STATUS_UNSUPPORTED)
 *   -EAGAIN      somebody else changed the tables since they were read: close, read and plan again
 *   -EPERM, -EACCES  a privilege is missing, or a policy forbids it
 *   others       it failed
 */
struct engine_ops {
	/*
	 * Reads everything, foreign rules included, into @live; it stays the engine's, until close.  Nothing is changed
	 * by looking: no table is created (but see live.clean).  -ENOENT: nobody can tell what there is (no /proc).
	 */
	int (*read)(struct engine **engine, struct live *live, struct err *err);

	/*
	 * Makes ready the steps [first, first + n) of the plan, which must live until close.  All that takes memory,
	 * and may end the program for want of it, is done here, before anything is written.
	 */
	int (*prepare)(struct engine *engine, const struct plan *plan, unsigned first, unsigned n, struct err *err);

	/* Writes what was prepared.  After a failure something may be written, unless it is -EAGAIN: undo knows what. */
	int (*commit)(struct engine *engine, struct err *err);

	/* Takes back what was written, the newest first.  What cannot be put back is logged, each piece, as an error. */
	void (*undo)(struct engine *engine);

	void (*close)(struct engine *engine);
};

extern const struct engine_ops engine_routes, engine_nf_tables, engine_x_tables;

#endif
