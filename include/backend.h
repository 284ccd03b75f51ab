/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One way to put rules into the kernel; three of them behind one table. */
#ifndef ISTIO_INIT_BACKEND_H
#define ISTIO_INIT_BACKEND_H

#include "err.h"
#include "ruleset.h"

struct backend;

#define HOLDS_ISTIO 1  /* Istio rules */
#define HOLDS_OTHERS 2 /* somebody else's rules */
#define HOLDS_NO_IPTABLES 4 /* and iptables-nft holds nothing: no need to look */

struct backend_ops {
	const char *name; /* as --backend spells it */
	enum layout layout;

	/*
	 * What the netns holds of this backend (HOLDS_...), found without changing
	 * anything: no table is created by looking.  Or -errno with @err: -EOPNOTSUPP
	 * if the kernel does not have the backend at all.  HOLDS_OTHERS is for legacy only,
	 * HOLDS_NO_IPTABLES for nftables.  *@backend, NULL before: what open would return whatever
	 * were wanted, if looking has read as much.
	 */
	int (*holds)(struct backend **backend, struct err *err);

	/*
	 * Reads what of Istio's is live (see capture_owns; @want may be NULL) for
	 * comparison and for replace.  Foreign rules are not part of it.  Tables that do
	 * not exist are not created.  Returns 0 with *@backend, or -errno with @err.
	 */
	int (*open)(struct backend **backend, const struct ruleset *want, struct err *err);

	/* What open read; owned by the backend. */
	const struct ruleset *(*live)(const struct backend *backend);

	/*
	 * Makes ready what takes memory, and may end the program for want of it, before anything is
	 * written.  @want: what is to be all of Istio's rules (what open was told, or an empty ruleset: clean);
	 * it must live until the commit and, unless empty, until close: undo finds by it what was written.
	 * @force: also what is equal already is written.
	 */
	int (*prepare)(struct backend *backend, const struct ruleset *want, bool force, struct err *err);

	/*
	 * Makes the kernel hold what was prepared, once, in as few steps as the kernel allows; if one fails,
	 * those before it are undone.  -EAGAIN: somebody else changed the tables since open; nothing of
	 * ours is half done; close and open again.
	 */
	int (*commit)(struct backend *backend, struct err *err);

	/* Puts back what open had read, after a commit that worked. */
	int (*undo)(struct backend *backend, struct err *err);

	void (*close)(struct backend *backend);
};

extern const struct backend_ops backend_legacy;
extern const struct backend_ops backend_iptables_nft;
extern const struct backend_ops backend_nftables;

#endif
