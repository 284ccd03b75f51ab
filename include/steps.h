/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The steps that a plan is made of.  Pure: no I/O, no kernel. */
#ifndef ISTIO_INIT_STEPS_H
#define ISTIO_INIT_STEPS_H

#include "live.h"

enum step_action { STEP_ADD, STEP_DELETE };
/* GUARD: keeps connections whole while TPROXY rules live in two backends; of NFTABLES, its deletion comes by itself. */
enum step_kind { STEP_TABLE, STEP_CHAIN, STEP_RULES, STEP_ROUTE, STEP_GUARD };
/* A deletion that goes with that of its chain or table, whose own step follows. */
enum step_with { STEP_BY_ITSELF, STEP_WITH_CHAIN, STEP_WITH_TABLE };

struct step {
	uint8_t action, kind;
	uint8_t backend; /* enum backend_index; of ROUTE: BACKENDS */
	uint8_t table;   /* enum table_id */
	uint8_t family;  /* enum family; natively FAMILIES: both in one */
	uint8_t with;    /* enum step_with */
	/* CHAIN, RULES: where the chain is wanted (ADD) or live (DELETE). */
	const struct chain *chain;
	/*
	 * RULES: the @n rules from number @first on, counted as chain_iter shows them: for an ADD those that are not
	 * foreign, for a DELETE all.  They are to stand from position @at of the live chain on, once all deletions
	 * and all additions before are done: in front of @before, a live rule that stays (NULL: at the end).
	 */
	unsigned first, n, at;
	const struct rule *before;
	const struct route_object *route;
};

/* The next rules of a step: chain_iter, set to the first of them. */
void step_iter_init(struct chain_iter *it, const struct step *step);
const struct rule *step_iter_next(struct chain_iter *it, const struct step *step);

/*
 * What the backend's tables hold once the steps have been carried out, foreign rules included; @live: what they hold before,
 * or NULL, then so is the answer.  Rules that stay know which they were (rule->was).  Points into @live and the rules of the
 * steps; free with ruleset_free.
 */
struct ruleset *steps_result(const struct step *steps, unsigned n, enum backend_index backend, const struct ruleset *live);

#endif
