/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One packet: the first of a connection unless ctstate says otherwise. */
#ifndef ISTIO_INIT_PACKET_H
#define ISTIO_INIT_PACKET_H

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
	uint8_t tcp_flags;               /* TCP_... of ruleset.h */
	bool guessed_src, guessed_iface; /* not given to packet_parse */
	bool dnat_stays;                 /* where a DNAT rule sends it is an address of the pod */
};

/*
 * Reads "in" or "out" and key=value words (NULL-ended); what is not given is a new connection
 * of UID 1000 from the pod's eth0 (lo for a loopback destination).  Returns 0 or -errno with @err.
 */
int packet_parse(struct packet *packet, char *const *words, struct err *err);

/* Of a packet of which nothing but its state is known: the first of a connection is a SYN. */
uint8_t packet_usual_flags(const struct packet *packet);

/*
 * Whether nat looks at it: of each connection at the first packet only.  RELATED is the first of one
 * that a helper expects, but for an ICMP error, which is about another connection's packet.
 */
bool packet_is_first(const struct packet *packet);

#endif
