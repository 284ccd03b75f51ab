/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "explain.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

#define DEPTH_MAX 64

/* What a chain says: go on behind the rule that led into it, or it is decided for this table. */
enum walk { WALK_ON, WALK_DECIDED, WALK_LOOP };

struct walker {
	struct explanation *e;
	const struct ruleset *rs;
	struct packet packet;
	enum table_id table;
};

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
	/* nft's owner expressions break where there is no socket; xt's inverted match holds. */
	if ((m->kind == MATCH_UID || m->kind == MATCH_GID) && !p->has_owner)
		return m->invert && layout == LAYOUT_IPTABLES;
	for (uint32_t i = 0; i < m->n; i++)
		if (item_matches(m, i, p))
			return !m->invert;
	return m->invert;
}

static bool rule_holds(const struct rule *rule, const struct packet *p, enum layout layout)
{
	if (!(rule->families & FAMILY_BIT(p->family)) || rule->unknown)
		return false;
	for (unsigned i = 0; i < rule->n_matches; i++)
		if (!match_holds(&rule->matches[i], p, layout))
			return false;
	return true;
}

/* The item of each list that made it match, so that the step shows one rule of a long list. */
static struct rule narrow(struct walker *w, const struct rule *rule)
{
	struct rule one = *rule;

	one.matches = xcalloc(rule->n_matches, sizeof(*one.matches));
	for (unsigned i = 0; i < rule->n_matches; i++) {
		struct match *m = &one.matches[i];

		*m = rule->matches[i];
		if (m->n < 2 || m->invert || w->rs->layout == LAYOUT_NATIVE)
			continue;
		for (uint32_t k = 0; k < m->n; k++) {
			if (!item_matches(&rule->matches[i], k, &w->packet))
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
	return one;
}

static void add_step(struct walker *w, const struct chain *chain, const struct rule *rule, unsigned depth)
{
	struct explain_step *step = array_push(&w->e->steps, &w->e->n_steps, sizeof(*step));

	*step = (struct explain_step){ .table = w->table, .chain = chain->name, .depth = depth, .rule = narrow(w, rule) };
}

static enum walk decide(struct walker *w, enum fate fate, uint16_t port)
{
	w->e->fate = fate;
	w->e->port = port;
	w->e->decider = (int)w->e->n_steps - 1;
	return WALK_DECIDED;
}

static enum walk walk_chain(struct walker *w, const struct chain *chain, unsigned depth);

static enum walk follow(struct walker *w, const struct target *t, unsigned depth)
{
	return walk_chain(w, ruleset_find(w->rs, w->table, t->chain), depth + 1);
}

/* @done: the chain ends here.  Targets that let the packet go on to the next rule change it. */
static enum walk run_target(struct walker *w, const struct target *t, unsigned depth, bool *done)
{
	struct packet *p = &w->packet;
	enum walk walk;

	switch ((enum target_kind)t->kind) {
	case TARGET_RETURN:
		*done = true;
		if (w->table == TABLE_NAT && w->e->fate == FATE_PASSES)
			w->e->decider = (int)w->e->n_steps - 1;
		return WALK_ON;
	case TARGET_ACCEPT:
		return WALK_DECIDED;
	case TARGET_DROP:
		return decide(w, FATE_DROPPED, 0);
	case TARGET_JUMP:
		return follow(w, t, depth);
	case TARGET_GOTO:
		walk = follow(w, t, depth);
		*done = true;
		return walk;
	case TARGET_REDIRECT:
		/* What TPROXY took in mangle has its socket already. */
		return w->e->fate == FATE_TPROXIED ? WALK_DECIDED : decide(w, FATE_REDIRECTED, t->port);
	case TARGET_TPROXY:
		p->mark = (p->mark & ~t->mark.mask) ^ t->mark.value;
		return decide(w, FATE_TPROXIED, t->port);
	case TARGET_MARK:
		p->mark = (p->mark & ~t->mark.mask) ^ t->mark.value;
		return WALK_ON;
	case TARGET_CONNMARK_SAVE:
		p->connmark = p->mark;
		return WALK_ON;
	case TARGET_CONNMARK_RESTORE:
		p->mark = p->connmark;
		return WALK_ON;
	case TARGET_CT_ZONE:
	case TARGET_NONE:
	case TARGET_UNKNOWN:
		return WALK_ON;
	}
	return WALK_ON;
}

static enum walk walk_chain(struct walker *w, const struct chain *chain, unsigned depth)
{
	bool done = false;
	enum walk walk;

	if (depth > DEPTH_MAX)
		return WALK_LOOP;
	for (unsigned i = 0; chain && i < chain->n_rules && !done; i++) {
		if (!rule_holds(&chain->rules[i], &w->packet, w->rs->layout))
			continue;
		add_step(w, chain, &chain->rules[i], depth);
		walk = run_target(w, &chain->rules[i].target, depth, &done);
		if (walk != WALK_ON)
			return walk;
	}
	return WALK_ON;
}

int explain_packet(struct explanation *e, const struct ruleset *rs, const struct packet *packet, struct err *err)
{
	static const enum table_id order[] = { TABLE_RAW, TABLE_MANGLE, TABLE_NAT };
	struct walker w = { .e = e, .rs = rs, .packet = *packet };

	*e = (struct explanation){ .fate = FATE_PASSES, .decider = -1 };
	for (unsigned i = 0; i < ARRAY_SIZE(order) && e->fate != FATE_DROPPED; i++) {
		w.table = order[i];
		/* Only the first packet of a connection sees nat. */
		if (w.table == TABLE_NAT && packet->ctstate != CTSTATE_NEW)
			break;
		if (walk_chain(&w, ruleset_find(rs, w.table, hook_name(packet->hook)), 0) == WALK_LOOP)
			return err_set(err, STATUS_FAILED, ELOOP, "explain: the live chains jump in a circle");
	}
	return 0;
}

void explanation_free(struct explanation *e)
{
	for (unsigned i = 0; i < e->n_steps; i++)
		free(e->steps[i].rule.matches);
	free(e->steps);
}
