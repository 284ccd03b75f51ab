/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether what a rule tests is so of a packet. */
#include "explain_match.h"

#include <netinet/in.h>
#include <string.h>

#include "proto.h"
#include "util.h"

static bool iface_matches(const char *pattern, const char *name)
{
	size_t n = strlen(pattern);

	if (n && pattern[n - 1] == '+')
		return !strncmp(pattern, name, n - 1);
	return !strcmp(pattern, name);
}

static bool prefix_matches(const struct prefix *prefix, const struct packet *packet, const uint8_t *addr)
{
	struct prefix host = { .family = packet->family, .len = (uint8_t)(family_addr_len(packet->family) * 8) };

	memcpy(host.addr, addr, sizeof(host.addr));
	return prefix_contains(prefix, &host);
}

static bool in_range(const struct range *range, uint32_t n)
{
	return range->lo <= n && n <= range->hi;
}

static bool mark_matches(const struct match *m, uint32_t mark)
{
	return (mark & m->mark.mask) == m->mark.value;
}

/* Whether item @i of the match fits the packet, whatever m->invert says. */
static bool item_matches(const struct match *m, uint32_t i, const struct packet *p)
{
	switch ((enum match_kind)m->kind) {
	case MATCH_NFPROTO:
		return p->family == m->proto;
	case MATCH_SRC:
		return prefix_matches(&m->prefixes[i], p, p->src);
	case MATCH_DST:
		return prefix_matches(&m->prefixes[i], p, p->dst);
	case MATCH_IIF:
		return iface_matches(m->ifaces[i].name, p->iif.name);
	case MATCH_OIF:
		return iface_matches(m->ifaces[i].name, p->oif.name);
	case MATCH_PROTO:
		return p->proto == m->proto;
	case MATCH_SPORT:
		return in_range(&m->ranges[i], p->sport);
	case MATCH_DPORT:
		return in_range(&m->ranges[i], p->dport);
	case MATCH_TCP_FLAGS:
		return mark_matches(m, p->tcp_flags);
	case MATCH_UID:
		return p->has_owner && in_range(&m->ranges[i], p->uid);
	case MATCH_GID:
		return p->has_owner && in_range(&m->ranges[i], p->gid);
	case MATCH_CTSTATE:
		return p->ctstate & m->ctstates;
	case MATCH_MARK:
		return mark_matches(m, p->mark);
	case MATCH_CONNMARK:
		return mark_matches(m, p->connmark);
	}
	return false;
}

static bool match_holds(const struct match *m, const struct packet *p, enum layout layout)
{
	/* Only a rule that tests no protocol, or not all of which can be read, gets this far: it may hold. */
	if ((m->kind == MATCH_SPORT || m->kind == MATCH_DPORT) && !proto_has_ports(p->proto))
		return true;
	if (m->kind == MATCH_TCP_FLAGS && p->proto != IPPROTO_TCP)
		return true;
	/* nft's owner expressions break where there is no socket; xt's inverted match holds. */
	if ((m->kind == MATCH_UID || m->kind == MATCH_GID) && !p->has_owner)
		return m->invert && layout == LAYOUT_IPTABLES;
	for (uint32_t i = 0; i < m->n; i++)
		if (item_matches(m, i, p))
			return !m->invert;
	return m->invert;
}

bool match_is_owner_group(const struct rule *rule, const struct match *m)
{
	if (m->kind != MATCH_GID || m->invert || rule->target.kind != TARGET_JUMP)
		return false;
	for (unsigned i = 0; i < rule->n_matches; i++)
		if (rule->matches[i].kind == MATCH_OIF) /* of the proxy's traffic over lo */
			return false;
	return true;
}

bool rule_holds(const struct rule *rule, const struct packet *packet, enum layout layout, bool any_group)
{
	if (!(rule->families & FAMILY_BIT(packet->family)))
		return false;
	for (unsigned i = 0; i < rule->n_matches; i++)
		if (!(any_group && match_is_owner_group(rule, &rule->matches[i])) &&
		    !match_holds(&rule->matches[i], packet, layout))
			return false;
	return true;
}

/* Leaves of a list the item that the packet meets. */
static void pick_item(struct match *m, const struct packet *packet)
{
	for (uint32_t k = 0; k < m->n; k++) {
		if (!item_matches(m, k, packet))
			continue;
		if (m->kind == MATCH_SRC || m->kind == MATCH_DST)
			m->prefixes += k;
		else if (m->kind == MATCH_IIF || m->kind == MATCH_OIF)
			m->ifaces += k;
		else
			m->ranges += k;
		break;
	}
	m->n = 1;
}

struct rule rule_narrow(const struct rule *rule, const struct packet *packet, enum layout layout)
{
	struct rule one = *rule;

	one.matches = xcalloc(rule->n_matches, sizeof(*one.matches));
	one.n_matches = 0;
	for (unsigned i = 0; i < rule->n_matches; i++) {
		struct match *m = &one.matches[one.n_matches];

		*m = rule->matches[i];
		if (m->n > 1 && !m->invert && layout != LAYOUT_NATIVE && !rule->raw)
			pick_item(m, packet);
		one.n_matches += !match_is_vacuous(m);
	}
	return one;
}
