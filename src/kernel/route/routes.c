/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "routes.h"

#include <errno.h>
#include <stdlib.h>

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "route/state.h"
#include "util.h"

int plumbing_open(struct plumbing_state **state, struct err *err)
{
	int rc;

	*state = xcalloc(1, sizeof(**state));
	rc = rtnl_open(&(*state)->rtnl);
	if (rc)
		return plumbing_fail(STEP_SOCKET, rc, err);
	rc = plumbing_read_lo(*state);
	return rc ? plumbing_fail(STEP_READ, rc, err) : 0;
}

/* The kernel lets no device have an IPv6 address while sysctl shuts it off; without one (lo may be down) ask sysctl. */
static bool has_ipv6(const struct plumbing_state *state)
{
	auto_free char *text = NULL;
	size_t len;

	if (state->lo_has_ipv6)
		return true;
	return !read_file("/proc/sys/net/ipv6/conf/lo/disable_ipv6", 16, &text, &len) && text[0] == '0';
}

void plumbing_addrs(const struct plumbing_state *state, struct netns_addrs *addrs)
{
	addrs->global = state->global;
	addrs->has_ipv6 = has_ipv6(state);
}

/* Without a rule that leads to it a route means nothing, but to a clean after a run that was killed. */
static bool needs_routes(const struct plumbing_state *state)
{
	for (unsigned i = 0; i < state->n_rules; i++)
		if (state->rules[i].plain)
			return true;
	return state->want.nothing;
}

int plumbing_plan(struct plumbing_state *state, const struct plumbing *want, struct err *err)
{
	int rc;

	state->want = *want;
	state->n_routes = 0;
	rc = plumbing_read_rules(state);
	if (!rc && needs_routes(state))
		rc = plumbing_read_routes(state);
	return rc ? plumbing_fail(STEP_READ, rc, err) : 0;
}

void plumbing_add_live_mark(struct plumbing_state *state, uint32_t mark)
{
	if (state->n_live_marks < LIVE_MARKS_MAX)
		state->live_marks[state->n_live_marks++] = mark;
}

static bool mark_is_ours(const struct plumbing_state *state, uint32_t mark)
{
	for (unsigned i = 0; i < state->n_live_marks; i++)
		if (state->live_marks[i] == mark)
			return true;
	return mark == state->want.mark;
}

static bool tproxy_is_wanted(const struct plumbing_state *state, enum family family, uint32_t table)
{
	return state->want.tproxy & FAMILY_BIT(family) && table == state->want.table;
}

/* Behind the main table's rule it would never be asked. */
static bool rule_is_wanted(const struct plumbing_state *state, const struct live_rule *rule)
{
	return rule->plain && tproxy_is_wanted(state, rule->family, rule->table) && rule->mark == state->want.mark &&
	       rule->priority <= RULE_PRIORITY;
}

static bool has_rule(const struct plumbing_state *state, enum family family)
{
	for (unsigned i = 0; i < state->n_rules; i++)
		if (state->rules[i].family == family && rule_is_wanted(state, &state->rules[i]))
			return true;
	return false;
}

static bool has_route(const struct plumbing_state *state, enum family family, uint32_t table)
{
	for (unsigned i = 0; i < state->n_routes; i++)
		if (state->routes[i].family == family && state->routes[i].table == table)
			return true;
	return false;
}

/*
 * The kernel deletes the first rule that has all that the request names, whatever else it tests: one like
 * ours that tests more must not stand before ours at the same priority.
 */
static bool rule_is_shadowed(const struct plumbing_state *state, const struct live_rule *rule)
{
	for (unsigned i = 0; i < state->n_rules && &state->rules[i] != rule; i++) {
		const struct live_rule *other = &state->rules[i];

		if (!other->plain && other->family == rule->family && other->priority == rule->priority &&
		    other->mark == rule->mark && other->mask == rule->mask && other->table == rule->table)
			return true;
	}
	return false;
}

/* Of a run that was killed there may be no live rules to tell its mark: then our priority, table and route do. */
static bool rule_is_orphan(const struct plumbing_state *state, const struct live_rule *rule)
{
	return rule->priority == RULE_PRIORITY && rule->table == state->want.table &&
	       has_route(state, rule->family, rule->table);
}

/* Istio's shape and mark, with the route of Istio's shape (or to the table of the options), and not wanted. */
static bool rule_is_stale(const struct plumbing_state *state, const struct live_rule *rule)
{
	if (!rule->plain || rule->removed || rule_is_wanted(state, rule) || rule_is_shadowed(state, rule))
		return false;
	if (!mark_is_ours(state, rule->mark))
		return rule_is_orphan(state, rule);
	return rule->table == state->want.table || has_route(state, rule->family, rule->table);
}

static bool table_is_used(const struct plumbing_state *state, enum family family, uint32_t table)
{
	for (unsigned i = 0; i < state->n_rules; i++)
		if (state->rules[i].family == family && state->rules[i].table == table && !state->rules[i].removed)
			return true;
	return tproxy_is_wanted(state, family, table);
}

/* What a clean finds of a run that was killed between rule and route. */
static bool route_is_stale(const struct plumbing_state *state, const struct live_route *route)
{
	return state->want.nothing && !route->removed && route->table == state->want.table &&
	       !table_is_used(state, route->family, route->table);
}

/* With another length it is somebody else's. */
static bool address_is_stale(const struct plumbing_state *state)
{
	return state->has_inbound6 && state->inbound6.prefix.len == 128 && !state->want.inbound6;
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
		if (state->want.tproxy & FAMILY_BIT(f) && (!has_rule(state, f) || !has_route(state, f, state->want.table)))
			return false;
	return (state->lo_up || !state->want.lo_up) && (state->has_inbound6 || !state->want.inbound6) &&
	       !plumbing_has_stale(state);
}

/* Without duplicate address detection: Envoy binds it at once. */
static const struct live_address inbound6 = { { IPV6, 128, { [15] = 6 } }, IFA_F_NODAD };
/* What the kernel adds by itself to a lo that comes up without an IPv4 address, and does not take back. */
static const struct live_address loopback4 = { { IPV4, 8, { 127, 0, 0, 1 } }, 0 };

static struct live_rule wanted_rule(const struct plumbing_state *state, enum family family)
{
	struct live_rule rule = {
		.family = family,
		.mark = state->want.mark,
		.mask = UINT32_MAX,
		.table = state->want.table,
		.priority = RULE_PRIORITY,
	};

	while (rule_is_shadowed(state, &rule))
		rule.priority--;
	return rule;
}

static struct live_route wanted_route(const struct plumbing_state *state, enum family family)
{
	return (struct live_route){
		.family = family,
		.table = state->want.table,
		.protocol = RTPROT_BOOT,
		.scope = RT_SCOPE_HOST,
	};
}

static int change_lo(struct plumbing_state *state, bool up)
{
	plumbing_put_lo(&state->rtnl, up);
	return rtnl_do(&state->rtnl);
}

/* What is gone already needs no removing. */
static int finish(struct plumbing_state *state, bool removal)
{
	int rc = rtnl_do(&state->rtnl);

	return removal && (rc == -ENOENT || rc == -ESRCH || rc == -EADDRNOTAVAIL) ? 0 : rc;
}

static int change_address(struct plumbing_state *state, uint16_t type, const struct live_address *address)
{
	plumbing_put_address(&state->rtnl, type, address);
	return finish(state, type == RTM_DELADDR);
}

static int change_rule(struct plumbing_state *state, uint16_t type, const struct live_rule *rule)
{
	plumbing_put_rule(&state->rtnl, type, rule);
	return finish(state, type == RTM_DELRULE);
}

static int change_route(struct plumbing_state *state, uint16_t type, const struct live_route *route)
{
	plumbing_put_route(&state->rtnl, type, route);
	return finish(state, type == RTM_DELROUTE);
}

/* The kernel says that the table has a default route: a rival's, which is ours as well, or somebody else's. */
static int check_route(struct plumbing_state *state, enum family family, struct err *err)
{
	int rc = plumbing_read_routes(state);

	if (rc)
		return plumbing_fail(STEP_READ, rc, err);
	if (has_route(state, family, state->want.table))
		return 0;
	rc = err_set(err, STATUS_FAILED, EEXIST, "routing table %u has another %s default route already",
		     state->want.table, family_name(family));
	err_hint(err, "name a table that is not in use with --istio-inbound-tproxy-route-table");
	return rc;
}

/* The rule first: where there is no policy routing, the route would go into the main table. */
static int add_tproxy(struct plumbing_state *state, enum family family, struct err *err)
{
	struct live_rule rule = wanted_rule(state, family);
	struct live_route route = wanted_route(state, family);
	int rc;

	if (!has_rule(state, family)) {
		rc = change_rule(state, RTM_NEWRULE, &rule);
		if (rc && rc != -EEXIST)
			return plumbing_fail(STEP_RULE + family, rc, err);
		state->did_rules |= rc ? 0 : FAMILY_BIT(family);
	}
	if (!has_route(state, family, route.table)) {
		rc = change_route(state, RTM_NEWROUTE, &route);
		if (rc == -EEXIST)
			return check_route(state, family, err);
		if (rc)
			return plumbing_fail(STEP_ROUTE + family, rc, err);
		state->did_routes |= FAMILY_BIT(family);
	}
	return 0;
}

static int add_missing(struct plumbing_state *state, struct err *err)
{
	int rc = 0;

	if (state->want.lo_up && !state->lo_up) {
		rc = change_lo(state, true);
		if (rc)
			return plumbing_fail(STEP_LO, rc, err);
		state->did_lo = true;
	}
	if (state->want.inbound6 && !state->has_inbound6) {
		rc = change_address(state, RTM_NEWADDR, &inbound6);
		if (rc && rc != -EEXIST)
			return plumbing_fail(STEP_ADDRESS, rc, err);
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

static int remove_stale_rules(struct plumbing_state *state)
{
	for (unsigned i = 0; i < state->n_rules; i++) {
		struct live_rule *rule = &state->rules[i];
		int rc;

		if (!rule_is_stale(state, rule))
			continue;
		rc = change_rule(state, RTM_DELRULE, rule);
		if (rc)
			return rc;
		rule->removed = true;
	}
	return 0;
}

/* A route goes with the last rule that led to its table. */
static bool route_has_lost_its_rule(const struct plumbing_state *state, const struct live_route *route)
{
	if (table_is_used(state, route->family, route->table))
		return false;
	for (unsigned i = 0; i < state->n_rules; i++)
		if (state->rules[i].removed && state->rules[i].family == route->family &&
		    state->rules[i].table == route->table)
			return true;
	return false;
}

static int remove_stale_routes(struct plumbing_state *state)
{
	for (unsigned i = 0; i < state->n_routes; i++) {
		struct live_route *route = &state->routes[i];
		int rc;

		if (!route_is_stale(state, route) && !route_has_lost_its_rule(state, route))
			continue;
		rc = change_route(state, RTM_DELROUTE, route);
		if (rc)
			return rc;
		route->removed = true;
	}
	return 0;
}

/* Of a way back that goes on after an error; what is there again already is none. */
static int first_error(int rc, int next)
{
	return rc || next == -EEXIST ? rc : next;
}

/* Puts back what plumbing_remove_stale removed. */
static int restore_removed(struct plumbing_state *state)
{
	int rc = 0, one;

	for (unsigned i = 0; i < state->n_rules; i++) {
		one = state->rules[i].removed ? change_rule(state, RTM_NEWRULE, &state->rules[i]) : 0;
		rc = first_error(rc, one);
		state->rules[i].removed = false;
	}
	for (unsigned i = 0; i < state->n_routes; i++) {
		one = state->routes[i].removed ? change_route(state, RTM_NEWROUTE, &state->routes[i]) : 0;
		rc = first_error(rc, one);
		state->routes[i].removed = false;
	}
	one = state->removed_address ? change_address(state, RTM_NEWADDR, &state->inbound6) : 0;
	rc = first_error(rc, one);
	state->removed_address = false;
	return rc;
}

int plumbing_remove_stale(struct plumbing_state *state, struct err *err)
{
	int rc = remove_stale_rules(state);

	rc = rc ? rc : remove_stale_routes(state);
	if (!rc && address_is_stale(state)) {
		rc = change_address(state, RTM_DELADDR, &state->inbound6);
		state->removed_address = !rc;
	}
	if (!rc)
		return 0;
	restore_removed(state);
	return plumbing_fail(STEP_REMOVE, rc, err);
}

/* The reverse of add_missing. */
static int remove_added(struct plumbing_state *state)
{
	int rc = 0, one;

	for (enum family f = 0; f < FAMILIES; f++) {
		struct live_rule rule = wanted_rule(state, f);
		struct live_route route = wanted_route(state, f);

		one = state->did_routes & FAMILY_BIT(f) ? change_route(state, RTM_DELROUTE, &route) : 0;
		rc = first_error(rc, one);
		one = state->did_rules & FAMILY_BIT(f) ? change_rule(state, RTM_DELRULE, &rule) : 0;
		rc = first_error(rc, one);
	}
	one = state->did_address ? change_address(state, RTM_DELADDR, &inbound6) : 0;
	rc = first_error(rc, one);
	one = state->did_lo ? change_lo(state, false) : 0;
	rc = first_error(rc, one);
	one = state->did_lo && !state->lo_has_ipv4 ? change_address(state, RTM_DELADDR, &loopback4) : 0;
	rc = first_error(rc, one);
	state->did_rules = state->did_routes = 0;
	state->did_address = state->did_lo = false;
	return rc;
}

int plumbing_undo(struct plumbing_state *state, struct err *err)
{
	int restored = restore_removed(state), rc = first_error(restored, remove_added(state));

	return rc ? plumbing_fail(STEP_UNDO, rc, err) : 0;
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
