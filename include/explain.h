/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What rules do with one packet. */
#ifndef ISTIO_INIT_EXPLAIN_H
#define ISTIO_INIT_EXPLAIN_H

#include "routes.h"
#include "walker.h"

struct explanation {
	enum fate fate;
	uint16_t port; /* REDIRECTED, TPROXIED; TRANSLATED: 0 if it is kept */
	bool has_addr;
	uint8_t addr[16];     /* TRANSLATED, with @has_addr: in network order */
	bool foreign;         /* a rule of a user's own has decided */
	bool retargeted;      /* TPROXIED, LOST: nat then changes the destination */
	bool asleep;          /* rules were passed over, since their table or chain hangs in no hook */
	bool over_lo;         /* sent, and comes in by lo */
	uint32_t mark;        /* the packet's in the end */
	uint32_t route_table; /* LOST, or @unanswered: where an ip rule for the mark leads, 0 without one */
	bool has_route;       /* so: it has a route there */
	bool unanswered; /* TPROXIED: answers to what the proxy sends on under the client's address do not reach it */
	struct explain_step *steps;
	unsigned n_steps;
	/* PASSES: the rules but for which it would be captured; none: no rule captures it. */
	struct explain_step *reasons;
	unsigned n_reasons;
	/* What keeps it from capture without a rule: it is no SYN, not in an owner group, no rules for IPv6, none at all. */
	bool by_flags, by_groups, by_family, by_nothing;
	bool saved; /* the rules are of a file, of no network namespace */
	/* Rules of which something cannot be read, and that may decide otherwise. */
	struct explain_step *doubts;
	unsigned n_doubts;
};

/*
 * Walks raw, mangle and nat of the packet's hook as the kernel does, and PREROUTING, too, for
 * what is sent over lo, by its own route or by REDIRECT; rules that cannot be read as if they did
 * not hold, and then as if they did.  The steps point into @rs; free with explanation_free.  Fails
 * only with more than 64 nested jumps (a loop).
 */
int explain_packet(struct explanation *e, const struct ruleset *rs, const struct packet *packet, struct err *err);

/*
 * What TPROXY takes needs an ip rule and a route: LOST without.  What the kernel says of it, as netns_delivers: whether
 * it is @delivered, and so are the @answers to the client's address; where it says nothing, @routes must tell.
 */
void explain_routes(struct explanation *e, const struct packet *packet, const struct routes *routes, int delivered,
		    int answers);
void explanation_free(struct explanation *e);

/* The option that asks for a live rule of @chain that lets packets of @hook go, by what it tests, or NULL. */
const char *rule_guess_origin(const struct rule *rule, const char *chain, enum hook hook);

#endif
