/* SPDX-License-Identifier: GPL-2.0-or-later */
/* State that plumbing_read.c fills and plumbing.c acts upon. */
#ifndef ISTIO_INIT_PLUMBING_STATE_H
#define ISTIO_INIT_PLUMBING_STATE_H

#include "addr.h"
#include "plumbing.h"
#include "rtnl.h"

/* Every netns has lo at this index (net/core/dev.c). */
#define LO_INDEX 1

/*
 * Directly before the main table's 32766, where the kernel puts a rule that is added
 * without a priority, as istio-iptables' is.
 */
#define RULE_PRIORITY 32765

/* A live "fwmark mark lookup table", all bits of the mark, nothing else tested. */
struct live_rule {
	enum family family;
	uint32_t mark, table, priority;
	bool removed; /* by plumbing_remove_stale */
};

/* A live "local default dev lo table table". */
struct live_route {
	enum family family;
	uint32_t table;
	bool removed;
};

struct plumbing_state {
	struct rtnl rtnl;
	bool lo_up, inbound6, loopback6;
	unsigned global; /* mask of families */
	struct live_rule *rules;
	struct live_route *routes;
	unsigned n_rules, n_routes;
	struct plumbing want;
	uint32_t live_mark;
	/* what plumbing_apply added */
	bool did_lo, did_address;
	unsigned did_rules, did_routes; /* masks of families */
	bool removed_address;
};

/* Both return 0 or -errno; each dump starts over when it was interrupted. */
int plumbing_read_lo(struct plumbing_state *state);
int plumbing_read_rules(struct plumbing_state *state);

#endif
