/* SPDX-License-Identifier: GPL-2.0-or-later */
/* State that read.c fills, routes.c judges and write.c changes. */
#ifndef ISTIO_INIT_PLUMBING_STATE_H
#define ISTIO_INIT_PLUMBING_STATE_H

#include <sys/socket.h>

#include "addr.h"
#include "routes.h"
#include "netlink/rtnl.h"

/* Every netns has lo at this index (LOOPBACK_IFINDEX of the kernel's net/net_namespace.h). */
#define LO_INDEX 1

/*
 * Directly before the main table's 32766, where the kernel puts a rule that is added
 * without a priority, as istio-iptables' is.
 */
#define RULE_PRIORITY 32765

/* Of the installs that a netns may hold: one a backend. */
#define LIVE_MARKS_MAX 3

struct live_address {
	struct prefix prefix;
	uint32_t flags; /* IFA_F_... of linux/if_addr.h */
};

/* An ip rule that leads to a table. */
struct live_rule {
	enum family family;
	uint32_t mark, mask, table, priority;
	uint8_t protocol; /* RTPROT_... */
	bool plain;       /* "fwmark mark lookup table": all bits of the mark, and nothing else is tested */
	bool removed;     /* by plumbing_remove_stale */
};

/* A "local default dev lo table table", and nothing else said. */
struct live_route {
	enum family family;
	uint32_t table, metric;
	uint8_t protocol, scope; /* RTPROT_..., RT_SCOPE_... */
	bool removed;
};

struct plumbing_state {
	struct rtnl rtnl;
	bool lo_up, lo_has_ipv4, lo_has_ipv6;
	bool has_inbound6;
	struct live_address inbound6; /* ::6 on lo */
	unsigned global;              /* mask of families */
	struct live_rule *rules;
	struct live_route *routes;
	unsigned n_rules, n_routes;
	struct plumbing want;
	uint32_t live_marks[LIVE_MARKS_MAX];
	unsigned n_live_marks;
	/* what plumbing_apply added */
	bool did_lo, did_address;
	unsigned did_rules, did_routes; /* masks of families */
	bool removed_address;
};

static inline uint8_t family_to_af(enum family family)
{
	return family == IPV6 ? AF_INET6 : AF_INET;
}

/* The decoders; their data is the struct plumbing_state, that of links_query a bool. */
extern const struct rtnl_query plumbing_query_lo, plumbing_query_addresses, plumbing_query_rules, plumbing_query_routes;
extern const struct rtnl_query links_query; /* is there a veth whose peer is elsewhere? */

/* Each returns 0 or -errno. */
int plumbing_read_lo(struct plumbing_state *state);
int plumbing_read_rules(struct plumbing_state *state);
int plumbing_read_routes(struct plumbing_state *state);

/* Requests of RTM_NEW... or RTM_DEL... @type, built in rtnl->buf. */
void plumbing_put_lo(struct rtnl *rtnl, bool up);
void plumbing_put_address(struct rtnl *rtnl, uint16_t type, const struct live_address *address);
void plumbing_put_rule(struct rtnl *rtnl, uint16_t type, const struct live_rule *rule);
void plumbing_put_route(struct rtnl *rtnl, uint16_t type, const struct live_route *route);

/* What failed, for its message. */
enum plumbing_step {
	STEP_SOCKET,
	STEP_READ,
	STEP_LINKS,
	STEP_LO,
	STEP_ADDRESS,
	STEP_RULE, /* + enum family */
	STEP_RULE_IPV6,
	STEP_ROUTE, /* + enum family */
	STEP_ROUTE_IPV6,
	STEP_REMOVE,
	STEP_UNDO,
};

/* Translates @rc (-errno) to cause and remedy; returns it. */
int plumbing_fail(enum plumbing_step step, int rc, struct err *err);

#endif
