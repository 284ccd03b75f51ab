/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "plumbing_state.h"
#include "util.h"

static const uint8_t address_families[FAMILIES] = { [IPV4] = AF_INET, [IPV6] = AF_INET6 };

static int fail(struct err *err, int rc, const char *what)
{
	if (rc == -EPERM) {
		rc = err_set(err, STATUS_NOPERM, EPERM, "cannot %s: not permitted", what);
		err_hint(err, "add NET_ADMIN to securityContext.capabilities.add of the init container, or run as root");
	} else if (rc == -EAFNOSUPPORT || rc == -EOPNOTSUPP || rc == -EACCES || rc == -EADDRNOTAVAIL) {
		rc = err_set(err, STATUS_UNSUPPORTED, -rc, "cannot %s: the kernel does not support it here (%s)", what,
			     strerror(-rc));
		err_hint(err, "TPROXY needs CONFIG_IP_MULTIPLE_TABLES and CONFIG_IPV6_MULTIPLE_TABLES; IPv6 needs "
			      "net.ipv6.conf.lo.disable_ipv6=0; --ipv6=off goes without IPv6");
	} else {
		rc = err_set(err, STATUS_FAILED, -rc, "cannot %s: %s", what, strerror(-rc));
		err_hint(err, "look at ip -all addr, ip rule and ip route show table all in this network namespace");
	}
	return rc;
}

static int set_lo(struct plumbing_state *state, bool up)
{
	struct ifinfomsg *link;

	rtnl_request(&state->rtnl, RTM_NEWLINK, 0, &link, sizeof(*link));
	link->ifi_index = LO_INDEX;
	link->ifi_change = IFF_UP;
	link->ifi_flags = up ? IFF_UP : 0;
	return rtnl_do(&state->rtnl);
}

/* @flags with NLM_F_CREATE: add, and what is there already is fine (1: it was); else: delete. */
static int finish(struct plumbing_state *state, uint16_t flags)
{
	int rc = rtnl_do(&state->rtnl);

	if (flags & NLM_F_CREATE)
		return rc == -EEXIST ? 1 : rc;
	/* Somebody else was faster. */
	return rc == -ENOENT || rc == -ESRCH || rc == -EADDRNOTAVAIL ? 0 : rc;
}

#define ADD (NLM_F_CREATE | NLM_F_EXCL)

/* Without duplicate address detection: Envoy binds it at once. */
static int change_address(struct plumbing_state *state, uint16_t type, uint16_t flags)
{
	static const uint8_t inbound6[16] = { [15] = 6 };
	struct ifaddrmsg *ifa;
	struct nlmsghdr *nlh = rtnl_request(&state->rtnl, type, flags, &ifa, sizeof(*ifa));

	ifa->ifa_family = AF_INET6;
	ifa->ifa_prefixlen = 128;
	ifa->ifa_flags = IFA_F_NODAD;
	ifa->ifa_index = LO_INDEX;
	mnl_attr_put(nlh, IFA_LOCAL, sizeof(inbound6), inbound6);
	return finish(state, flags);
}

static int change_rule(struct plumbing_state *state, uint16_t type, uint16_t flags, const struct live_rule *live)
{
	struct fib_rule_hdr *rule;
	struct nlmsghdr *nlh = rtnl_request(&state->rtnl, type, flags, &rule, sizeof(*rule));

	rule->family = address_families[live->family];
	rule->action = FR_ACT_TO_TBL;
	rule->table = live->table < 256 ? (uint8_t)live->table : RT_TABLE_UNSPEC;
	mnl_attr_put_u32(nlh, FRA_FWMARK, live->mark);
	mnl_attr_put_u32(nlh, FRA_TABLE, live->table);
	mnl_attr_put_u32(nlh, FRA_PRIORITY, live->priority);
	return finish(state, flags);
}

static int change_route(struct plumbing_state *state, uint16_t type, uint16_t flags, const struct live_route *live)
{
	struct rtmsg *route;
	struct nlmsghdr *nlh = rtnl_request(&state->rtnl, type, flags, &route, sizeof(*route));

	route->rtm_family = address_families[live->family];
	route->rtm_table = live->table < 256 ? (uint8_t)live->table : RT_TABLE_UNSPEC;
	route->rtm_type = RTN_LOCAL;
	if (flags & NLM_F_CREATE)
		route->rtm_protocol = RTPROT_BOOT;
	route->rtm_scope = flags & NLM_F_CREATE ? RT_SCOPE_HOST : RT_SCOPE_NOWHERE;
	mnl_attr_put_u32(nlh, RTA_TABLE, live->table);
	mnl_attr_put_u32(nlh, RTA_OIF, LO_INDEX);
	return finish(state, flags);
}

int plumbing_open(struct plumbing_state **state, struct err *err)
{
	int rc;

	*state = xcalloc(1, sizeof(**state));
	rc = rtnl_open(&(*state)->rtnl);
	if (rc)
		return fail(err, rc, "open a route netlink socket");
	rc = plumbing_read_lo(*state);
	return rc ? fail(err, rc, "read the addresses of this network namespace") : 0;
}

/* An IPv6 loopback address says it all; without one (lo may be down) sysctl does. */
static bool has_ipv6(const struct plumbing_state *state)
{
	auto_free char *text = NULL;
	size_t len;

	if (state->loopback6)
		return true;
	return !read_file("/proc/sys/net/ipv6/conf/lo/disable_ipv6", 16, &text, &len) && text[0] == '0';
}

void plumbing_addrs(const struct plumbing_state *state, struct netns_addrs *addrs)
{
	addrs->global = state->global;
	addrs->has_ipv6 = has_ipv6(state);
}

int plumbing_plan(struct plumbing_state *state, const struct plumbing *want, struct err *err)
{
	int rc;

	state->want = *want;
	rc = plumbing_read_rules(state);
	return rc ? fail(err, rc, "read the ip rules of this network namespace") : 0;
}

void plumbing_set_live_mark(struct plumbing_state *state, uint32_t mark)
{
	state->live_mark = mark;
}

static bool rule_is_wanted(const struct plumbing_state *state, const struct live_rule *rule)
{
	return state->want.tproxy & FAMILY_BIT(rule->family) && rule->mark == state->want.mark &&
	       rule->table == state->want.table;
}

static struct live_route *find_route(const struct plumbing_state *state, enum family family, uint32_t table)
{
	for (unsigned i = 0; i < state->n_routes; i++)
		if (state->routes[i].family == family && state->routes[i].table == table)
			return &state->routes[i];
	return NULL;
}

static bool has_rule(const struct plumbing_state *state, enum family family)
{
	for (unsigned i = 0; i < state->n_rules; i++)
		if (state->rules[i].family == family && rule_is_wanted(state, &state->rules[i]))
			return true;
	return false;
}

/* A rule of Istio's shape and mark, with its route (or to the table of the options), that is not wanted. */
static bool rule_is_stale(const struct plumbing_state *state, const struct live_rule *rule)
{
	return !rule_is_wanted(state, rule) && (rule->mark == state->want.mark || rule->mark == state->live_mark) &&
	       (find_route(state, rule->family, rule->table) || rule->table == state->want.table);
}

/* What a clean finds of a run that was killed between route and rule. */
static bool route_is_stale(const struct plumbing_state *state, const struct live_route *route)
{
	return state->want.nothing && route->table == state->want.table && !route->removed;
}

static bool address_is_stale(const struct plumbing_state *state)
{
	return state->inbound6 && !state->want.inbound6;
}

bool plumbing_has_stale(const struct plumbing_state *state)
{
	for (unsigned i = 0; i < state->n_rules; i++)
		if (rule_is_stale(state, &state->rules[i]))
			return true;
	for (unsigned i = 0; i < state->n_routes; i++)
		if (route_is_stale(state, &state->routes[i]))
			return true;
	return address_is_stale(state);
}

bool plumbing_equal(const struct plumbing_state *state)
{
	for (enum family f = 0; f < FAMILIES; f++)
		if (state->want.tproxy & FAMILY_BIT(f) &&
		    (!has_rule(state, f) || !find_route(state, f, state->want.table)))
			return false;
	return (state->lo_up || !state->want.lo_up) && (state->inbound6 || !state->want.inbound6) &&
	       !plumbing_has_stale(state);
}

static int add_tproxy(struct plumbing_state *state, enum family family, struct err *err)
{
	struct live_rule rule = { family, state->want.mark, state->want.table, RULE_PRIORITY, false };
	struct live_route route = { family, state->want.table, false };
	int rc;

	/* The route first: a rule without it sends marked packets nowhere. */
	if (!find_route(state, family, route.table)) {
		rc = change_route(state, RTM_NEWROUTE, ADD, &route);
		if (rc < 0)
			return fail(err, rc, "add the TPROXY route \"local default dev lo\"");
		state->did_routes |= rc ? 0 : FAMILY_BIT(family);
	}
	if (!has_rule(state, family)) {
		rc = change_rule(state, RTM_NEWRULE, ADD, &rule);
		if (rc < 0)
			return fail(err, rc, "add the TPROXY ip rule");
		state->did_rules |= rc ? 0 : FAMILY_BIT(family);
	}
	return 0;
}

static int add_missing(struct plumbing_state *state, struct err *err)
{
	int rc = 0;

	if (state->want.lo_up && !state->lo_up) {
		rc = set_lo(state, true);
		if (rc)
			return fail(err, rc, "bring lo up");
		state->did_lo = true;
	}
	if (state->want.inbound6 && !state->inbound6) {
		rc = change_address(state, RTM_NEWADDR, ADD);
		if (rc < 0)
			return fail(err, rc, "add ::6/128 to lo");
		state->did_address = !rc;
		rc = 0;
	}
	for (enum family f = 0; f < FAMILIES && !rc; f++)
		if (state->want.tproxy & FAMILY_BIT(f))
			rc = add_tproxy(state, f, err);
	return rc;
}

int plumbing_apply(struct plumbing_state *state, struct err *err)
{
	struct err ignored;
	int rc = add_missing(state, err);

	if (rc)
		plumbing_undo(state, &ignored);
	return rc;
}

static int remove_route(struct plumbing_state *state, struct live_route *route)
{
	int rc = change_route(state, RTM_DELROUTE, 0, route);

	route->removed = !rc;
	return rc;
}

static int remove_rule(struct plumbing_state *state, struct live_rule *rule)
{
	struct live_route *route = find_route(state, rule->family, rule->table);
	int rc = change_rule(state, RTM_DELRULE, 0, rule);

	if (rc)
		return rc;
	rule->removed = true;
	/* One table may serve two marks. */
	if (!route || route->removed || (state->want.tproxy & FAMILY_BIT(rule->family) && rule->table == state->want.table))
		return 0;
	return remove_route(state, route);
}

static int restore_removed(struct plumbing_state *state)
{
	int rc = 0, one;

	for (unsigned i = 0; i < state->n_routes; i++)
		if (state->routes[i].removed) {
			one = change_route(state, RTM_NEWROUTE, ADD, &state->routes[i]);
			rc = rc ? rc : one;
			state->routes[i].removed = false;
		}
	for (unsigned i = 0; i < state->n_rules; i++)
		if (state->rules[i].removed) {
			one = change_rule(state, RTM_NEWRULE, ADD, &state->rules[i]);
			rc = rc ? rc : one;
			state->rules[i].removed = false;
		}
	if (state->removed_address) {
		one = change_address(state, RTM_NEWADDR, ADD);
		rc = rc ? rc : one;
		state->removed_address = false;
	}
	return rc < 0 ? rc : 0;
}

int plumbing_remove_stale(struct plumbing_state *state, struct err *err)
{
	int rc = 0;

	for (unsigned i = 0; i < state->n_rules && !rc; i++)
		if (rule_is_stale(state, &state->rules[i]) && !state->rules[i].removed)
			rc = remove_rule(state, &state->rules[i]);
	for (unsigned i = 0; i < state->n_routes && !rc; i++)
		if (route_is_stale(state, &state->routes[i]))
			rc = remove_route(state, &state->routes[i]);
	if (!rc && address_is_stale(state)) {
		rc = change_address(state, RTM_DELADDR, 0);
		state->removed_address = !rc;
	}
	if (!rc)
		return 0;
	rc = fail(err, rc, "remove the ip rule, route or address of an older install");
	restore_removed(state);
	return rc;
}

int plumbing_undo(struct plumbing_state *state, struct err *err)
{
	int rc = restore_removed(state), one;

	for (enum family f = 0; f < FAMILIES; f++) {
		struct live_rule rule = { f, state->want.mark, state->want.table, RULE_PRIORITY, false };
		struct live_route route = { f, state->want.table, false };

		one = state->did_rules & FAMILY_BIT(f) ? change_rule(state, RTM_DELRULE, 0, &rule) : 0;
		rc = rc ? rc : one;
		one = state->did_routes & FAMILY_BIT(f) ? change_route(state, RTM_DELROUTE, 0, &route) : 0;
		rc = rc ? rc : one;
	}
	one = state->did_address ? change_address(state, RTM_DELADDR, 0) : 0;
	rc = rc ? rc : one;
	one = state->did_lo ? set_lo(state, false) : 0;
	rc = rc ? rc : one;
	state->did_rules = state->did_routes = 0;
	state->did_address = state->did_lo = false;
	return rc ? fail(err, rc, "take back an address, ip rule or route") : 0;
}

void plumbing_close(struct plumbing_state *state)
{
	if (!state)
		return;
	rtnl_close(&state->rtnl);
	free(state->rules);
	free(state->routes);
	free(state);
}
