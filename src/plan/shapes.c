/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shapes.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "marks.h"
#include "util.h"

#define DEFAULT_MARK 1337
/* The mark that TPROXY mode puts on the proxy's own packets over lo. */
#define OUTBOUND_MARK 1338
/* The UID and GID of most proxies. */
#define DEFAULT_OWNER 1337
#define DNS_PORT 53
#define AGENT_PORT 15053
/* Where Envoy itself once answered DNS. */
#define ENVOY_PORT 15013

#define KIND(kind) (1u << MATCH_##kind)
#define TO_DNS (KIND(PROTO) | KIND(DPORT))
#define FROM_DNS (KIND(PROTO) | KIND(SPORT))
#define OVER_LO (KIND(OIF) | KIND(PROTO))

/* What has to stand beside a rule of the shape, to tell it from a user's own. */
enum beside {
	NOTHING, /* the shape itself says enough */
	DNS,     /* a rule that sends DNS to the agent, of any family: some of the others were written for both */
	PROXY,   /* that, and its owner is the proxy: see is_of_block */
};

/* What the values of a shape's matches must be; 0 or NULL: not tested, any value will do. */
struct shape {
	uint8_t table;
	const char *chain;
	uint8_t target;
	uint16_t kinds; /* the matches, exactly these */
	uint8_t proto;
	uint16_t dport, sport;
	uint32_t value; /* of the target: mark, zone or port */
	uint8_t beside; /* enum beside */
	bool marked;    /* MARK or CONNMARK is the live install's or the wanted mark */
	bool agent;     /* it sends DNS to the agent */
};

/*
 * From tools/istio-iptables/pkg/cmd/run.go, later pkg/capture/run.go, of these releases:
 *
 *   1.5 on         TPROXY's rules in mangle; all that is older is in chains of its own
 *   1.7, 1.8       UDP 53 by DNAT, with a source that lets the answer find back
 *   1.9, 1.10      by REDIRECT
 *   1.11 to 1.22   with conntrack zones; the first of these name the server as the destination of its answers
 *
 * Later ones have chains for DNS, too.  Owner groups once were in front of the REDIRECT, as more owners that RETURN.
 */
static const struct shape shapes[] = {
	{ TABLE_MANGLE, "PREROUTING", TARGET_CONNMARK_SAVE, KIND(PROTO) | KIND(MARK), IPPROTO_TCP, .marked = true },
	{ TABLE_MANGLE, "OUTPUT", TARGET_CONNMARK_RESTORE, KIND(PROTO) | KIND(CONNMARK), IPPROTO_TCP, .marked = true },
	{ TABLE_MANGLE, "OUTPUT", TARGET_RETURN, OVER_LO | KIND(MARK), IPPROTO_TCP, .marked = true },
	{ TABLE_MANGLE, "OUTPUT", TARGET_MARK, OVER_LO | KIND(DST) | KIND(UID), IPPROTO_TCP, .value = OUTBOUND_MARK },
	{ TABLE_MANGLE, "OUTPUT", TARGET_MARK, OVER_LO | KIND(DST) | KIND(GID), IPPROTO_TCP, .value = OUTBOUND_MARK },

	{ TABLE_NAT, "OUTPUT", TARGET_REDIRECT, TO_DNS, IPPROTO_UDP, DNS_PORT, 0, AGENT_PORT, .agent = true },
	{ TABLE_NAT, "OUTPUT", TARGET_REDIRECT, TO_DNS | KIND(DST), IPPROTO_UDP, DNS_PORT, 0, AGENT_PORT, .agent = true },
	{ TABLE_NAT, "OUTPUT", TARGET_DNAT, TO_DNS, IPPROTO_UDP, DNS_PORT, 0, AGENT_PORT, .agent = true },
	{ TABLE_NAT, "OUTPUT", TARGET_DNAT, TO_DNS, IPPROTO_UDP, DNS_PORT, 0, ENVOY_PORT, .agent = true },
	{ TABLE_NAT, "OUTPUT", TARGET_DNAT, TO_DNS | KIND(DST), IPPROTO_UDP, DNS_PORT, 0, AGENT_PORT, .agent = true },
	{ TABLE_NAT, "OUTPUT", TARGET_DNAT, TO_DNS | KIND(DST), IPPROTO_UDP, DNS_PORT, 0, ENVOY_PORT, .agent = true },
	{ TABLE_NAT, "POSTROUTING", TARGET_SNAT, TO_DNS, IPPROTO_UDP, .dport = AGENT_PORT },
	{ TABLE_NAT, "POSTROUTING", TARGET_SNAT, TO_DNS, IPPROTO_UDP, .dport = ENVOY_PORT },
	{ TABLE_NAT, "OUTPUT", TARGET_RETURN, TO_DNS | KIND(UID), IPPROTO_UDP, DNS_PORT, .beside = PROXY },
	{ TABLE_NAT, "OUTPUT", TARGET_RETURN, TO_DNS | KIND(GID), IPPROTO_UDP, DNS_PORT, .beside = PROXY },

	{ TABLE_RAW, "OUTPUT", TARGET_CT_ZONE, TO_DNS | KIND(UID), IPPROTO_UDP, DNS_PORT, 0, 1, .beside = DNS },
	{ TABLE_RAW, "OUTPUT", TARGET_CT_ZONE, TO_DNS | KIND(GID), IPPROTO_UDP, DNS_PORT, 0, 1, .beside = DNS },
	{ TABLE_RAW, "OUTPUT", TARGET_CT_ZONE, FROM_DNS | KIND(UID), IPPROTO_UDP, 0, AGENT_PORT, 2, .beside = DNS },
	{ TABLE_RAW, "OUTPUT", TARGET_CT_ZONE, FROM_DNS | KIND(GID), IPPROTO_UDP, 0, AGENT_PORT, 2, .beside = DNS },
	{ TABLE_RAW, "OUTPUT", TARGET_CT_ZONE, TO_DNS, IPPROTO_UDP, DNS_PORT, 0, 2, .beside = DNS },
	{ TABLE_RAW, "OUTPUT", TARGET_CT_ZONE, TO_DNS | KIND(DST), IPPROTO_UDP, DNS_PORT, 0, 2, .beside = DNS },
	{ TABLE_RAW, "PREROUTING", TARGET_CT_ZONE, FROM_DNS, IPPROTO_UDP, 0, DNS_PORT, 1, .beside = DNS },
	{ TABLE_RAW, "PREROUTING", TARGET_CT_ZONE, FROM_DNS | KIND(SRC), IPPROTO_UDP, 0, DNS_PORT, 1, .beside = DNS },
	{ TABLE_RAW, "PREROUTING", TARGET_CT_ZONE, FROM_DNS | KIND(DST), IPPROTO_UDP, 0, DNS_PORT, 1, .beside = DNS },
};

static bool is_plain_mark(const struct match *m, const struct evidence *e)
{
	for (unsigned i = 0; i < e->n_marks; i++)
		if (m->mark.value == e->marks[i])
			return !m->invert && m->mark.mask == UINT32_MAX;
	return false;
}

static bool is_port(const struct match *m, uint16_t port)
{
	return !m->invert && m->n == 1 && m->ranges->lo == port && m->ranges->hi == port;
}

static bool match_fits(const struct match *m, const struct shape *shape, const struct evidence *e)
{
	switch ((enum match_kind)m->kind) {
	case MATCH_PROTO:
		return !m->invert && m->proto == shape->proto;
	case MATCH_DPORT:
		return is_port(m, shape->dport);
	case MATCH_SPORT:
		return is_port(m, shape->sport);
	case MATCH_MARK:
	case MATCH_CONNMARK:
		return is_plain_mark(m, e);
	case MATCH_OIF:
		return !m->invert && m->n == 1 && !strcmp(m->ifaces->name, "lo");
	case MATCH_DST:
		/* TPROXY's: not to the loopback addresses */
		return m->invert == ((shape->kinds & KIND(OIF)) != 0);
	case MATCH_GID:
		/* Of the groups that are captured: all but these. */
		return !m->invert || shape->beside == PROXY;
	default:
		return !m->invert;
	}
}

/* 127.0.0.1; the releases that translate know IPv4 alone. */
static bool is_loopback(const struct target *t)
{
	static const uint8_t loopback[] = { 127, 0, 0, 1 };

	return t->addr && !memcmp(t->addr, loopback, sizeof(loopback));
}

static bool target_fits(const struct rule *rule, const struct shape *shape)
{
	const struct target *t = &rule->target;

	if (t->kind != shape->target)
		return false;
	switch (shape->target) {
	case TARGET_MARK:
		return t->mark.value == shape->value;
	case TARGET_CT_ZONE:
		return t->zone == shape->value;
	case TARGET_REDIRECT:
		return t->port == shape->value;
	case TARGET_DNAT:
	case TARGET_SNAT:
		return rule->families == FAMILY_BIT(IPV4) && t->port == shape->value && is_loopback(t);
	default:
		return true;
	}
}

static bool rule_fits(const struct rule *rule, const struct shape *shape, const struct evidence *e)
{
	unsigned seen = 0;

	if (rule->unknown || !target_fits(rule, shape))
		return false;
	for (unsigned i = 0; i < rule->n_matches; i++) {
		seen |= 1u << rule->matches[i].kind;
		if (!match_fits(&rule->matches[i], shape, e))
			return false;
	}
	return seen == shape->kinds;
}

static const struct shape *find_shape(const struct evidence *e, enum table_id table, const char *chain,
				      const struct rule *rule)
{
	for (unsigned s = 0; s < ARRAY_SIZE(shapes); s++)
		if (shapes[s].table == table && !strcmp(shapes[s].chain, chain) && rule_fits(rule, &shapes[s], e))
			return &shapes[s];
	return NULL;
}

static const struct match *owner_match(const struct rule *rule)
{
	const struct match *uid = rule_match(rule, MATCH_UID);

	return uid ? uid : rule_match(rule, MATCH_GID);
}

static bool is_same_owner(const struct match *a, const struct match *b)
{
	return b && a->kind == b->kind && !b->invert && b->n == 1 && a->ranges->lo == b->ranges->lo &&
	       a->ranges->hi == b->ranges->hi;
}

/* A proxy's packets leave ISTIO_OUTPUT as they are. */
static bool is_let_out(const struct ruleset *rs, const struct match *owner)
{
	const struct chain *chain = rs ? ruleset_find(rs, TABLE_NAT, "ISTIO_OUTPUT") : NULL;

	for (unsigned i = 0; chain && i < chain->n_rules; i++) {
		const struct rule *rule = &chain->rules[i];

		if (!rule->unknown && rule->target.kind == TARGET_RETURN && rule->n_matches == 1 &&
		    is_same_owner(owner, owner_match(rule)))
			return true;
	}
	return false;
}

static bool has_zone(const struct evidence *e, const struct match *owner)
{
	const struct chain *chain = ruleset_find(e->live, TABLE_RAW, "OUTPUT");

	for (unsigned i = 0; chain && i < chain->n_rules; i++)
		if (is_same_owner(owner, owner_match(&chain->rules[i])) &&
		    find_shape(e, TABLE_RAW, chain->name, &chain->rules[i]))
			return true;
	return false;
}

/* Whether other live rules tell that the owner is the proxy. */
static bool is_told(const struct evidence *e, const struct match *owner)
{
	return !owner->invert && (is_let_out(e->live, owner) || has_zone(e, owner));
}

/* Whether anything does; these numbers say nothing of the other owners. */
static bool is_proxy(const struct evidence *e, const struct match *owner)
{
	return is_told(e, owner) ||
	       (!owner->invert && ((owner->ranges->lo == DEFAULT_OWNER && owner->ranges->hi == DEFAULT_OWNER) ||
				   is_let_out(e->want, owner)));
}

/*
 * Whether an owner's RETURN is one of the block that Istio writes as one piece:
 *
 *   -uid 1000 RETURN     of a user, in front
 *   -uid 998 RETURN      of the proxy
 *   -gid 500 RETURN      of a group, which nothing else may tell: behind the proxy's, or where nothing tells that either
 *   -dport 53 REDIRECT
 */
static bool is_of_block(const struct evidence *e, const struct chain *chain, const struct rule *rule)
{
	const struct rule *r = chain->rules, *end = chain->rules + chain->n_rules;
	bool told = false, before = false;

	for (; r < end; r++) {
		const struct shape *shape = find_shape(e, TABLE_NAT, chain->name, r);

		if (r->families != rule->families)
			continue;
		if (shape && shape->beside == PROXY) {
			told |= is_told(e, owner_match(r));
			before |= r <= rule && is_proxy(e, owner_match(r));
		} else if (r > rule) {
			return shape && shape->agent && (before || (!told && !e->zones));
		} else {
			told = before = false;
		}
	}
	return false;
}

/* Of a family of which no server is named the block has no REDIRECT; that of the other family has the same rules. */
static bool is_of_proxy(const struct evidence *e, const struct chain *chain, const struct rule *rule)
{
	if (is_proxy(e, owner_match(rule)) || is_of_block(e, chain, rule))
		return true;
	for (unsigned i = 0; i < chain->n_rules; i++) {
		const struct rule *twin = &chain->rules[i];

		if (twin->families != rule->families && rule_equal(twin, rule) && is_of_block(e, chain, twin))
			return true;
	}
	return false;
}

bool shapes_have(const struct evidence *e, enum table_id table, const struct chain *chain, const struct rule *rule)
{
	const struct shape *shape = find_shape(e, table, chain->name, rule);

	if (!shape || shape->beside == NOTHING)
		return shape;
	return e->dns && (shape->beside == DNS || is_of_proxy(e, chain, rule));
}

/* Whether a chain has a rule of a shape that sends DNS to the agent (TABLE_NAT), or needs it beside. */
static bool has_dns(const struct evidence *e, enum table_id table)
{
	const struct chain *chain = ruleset_find(e->live, table, "OUTPUT");

	for (unsigned i = 0; chain && i < chain->n_rules; i++) {
		const struct shape *shape = find_shape(e, table, chain->name, &chain->rules[i]);

		if (shape && (table == TABLE_NAT ? shape->agent : shape->beside == DNS && owner_match(&chain->rules[i])))
			return true;
	}
	return false;
}

void evidence_find(struct evidence *e, const struct ruleset *live, const struct ruleset *want)
{
	*e = (struct evidence){ .live = live, .want = want };
	/* Of an install that was taken apart nothing may tell its mark: most have this one. */
	*(uint32_t *)array_push(&e->marks, &e->n_marks, sizeof(*e->marks)) = DEFAULT_MARK;
	marks_add(live, &e->marks, &e->n_marks);
	if (want)
		marks_add(want, &e->marks, &e->n_marks);
	e->dns = has_dns(e, TABLE_NAT);
	e->zones = e->dns && has_dns(e, TABLE_RAW);
}

void evidence_free(struct evidence *e)
{
	free(e->marks);
}
