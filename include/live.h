/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a netns holds, as it was read once: all backends, foreign rules included, and routes. */
#ifndef ISTIO_INIT_LIVE_H
#define ISTIO_INIT_LIVE_H

#include "routes.h"
#include "ruleset.h"

/*
 * In the order in which auto prefers them; BACKENDS where one is meant: none.  AMBIENT: the native tables of Istio's
 * ambient mode, which we take away, but never write.
 */
enum backend_index { NFTABLES, IPTABLES_NFT, IPTABLES_LEGACY, AMBIENT, BACKENDS };

/* As --backend spells it. */
const char *backend_name(enum backend_index index);

/* A base chain of nf_tables that is none of those that are read: another table's, or one hooked in where it should not be. */
struct other_chain {
	uint8_t families;
	const char *family, *table, *chain, *type, *hook; /* as nft has them: "inet", ..., "nat", "prerouting" */
	int32_t priority;
	struct ruleset *rules; /* of nat output: its table, as nat with this chain as OUTPUT; NULL: not read */
};

/* The table of STEP_GUARD: of inet. */
#define GUARD_TABLE "istio-init-move"

struct live {
	struct ruleset *rules[BACKENDS]; /* NULL: this kernel does not have it, or it could not be looked at */
	bool has_others;                 /* rules of any legacy table that is none of ours */
	bool guard;                      /* a move from one backend to another was cut off (STEP_GUARD) */
	struct other_chain *others;      /* their texts are the engine's, until close */
	unsigned n_others;
	struct routes *routes;

	/* Asked for by who reads: also what nothing leads to. */
	uint32_t table; /* routes in this one, 0: none */
	bool clean;     /* legacy tables that can only be told by making them */
	bool chains;    /* @others */
};

#endif
