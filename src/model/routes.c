/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

/* Constants of linux/rtnetlink.h. */
#define PROTOCOL_BOOT 3 /* RTPROT_BOOT, as ip route add */
#define SCOPE_HOST 254  /* RT_SCOPE_HOST */

/*
 * Directly before the main table's 32766, where the kernel puts a rule that is added without a priority, as
 * istio-iptables' is.
 */
#define RULE_PRIORITY 32765

struct judge {
	const struct routes *live;
	const struct routes_want *want;
	bool *gone; /* of each live object: it is stale */
};

static const struct route_object *object_at(const struct judge *j, unsigned i, enum route_kind kind)
{
	return j->live->objects[i].kind == kind ? &j->live->objects[i] : NULL;
}

static bool mark_is_ours(const struct judge *j, uint32_t mark)
{
	for (unsigned i = 0; i < j->want->n_marks; i++)
		if (j->want->marks[i] == mark)
			return true;
	return false;
}

static bool tproxy_is_wanted(const struct judge *j, enum family family, uint32_t table)
{
	return j->want->tproxy & FAMILY_BIT(family) && table == j->want->table;
}

/* Behind the main table's rule it would never be asked. */
static bool rule_is_wanted(const struct judge *j, const struct route_object *rule)
{
	return rule->plain && tproxy_is_wanted(j, rule->family, rule->table) && rule->mark == j->want->mark &&
	       rule->priority <= RULE_PRIORITY;
}

static bool has_rule(const struct judge *j, enum family family)
{
	const struct route_object *rule;

	for (unsigned i = 0; i < j->live->n; i++) {
		rule = object_at(j, i, ROUTE_RULE);
		if (rule && rule->family == family && rule_is_wanted(j, rule))
			return true;
	}
	return false;
}

static bool has_route(const struct judge *j, enum family family, uint32_t table)
{
	const struct route_object *route;

	for (unsigned i = 0; i < j->live->n; i++) {
		route = object_at(j, i, ROUTE_ROUTE);
		if (route && route->family == family && route->table == table)
			return true;
	}
	return false;
}

/*
 * The kernel deletes the first rule that has all that the request names, whatever else it tests: one like ours that
 * tests more must not stand before ours at the same priority.
 */
static bool rule_is_shadowed(const struct judge *j, const struct route_object *rule)
{
	for (unsigned i = 0; i < j->live->n && &j->live->objects[i] != rule; i++) {
		const struct route_object *other = object_at(j, i, ROUTE_RULE);

		if (other && !other->plain && !other->ambient && other->family == rule->family &&
		    other->priority == rule->priority && other->mark == rule->mark && other->mask == rule->mask &&
		    other->table == rule->table)
			return true;
	}
	return false;
}

/*
 * Of a run that was killed there may be no live rules to tell its mark: then our priority, table and route do; before
 * the route is there, also the mark, and that the rule does not say who wrote it, as one of ip(8)'s does.
 */
static bool rule_is_orphan(const struct judge *j, const struct route_object *rule)
{
	if (rule->priority != RULE_PRIORITY || rule->table != j->want->table)
		return false;
	return has_route(j, rule->family, rule->table) || (rule->mark == j->want->mark && !rule->protocol);
}

/* Of a TPROXY install by its mark, with the route of Istio's shape (or to the table of the options), and not wanted. */
static bool rule_is_stale(const struct judge *j, const struct route_object *rule)
{
	if (rule->ambient)
		return j->want->ambient && !rule_is_shadowed(j, rule);
	if (!rule->plain || rule_is_wanted(j, rule) || rule_is_shadowed(j, rule))
		return false;
	if (!mark_is_ours(j, rule->mark))
		return rule_is_orphan(j, rule);
	return rule->table == j->want->table || has_route(j, rule->family, rule->table);
}

/* Whether a rule that stays, or that has @gone, leads to the route's table. */
static bool rule_leads_to(const struct judge *j, const struct route_object *route, bool gone)
{
	const struct route_object *rule;

	for (unsigned i = 0; i < j->live->n; i++) {
		rule = object_at(j, i, ROUTE_RULE);
		if (rule && rule->family == route->family && rule->table == route->table && j->gone[i] == gone)
			return true;
	}
	return false;
}

/* A route goes with the last rule that led to it; a clean finds that of a run that was killed between the two. */
static bool route_is_stale(const struct judge *j, const struct route_object *route)
{
	if (rule_leads_to(j, route, false) || tproxy_is_wanted(j, route->family, route->table))
		return false;
	return rule_leads_to(j, route, true) || (j->want->nothing && route->table == j->want->table);
}

static void add_tproxy(const struct judge *j, enum family family, routes_visit add, void *data)
{
	struct route_object rule = {
		.kind = ROUTE_RULE,
		.family = (uint8_t)family,
		.plain = true,
		.mark = j->want->mark,
		.mask = UINT32_MAX,
		.table = j->want->table,
		.priority = RULE_PRIORITY,
	};
	struct route_object route = {
		.kind = ROUTE_ROUTE,
		.family = (uint8_t)family,
		.table = j->want->table,
		.protocol = PROTOCOL_BOOT,
		.scope = SCOPE_HOST,
	};

	/* The rule first: where there is no policy routing, the route would go into the main table. */
	while (rule_is_shadowed(j, &rule))
		rule.priority--;
	if (!has_rule(j, family))
		add(&rule, data);
	if (!has_route(j, family, route.table))
		add(&route, data);
}

static void add_missing(const struct judge *j, routes_visit add, void *data)
{
	static const struct route_object lo = { .kind = ROUTE_LO_UP };
	static const struct route_object inbound6 = {
		.kind = ROUTE_ADDRESS,
		.family = IPV6,
		.address = { IPV6, 128, { [15] = 6 } },
		.flags = ROUTE_NODAD,
	};

	if (!j->live->lo_up && !j->want->nothing)
		add(&lo, data);
	if (j->want->inbound6 && !j->live->inbound6)
		add(&inbound6, data);
	for (enum family f = 0; f < FAMILIES; f++)
		if (j->want->tproxy & FAMILY_BIT(f))
			add_tproxy(j, f, add, data);
}

void routes_compare(const struct routes *live, const struct routes_want *want, routes_visit add, routes_visit remove,
		    void *data)
{
	auto_free bool *gone = xcalloc(live->n + 1, sizeof(*gone));
	struct judge j = { live, want, gone };

	add_missing(&j, add, data);
	for (enum route_kind kind = ROUTE_RULE; kind <= ROUTE_ROUTE; kind++)
		for (unsigned i = 0; i < live->n; i++) {
			const struct route_object *object = object_at(&j, i, kind);

			if (object)
				gone[i] = kind == ROUTE_RULE ? rule_is_stale(&j, object) : route_is_stale(&j, object);
			if (object && gone[i])
				remove(object, data);
		}
	/* With another length it is somebody else's. */
	if (live->inbound6 && live->inbound6->address.len == 128 && !want->inbound6)
		remove(live->inbound6, data);
}

const struct routes routes_of_nothing = { .lo_up = true, .has_ipv6 = true };

struct listing {
	enum family family;
	enum route_kind kind;
	routes_visit visit;
	void *data;
};

static void list(const struct route_object *object, void *data)
{
	const struct listing *listing = data;

	if (object->family == listing->family && object->kind == listing->kind)
		listing->visit(object, listing->data);
}

void routes_list(const struct routes *live, const struct routes_want *want, unsigned families, routes_visit visit,
		 void *data)
{
	static const enum route_kind kinds[] = { ROUTE_RULE, ROUTE_ROUTE, ROUTE_ADDRESS };

	for (enum family f = 0; f < FAMILIES; f++)
		for (unsigned i = 0; i < ARRAY_SIZE(kinds) && families & FAMILY_BIT(f); i++) {
			struct listing listing = { f, kinds[i], visit, data };

			routes_compare(live, want, list, list, &listing);
		}
}

const char *route_text(const struct route_object *o, const char *verb, char text[ROUTE_TEXT_MAX])
{
	const char *ip = o->family == IPV6 ? "ip -6" : "ip";
	char address[PREFIX_TEXT_MAX], mark[24];

	switch ((enum route_kind)o->kind) {
	case ROUTE_LO_UP:
		return "ip link set lo up";
	case ROUTE_ADDRESS:
		addr_text(o->address.family, o->address.addr, address);
		snprintf(text, ROUTE_TEXT_MAX, "ip address%s %s/%u dev lo%s", verb, address, o->address.len,
			 o->flags & ROUTE_NODAD ? " nodad" : "");
		break;
	case ROUTE_RULE:
		if (o->mask == UINT32_MAX)
			snprintf(mark, sizeof(mark), "%u", o->mark);
		else
			snprintf(mark, sizeof(mark), "0x%x/0x%x", o->mark, o->mask);
		snprintf(text, ROUTE_TEXT_MAX, "%s rule%s fwmark %s lookup %u priority %u", ip, verb, mark, o->table,
			 o->priority);
		break;
	case ROUTE_ROUTE:
		snprintf(text, ROUTE_TEXT_MAX, "%s route%s local default dev lo table %u", ip, verb, o->table);
		break;
	}
	return text;
}
