/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a netns holds, as it was read once: all backends, foreign rules included, and routes. */
#ifndef ISTIO_INIT_LIVE_H
#define ISTIO_INIT_LIVE_H

#include "routes.h"
#include "ruleset.h"

/* In the order in which auto prefers them; BACKENDS where one is meant: none. */
enum backend_index { NFTABLES, IPTABLES_NFT, IPTABLES_LEGACY, BACKENDS };

struct live {
	struct ruleset *rules[BACKENDS]; /* NULL: this kernel does not have it, or it could not be looked at */
	bool has_others;                 /* rules of any legacy table that is none of ours */
	bool guard;                      /* a move from one backend to another was cut off (STEP_GUARD) */
	struct routes *routes;

	/* Asked for by who reads: also what nothing leads to. */
	uint32_t table; /* routes in this one, 0: none */
	bool clean;     /* legacy tables that can only be told by making them */
};

#endif
