/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Route netlink messages of lo, addresses, ip rules and routes: read, written, and what it means when one fails. */
#ifndef ISTIO_INIT_ROUTE_H
#define ISTIO_INIT_ROUTE_H

#include "err.h"
#include "netlink/rtnl.h"
#include "routes.h"

/* Every netns has lo at this index (LOOPBACK_IFINDEX of the kernel's net/net_namespace.h). */
#define LO_INDEX 1

/* The decoders; their data is a struct route_reading. */
extern const struct rtnl_query route_query_lo, route_query_addresses, route_query_rules, route_query_routes;

/* Of links.c; its data is a bool: is there a veth whose peer is elsewhere? */
extern const struct rtnl_query links_query;

struct route_reading {
	struct routes routes;
	/* Of which table of which family routes are read; 0: of all */
	uint32_t table;
	enum family family;
	struct route_object inbound6;
	bool lo_has_ipv6;
};

/*
 * Each reads its part anew; 0 or -errno.  Of routes those that lead to nowhere but lo, in tables that an ip rule of our
 * kind leads to, as far as rules have been read, and in @table (0: none): a machine may have many others.
 */
int route_read_lo(struct rtnl *rtnl, struct route_reading *reading);
int route_read_rules(struct rtnl *rtnl, struct route_reading *reading);
int route_read_routes(struct rtnl *rtnl, struct route_reading *reading, uint32_t table);
void route_reading_free(struct route_reading *reading);

/* A request that adds or deletes an object, built in rtnl->buf.  Of lo: that sets it up or down. */
void route_put(struct rtnl *rtnl, const struct route_object *object, bool add);

/* What failed, for its message. */
enum route_step {
	ROUTE_STEP_SOCKET,
	ROUTE_STEP_READ,
	ROUTE_STEP_LINKS,
	ROUTE_STEP_LO,
	ROUTE_STEP_ADDRESS,
	ROUTE_STEP_RULE, /* + enum family */
	ROUTE_STEP_RULE_IPV6,
	ROUTE_STEP_ROUTE, /* + enum family */
	ROUTE_STEP_ROUTE_IPV6,
	ROUTE_STEP_REMOVE,
};

/* Translates @rc (-errno) to cause and remedy; returns it. */
int route_fail(enum route_step step, int rc, struct err *err);

#endif
