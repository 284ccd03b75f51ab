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
	unsigned n_except; /* IIF, OIF: of the items' names, but none of these */
	struct traffic_item *except;
};

/* What becomes of a class, and why. */
struct traffic_fate {
	enum fate fate;
	uint16_t port;
	bool has_addr, foreign, retargeted;
	uint8_t addr[16];
	uint32_t mark;            /* TPROXIED, LOST: the packet's in the end */
	uint16_t zone;            /* of traffic_compare, UDP: the connection's */
	uint32_t route_table;     /* LOST: where an ip rule for the mark leads, 0 without one */
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
	struct traffic_fate to; /* of traffic_compare: what becomes of it with the others */
	unsigned serial;        /* as it was found */
};

struct traffic {
	struct traffic_class *classes;
	unsigned n;
	bool exact;  /* no rule that cannot be read matters */
	bool asleep; /* rules were passed over, since their table or chain hangs in no hook */
	/* Of traffic_compare: rules that cannot be read, and may make more of a difference than that of the classes. */
	struct decision *doubts;
	unsigned n_doubts;
	struct arena *arena;
};

struct traffic_rules {
	const struct ruleset *rules;
	const struct routes *routes; /* what TPROXY takes is lost without its own; NULL: they are there */
};

/*
 * The classes of packets of new connections: each packet is in exactly one.  They point into the rules; free with
 * traffic_free.  Fails if chains jump in a circle, and if the table would take more than 1 GiB.
 */
int traffic_explain(struct traffic *traffic, const struct traffic_rules *rules, struct err *err);

/* The same of the packets that @to treats otherwise than @from: where they go, with which addresses and mark. */
int traffic_compare(struct traffic *traffic, const struct traffic_rules *from, const struct traffic_rules *to,
		    struct err *err);
void traffic_free(struct traffic *traffic);

#endif
