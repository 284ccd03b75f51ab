/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "explain.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

#define DEPTH_MAX 64
/* Returns that one packet can meet, one behind the other, and be told of. */
#define REASONS_MAX 64

/* What a chain says: go on behind the rule that led into it, or it is decided for this table. */
enum walk { WALK_ON, WALK_DECIDED, WALK_LOOP };

struct decision {
	enum table_id table;
	enum hook hook;
	const struct chain *chain;
	const struct rule *rule;
};

struct walker {
	struct explanation *e;
	const struct ruleset *rs;
	struct packet packet;
	enum table_id table;
	enum fate fate;
	uint16_t port;
	struct decision leave; /* the last RETURN or ACCEPT of a table that captures */
	bool quiet;            /* only the fate is asked for */
	bool any_group;        /* as if the sender were in each of the owner groups that are captured */
	struct decision skip[REASONS_MAX];
	unsigned n_skip;
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

/* The native layout names the included groups where it captures, not in a rule that lets the others go. */
static bool is_owner_group(const struct rule *rule, const struct match *m)
{
	if (m->kind != MATCH_GID || m->invert || rule->target.kind != TARGET_JUMP)
		return false;
	for (unsigned i = 0; i < rule->n_matches; i++)
		if (rule->matches[i].kind == MATCH_OIF) /* of the proxy's traffic over lo */
			return false;
	return true;
}

static bool rule_holds(const struct walker *w, const struct rule *rule)
{
	if (!(rule->families & FAMILY_BIT(w->packet.family)) || rule->unknown)
		return false;
	for (unsigned i = 0; i < rule->n_matches; i++)
		if (!(w->any_group && is_owner_group(rule, &rule->matches[i])) &&
		    !match_holds(&rule->matches[i], &w->packet, w->rs->layout))
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
	struct explain_step *step;

	if (w->quiet)
		return;
	step = array_push(&w->e->steps, &w->e->n_steps, sizeof(*step));
	*step = (struct explain_step){
		.table = w->table,
		.hook = w->packet.hook,
		.chain = chain->name,
		.depth = depth,
		.rule = narrow(w, rule),
	};
}

static enum walk decide(struct walker *w, enum fate fate, uint16_t port)
{
	w->fate = fate;
	w->port = port;
	return WALK_DECIDED;
}

static bool is_skipped(const struct walker *w, const struct rule *rule)
{
	for (unsigned i = 0; i < w->n_skip; i++)
		if (w->skip[i].rule == rule)
			return true;
	return false;
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
		return w->fate == FATE_TPROXIED ? WALK_DECIDED : decide(w, FATE_REDIRECTED, t->port);
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

/* Whether rules of this table and hook could have captured the packet. */
static bool captures(const struct walker *w)
{
	return w->fate == FATE_PASSES &&
	       (w->table == TABLE_NAT || (w->table == TABLE_MANGLE && w->packet.hook == HOOK_PREROUTING));
}

static enum walk walk_chain(struct walker *w, const struct chain *chain, unsigned depth)
{
	bool done = false;
	enum walk walk;

	if (depth > DEPTH_MAX)
		return WALK_LOOP;
	for (unsigned i = 0; chain && i < chain->n_rules && !done; i++) {
		if (!rule_holds(w, &chain->rules[i]) || is_skipped(w, &chain->rules[i]))
			continue;
		if ((chain->rules[i].target.kind == TARGET_RETURN || chain->rules[i].target.kind == TARGET_ACCEPT) &&
		    captures(w))
			w->leave = (struct decision){ w->table, w->packet.hook, chain, &chain->rules[i] };
		add_step(w, chain, &chain->rules[i], depth);
		walk = run_target(w, &chain->rules[i].target, depth, &done);
		if (walk != WALK_ON)
			return walk;
	}
	return WALK_ON;
}

static bool is_lo(const struct iface *iface)
{
	return !strcmp(iface->name, "lo");
}

bool packet_is_first(const struct packet *packet)
{
	bool icmp = packet->proto == IPPROTO_ICMP || packet->proto == IPPROTO_ICMPV6;

	return packet->ctstate == CTSTATE_NEW || (packet->ctstate == CTSTATE_RELATED && !icmp);
}

static enum walk walk_hook(struct walker *w)
{
	static const enum table_id order[] = { TABLE_RAW, TABLE_MANGLE, TABLE_NAT };
	/* Only the first packet of a connection sees nat; what comes over lo saw it when it was sent. */
	bool nat = packet_is_first(&w->packet) && !(w->packet.hook == HOOK_PREROUTING && is_lo(&w->packet.iif));

	for (unsigned i = 0; i < ARRAY_SIZE(order) && w->fate != FATE_DROPPED; i++) {
		w->table = order[i];
		if ((w->table != TABLE_NAT || nat) &&
		    walk_chain(w, ruleset_find(w->rs, w->table, hook_name(w->packet.hook)), 0) == WALK_LOOP)
			return WALK_LOOP;
	}
	return WALK_ON;
}

/* What is sent over lo comes in there.  REDIRECT on the way out means to the loopback address. */
static void come_in_by_lo(struct walker *w)
{
	struct packet *p = &w->packet;

	p->hook = HOOK_PREROUTING;
	p->has_owner = false;
	strcpy(p->iif.name, "lo");
	if (w->fate != FATE_REDIRECTED)
		return;
	p->dport = w->port;
	memset(p->dst, 0, sizeof(p->dst));
	p->dst[0] = p->family == IPV4 ? 127 : 0;
	p->dst[family_addr_len(p->family) - 1] = 1;
}

static enum walk walk_packet(struct walker *w, const struct packet *packet)
{
	enum walk rc;

	w->packet = *packet;
	w->fate = FATE_PASSES;
	w->port = 0;
	w->leave = (struct decision){ .rule = NULL };
	rc = walk_hook(w);
	if (rc == WALK_LOOP || packet->hook != HOOK_OUTPUT || w->fate == FATE_DROPPED ||
	    (w->fate != FATE_REDIRECTED && !is_lo(&packet->oif)))
		return rc;
	come_in_by_lo(w);
	return walk_hook(w);
}

/* Walks without the rules that let the packet go, one after the other. */
static void walk_until_captured(struct walker *w, const struct packet *packet)
{
	while (w->fate == FATE_PASSES && w->leave.rule && w->n_skip < REASONS_MAX) {
		w->skip[w->n_skip++] = w->leave;
		walk_packet(w, packet);
	}
}

/* Which of the rules that let the packet go would each, if it were alone, keep it from capture. */
static void find_reasons(struct walker *w, const struct packet *packet)
{
	struct decision one;

	w->quiet = true;
	walk_until_captured(w, packet);
	if (w->fate == FATE_PASSES) {
		w->any_group = true;
		walk_packet(w, packet);
		walk_until_captured(w, packet);
	}
	if (w->fate == FATE_PASSES)
		return;
	w->e->by_groups = w->any_group;
	for (unsigned i = w->n_skip; i-- > 0;) {
		one = w->skip[i];
		w->skip[i].rule = NULL;
		walk_packet(w, packet);
		if (w->fate == FATE_PASSES)
			w->skip[i] = one;
	}
	w->packet = *packet;
	for (unsigned i = 0; i < w->n_skip; i++)
		if (w->skip[i].rule) {
			struct explain_step *step = array_push(&w->e->reasons, &w->e->n_reasons, sizeof(*step));

			*step = (struct explain_step){
				.table = w->skip[i].table,
				.hook = w->skip[i].hook,
				.chain = w->skip[i].chain->name,
				.rule = narrow(w, w->skip[i].rule),
			};
		}
}

int explain_packet(struct explanation *e, const struct ruleset *rs, const struct packet *packet, struct err *err)
{
	struct walker w = { .e = e, .rs = rs };

	*e = (struct explanation){ .fate = FATE_PASSES };
	if (walk_packet(&w, packet) == WALK_LOOP)
		return err_set(err, STATUS_FAILED, ELOOP, "explain: the live chains jump in a circle");
	e->fate = w.fate;
	e->port = w.port;
	if (e->fate == FATE_PASSES && packet_is_first(packet))
		find_reasons(&w, packet);
	return 0;
}

static void free_steps(struct explain_step *steps, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		free(steps[i].rule.matches);
	free(steps);
}

void explanation_free(struct explanation *e)
{
	free_steps(e->steps, e->n_steps);
	free_steps(e->reasons, e->n_reasons);
}
