/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What rules do with one packet: the first of a connection unless ctstate says otherwise. */
#ifndef ISTIO_INIT_EXPLAIN_H
#define ISTIO_INIT_EXPLAIN_H

#include "err.h"
#include "ruleset.h"

struct packet {
	enum hook hook; /* PREROUTING: in, OUTPUT: out */
	enum family family;
	uint8_t proto;            /* IPPROTO_... */
	uint8_t src[16], dst[16]; /* network order, as in struct prefix */
	uint16_t sport, dport;
	bool has_owner; /* sent by a socket of this netns */
	uint32_t uid, gid;
	struct iface iif, oif; /* the one of the hook's direction is set */
	uint32_t mark, connmark, ctstate;
	bool guessed_src, guessed_iface; /* not given to packet_parse */
};

/*
 * Reads "in" or "out" and key=value words (NULL-ended); what is not given is a new connection
 * of UID 1000 from the pod's eth0 (lo for a loopback destination).  Returns 0 or -errno with @err.
 */
int packet_parse(struct packet *packet, char *const *words, struct err *err);

/*
 * Whether nat looks at it: of each connection at the first packet only.  RELATED is the first of one
 * that a helper expects, but for an ICMP error, which is about another connection's packet.
 */
bool packet_is_first(const struct packet *packet);

/* One rule that matched. */
struct explain_step {
	enum table_id table;
	enum hook hook;
	const char *chain;
	unsigned depth;
	struct rule rule; /* as its layer holds it: lists of one */
};

enum fate {
	FATE_PASSES,
	FATE_REDIRECTED,
	FATE_TPROXIED,
	FATE_DROPPED,
};

struct explanation {
	enum fate fate;
	uint16_t port; /* REDIRECTED, TPROXIED */
	struct explain_step *steps;
	unsigned n_steps;
	/* PASSES: the rules but for which it would be captured; none: no rule captures it. */
	struct explain_step *reasons;
	unsigned n_reasons;
	/* What keeps it from capture without a rule: not in an owner group, no rules for IPv6. */
	bool by_groups, by_family;
};

/*
 * Walks raw, mangle and nat of the packet's hook as the kernel does, and PREROUTING, too, for
 * what is sent over lo, by its own route or by REDIRECT.  The steps point into
 * @rs; free with explanation_free.  Fails only with more than 64 nested jumps (a loop).
 */
int explain_packet(struct explanation *e, const struct ruleset *rs, const struct packet *packet, struct err *err);
void explanation_free(struct explanation *e);

/* The option that asks for a live rule of @chain that lets packets of @hook go, by what it tests, or NULL. */
const char *rule_guess_origin(const struct rule *rule, const char *chain, enum hook hook);

#endif
