/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the rules need beside rules: lo up, ::6 on lo, the TPROXY rule and route; over rtnetlink. */
#ifndef ISTIO_INIT_PLUMBING_H
#define ISTIO_INIT_PLUMBING_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

struct plumbing {
	bool nothing;         /* a clean: none of the below, and mark and table tell what is Istio's */
	bool lo_up;           /* lo must be up */
	bool inbound6;        /* ::6/128 on lo, without duplicate address detection */
	unsigned tproxy;      /* mask of families with rule and route */
	uint32_t mark, table; /* "fwmark mark lookup table", "local default dev lo table table" */
};

/* What is live, what is wanted, and what has been done for it. */
struct plumbing_state;

/* Addresses of the netns that are neither loopback nor link-local. */
struct netns_addrs {
	unsigned global; /* mask of families with such an address */
	bool has_ipv6;   /* the kernel has IPv6, and lo is not shut off by sysctl */
};

/* Reads lo and all addresses: what decides about families.  Returns 0 or -errno with @err. */
int plumbing_open(struct plumbing_state **state, struct err *err);
void plumbing_addrs(const struct plumbing_state *state, struct netns_addrs *addrs);

/* Says what is wanted and reads the ip rules (and, where one may be Istio's, the routes). */
int plumbing_plan(struct plumbing_state *state, const struct plumbing *want, struct err *err);

/*
 * Says which mark the live Istio rules of one more backend test.  Rules and routes of the shape above
 * with such a mark, or the wanted one, are Istio's, and so are those at the priority and in the table where a run
 * that was killed left them; others of that shape are somebody else's.
 */
void plumbing_add_live_mark(struct plumbing_state *state, uint32_t mark);

/* Whether all that is wanted is there, and nothing stale. */
bool plumbing_equal(const struct plumbing_state *state);

/* Whether something of Istio's is there that is not wanted. */
bool plumbing_has_stale(const struct plumbing_state *state);

/* Adds what is missing; on failure removes what it added.  What is there already is no error. */
int plumbing_apply(struct plumbing_state *state, struct err *err);

/* Removes what is stale; on failure puts back what it removed. */
int plumbing_remove_stale(struct plumbing_state *state, struct err *err);

/* Takes back what plumbing_apply and plumbing_remove_stale have done; the first error is told. */
int plumbing_undo(struct plumbing_state *state, struct err *err);

void plumbing_close(struct plumbing_state *state);

#endif
