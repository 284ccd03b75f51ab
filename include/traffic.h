/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What rules do with all packets at once. */
#ifndef ISTIO_INIT_TRAFFIC_H
#define ISTIO_INIT_TRAFFIC_H

#include "err.h"
#include "explain.h"

struct arena;

/* Values of a packet, as a class has them. */
enum traffic_key {
	TRAFFIC_PROTO,
	TRAFFIC_SRC,
	TRAFFIC_SPORT,
	TRAFFIC_DST,
	TRAFFIC_DPORT,
	TRAFFIC_UID,
	TRAFFIC_GID,
	TRAFFIC_IIF,
	TRAFFIC_OIF,
	TRAFFIC_MARK,
	TRAFFIC_KEYS
};

/* One of the values that a packet has to have. */
struct traffic_item {
	union {
		struct prefix prefix;
		struct range range; /* of a protocol, too */
		struct iface iface;
		struct mark mark;
	};
};

struct traffic_list {
	bool any;  /* every value; no items */
	bool not ; /* none of the items */
	bool none; /* UID, GID: also (with @not: but not) a packet without a socket */
	unsigned n;
	struct traffic_item *items;
	unsigned n_in; /* with @not: the others, which a packet's value is among */
	struct traffic_item *in;
};

/* What becomes of a class, and why. */
struct traffic_fate {
	enum fate fate;
	uint16_t port;
	bool has_addr, foreign, retargeted;
	uint8_t addr[16];
	uint32_t mark;            /* TPROXIED: the packet's in the end */
	const char *origin;       /* the option that decides it; NULL: none */
	struct decision decision; /* @rule: that decides it, where no option asks for one; NULL: none */
	struct decision *doubts;  /* rules that cannot be read, and may decide otherwise */
	unsigned n_doubts;
};

struct traffic_class {
	enum hook hook;
	unsigned families; /* mask */
	struct traffic_list keys[TRAFFIC_KEYS];
	struct traffic_fate fate;
	unsigned serial; /* as it was found */
};

struct traffic {
	struct traffic_class *classes;
	unsigned n;
	bool exact; /* no rule that cannot be read matters */
	struct arena *arena;
};

/*
 * The classes of packets of new connections: each packet is in exactly one.  They point into @rs; free with
 * traffic_free.  Fails if chains jump in a circle, and if the table would take more than 1 GiB.
 */
int traffic_explain(struct traffic *traffic, const struct ruleset *rs, struct err *err);
void traffic_free(struct traffic *traffic);

#endif
