/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What leads from what is live to what is wanted: an ordered list of typed steps.  apply carries it out, diff prints it
 * and exits by it, clean is the plan for wanting nothing.  Pure: no I/O, no kernel.
 *
 *   routes +   lo up, ::6, TPROXY's ip rule and route: rules without them would lose traffic
 *   guard +    where TPROXY rules move from one backend to another
 *   rules      of the chosen backend, then those of the others go: traffic escapes at no moment
 *   guard -
 *   routes -   what is left of older installs
 */
#ifndef ISTIO_INIT_PLAN_H
#define ISTIO_INIT_PLAN_H

#include "live.h"
#include "steps.h"

/* Why an apply without --reconcile does not carry it out. */
enum plan_refusal {
	PLAN_FREE,      /* nothing of Istio's is there that would change, but for what is missing */
	PLAN_ELSEWHERE, /* another backend holds Istio rules */
	PLAN_DIFFERENT, /* the live Istio rules are others */
	PLAN_STALE,     /* an address, ip rule or route of another install is live */
};

struct plan_want {
	enum backend_index backend; /* where rules are wanted; BACKENDS: nowhere */
	const struct ruleset *rules;
	const struct ruleset *known; /* NULL, or what the options ask for in the iptables layout: tells what is shared */
	/*
	 * NULL, or what the options would ask for if one family less were on: where exactly that is live, natively,
	 * the plan completes it and is not refused.
	 */
	const struct ruleset *fewer;
	struct routes_want routes;
	bool ambient;  /* what ambient mode wrote goes, too; else it is left alone, unless it is in the way */
	bool force;    /* also what is equal already is written anew */
	bool spelling; /* Istio's rules that do the same, but are written differently, are a difference */
	/* NULL, or tells the bytes that there are: what cannot be compared in them is different. */
	uint64_t (*memory)(void);
};

/* The steps point into @live and @want's rulesets, which must outlive the plan. */
struct plan {
	const struct live *live;
	struct plan_want want;
	struct step *steps;
	unsigned n;
	enum plan_refusal refusal;
	enum backend_index elsewhere; /* of PLAN_ELSEWHERE */
	bool same;                    /* nothing has to be done: it would only write differently what does the same */
	bool respells;                /* the native tables of Istio's own program, by what does the same */
	bool ambient_goes, ambient_stays; /* rules of ambient mode are live, and go or stay */
	/* Live rules that are shared, and there more often than wanted: they stay, and are no difference. */
	const struct rule **left;
	unsigned n_left;
	/* Where rules are wanted, but would decide nothing: a table that sleeps, a chain that is not hooked in. */
	const struct step *blocked;
	struct arena *arena;
};

/* Without steps, for plan_add_table; whole.  @live: after ownership_decide. */
void plan_init(struct plan *plan, const struct live *live, const struct plan_want *want);
void plan_make(struct plan *plan, const struct live *live, const struct plan_want *want);
void plan_free(struct plan *plan);

/* Whether any step is about the backend (BACKENDS: routes). */
bool plan_touches(const struct plan *plan, enum backend_index backend);

/* Adds the steps for one table of one family of a backend (natively, FAMILIES).  @want: NULL for nothing. */
void plan_add_table(struct plan *plan, enum backend_index backend, const struct ruleset *live,
		    const struct ruleset *want, enum table_id table, enum family family, unsigned flags);
#define PLAN_ANEW 1u       /* our rules are deleted and added, also those that are equal */
#define PLAN_ANEW_ALL 2u   /* so are our chains, as the kernel lists them in the order in which they were made */
#define PLAN_TABLE_ANEW 4u /* and the table, if nobody else has anything in it */
#define PLAN_SHARED_GO 8u  /* what is shared goes, too, unless it is wanted */

/* Whether that would be no step at all: what of ours is in the table is what @want asks for. */
bool plan_table_is(enum backend_index backend, const struct ruleset *live, const struct ruleset *want,
		   enum table_id table, enum family family, unsigned flags);

/*
 * The steps that take back what @done did to a backend's tables: from @now, after ownership_decide, to what was live.
 * Where Istio's rules are not any more what @done made of them, somebody else wrote them: they stay, and @stranger is
 * called.  @tables: a mask of those that @now shows; @family: the one that it shows, or FAMILIES: all.
 */
void plan_undo(struct plan *undo, const struct plan *done, enum backend_index backend, const struct ruleset *now,
	       unsigned tables, enum family family,
	       void (*stranger)(enum backend_index backend, enum table_id table, enum family family));

#endif
