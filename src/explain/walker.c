/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "walker.h"

#include <string.h>

#include "explain_match.h"
#include "util.h"

#define DEPTH_MAX 64

/* What a chain says: go on behind the rule that led into it, or it is decided for this table. */
enum walk { WALK_ON, WALK_DECIDED, WALK_LOOP };

void walk_note_step(struct explain_step **steps, unsigned *n, const struct walker *w, const struct decision *at,
		    unsigned depth)
{
	struct explain_step *step = array_push(steps, n, sizeof(*step));

	*step = (struct explain_step){
		.table = at->table,
		.hook = at->hook,
		.chain = at->chain->name,
		.depth = depth,
		.policy = !at->rule,
		.source = at->rule,
	};
	if (at->rule)
		step->rule = rule_narrow(at->rule, &w->packet, w->rs->layout);
}

static void add_step(struct walker *w, const struct decision *at, unsigned depth)
{
	if (w->steps)
		walk_note_step(w->steps, w->n_steps, w, at, depth);
}

static enum walk decide(struct walker *w, enum fate fate, const struct rule *rule)
{
	w->outcome = (struct outcome){
		.fate = fate,
		.port = rule->target.port,
		.addr = rule->target.addr,
		.foreign = rule->owner == RULE_FOREIGN,
	};
	return WALK_DECIDED;
}

static bool is_skipped(const struct walker *w, const struct rule *rule)
{
	for (unsigned i = 0; i < w->n_skip; i++)
		if (w->skip[i].rule == rule)
			return true;
	return false;
}

static bool guess_rule(struct walker *w, const struct decision *at)
{
	struct guess *guess = &w->guesses[w->next_guess];

	if (w->next_guess == GUESSES_MAX)
		return false;
	if (w->next_guess++ == w->n_guesses) {
		*guess = (struct guess){ .at = *at };
		w->n_guesses++;
	}
	return guess->taken;
}

static enum walk walk_chain(struct walker *w, const struct chain *chain, unsigned depth);

static enum walk follow(struct walker *w, const struct target *t, unsigned depth)
{
	return walk_chain(w, ruleset_find(w->rs, w->table, t->chain), depth + 1);
}

/* What TPROXY took in mangle has its socket already, but nat still writes into the packet. */
static enum walk translate(struct walker *w, enum fate fate, const struct rule *rule)
{
	const struct target *t = &rule->target;

	w->packet.dport = t->port ? t->port : w->packet.dport;
	if (t->addr)
		memcpy(w->packet.dst, t->addr, family_addr_len(w->packet.family));
	if (w->outcome.fate != FATE_TPROXIED)
		return decide(w, fate, rule);
	w->outcome.retargeted = true;
	return WALK_DECIDED;
}

static void set_mark(struct packet *p, const struct mark *mark)
{
	p->mark = (p->mark & ~mark->mask) ^ mark->value;
}

/* @done: the chain ends here.  Targets that let the packet go on to the next rule change it. */
static enum walk run_target(struct walker *w, const struct rule *rule, unsigned depth, bool *done)
{
	const struct target *t = &rule->target;
	struct packet *p = &w->packet;

	switch ((enum target_kind)t->kind) {
	case TARGET_RETURN:
		*done = true;
		return WALK_ON;
	case TARGET_ACCEPT:
		return WALK_DECIDED;
	case TARGET_DROP:
		return decide(w, FATE_DROPPED, rule);
	case TARGET_GOTO:
		*done = true;
		return follow(w, t, depth);
	case TARGET_JUMP:
		return follow(w, t, depth);
	case TARGET_REDIRECT:
		return translate(w, FATE_REDIRECTED, rule);
	case TARGET_DNAT:
		return translate(w, FATE_TRANSLATED, rule);
	case TARGET_TPROXY:
		set_mark(p, &t->mark);
		return decide(w, FATE_TPROXIED, rule);
	case TARGET_MARK:
		set_mark(p, &t->mark);
		return WALK_ON;
	case TARGET_CONNMARK_SAVE:
		p->connmark = p->mark;
		return WALK_ON;
	case TARGET_CONNMARK_RESTORE:
		p->mark = p->connmark;
		return WALK_ON;
	case TARGET_CT_ZONE:
	case TARGET_SNAT: /* no hook that is walked has one */
	case TARGET_NONE:
	case TARGET_UNKNOWN:
		return WALK_ON;
	}
	return WALK_ON;
}

bool walk_captures(enum table_id table, enum hook hook)
{
	return table == TABLE_NAT || (table == TABLE_MANGLE && hook == HOOK_PREROUTING);
}

/* Whether rules of this table and hook could have captured the packet. */
static bool captures(const struct walker *w)
{
	return w->outcome.fate == FATE_PASSES && walk_captures(w->table, w->packet.hook);
}

static enum walk walk_chain(struct walker *w, const struct chain *chain, unsigned depth)
{
	bool done = false;
	enum walk walk;

	if (depth > DEPTH_MAX)
		return WALK_LOOP;
	for (unsigned i = 0; chain && i < chain->n_rules && !done; i++) {
		const struct rule *rule = &chain->rules[i];
		const struct decision at = { w->table, w->packet.hook, chain, rule };

		if (!rule_holds(rule, &w->packet, w->rs->layout, w->any_group) || is_skipped(w, rule))
			continue;
		add_step(w, &at, depth);
		/* One that only counts does so whether it holds or not. */
		if (rule->unknown && (rule->target.kind == TARGET_NONE || !guess_rule(w, &at)))
			continue;
		if (rule->unknown & UNKNOWN_ACTION) {
			w->outcome.anything = true;
			return WALK_DECIDED;
		}
		if ((rule->target.kind == TARGET_RETURN || rule->target.kind == TARGET_ACCEPT) && captures(w))
			w->leave = at;
		walk = run_target(w, rule, depth, &done);
		if (walk != WALK_ON)
			return walk;
	}
	return WALK_ON;
}

/* What hangs in no hook decides nothing. */
const struct chain *walk_base_chain(const struct ruleset *rs, enum table_id table, enum hook hook, enum family family,
				    bool *asleep)
{
	const struct chain *chain = ruleset_find(rs, table, hook_name(hook));

	if (!chain || !((chain->misplaced | rs->tables[table].strange) & FAMILY_BIT(family)))
		return chain;
	*asleep |= chain->n_rules;
	return NULL;
}

static enum walk walk_base(struct walker *w)
{
	const struct chain *base = walk_base_chain(w->rs, w->table, w->packet.hook, w->packet.family, &w->asleep);
	enum walk walk = walk_chain(w, base, 0);

	if (walk != WALK_ON || !base || !(base->drops & FAMILY_BIT(w->packet.family)))
		return walk;
	add_step(w, &(struct decision){ w->table, w->packet.hook, base, NULL }, 0);
	w->outcome = (struct outcome){ .fate = FATE_DROPPED, .foreign = true };
	return WALK_DECIDED;
}

static bool is_lo(const struct iface *iface)
{
	return !strcmp(iface->name, "lo");
}

static bool is_over(const struct walker *w)
{
	return w->outcome.fate == FATE_DROPPED || w->outcome.anything;
}

const enum table_id walk_order[TABLES] = { TABLE_RAW, TABLE_MANGLE, TABLE_NAT };

static enum walk walk_hook(struct walker *w)
{
	/* Only the first packet of a connection sees nat; what comes over lo saw it when it was sent. */
	bool nat = packet_is_first(&w->packet) && !(w->packet.hook == HOOK_PREROUTING && is_lo(&w->packet.iif));

	for (unsigned i = 0; i < TABLES && !is_over(w); i++) {
		w->table = walk_order[i];
		if ((w->table != TABLE_NAT || nat) && walk_base(w) == WALK_LOOP)
			return WALK_LOOP;
	}
	return WALK_ON;
}

/* Whether what is sent stays in the pod.  REDIRECT on the way out means to the loopback address. */
static bool goes_over_lo(const struct walker *w)
{
	struct prefix dst = { .family = w->packet.family, .len = (uint8_t)(family_addr_len(w->packet.family) * 8) };

	memcpy(dst.addr, w->packet.dst, sizeof(dst.addr));
	if (w->outcome.fate == FATE_TRANSLATED && w->outcome.addr)
		return prefix_is_loopback(&dst) || w->packet.dnat_stays;
	return w->outcome.fate == FATE_REDIRECTED || is_lo(&w->packet.oif);
}

static void come_in_by_lo(struct walker *w)
{
	struct packet *p = &w->packet;

	p->hook = HOOK_PREROUTING;
	p->has_owner = false;
	strcpy(p->iif.name, "lo");
	if (w->outcome.fate != FATE_REDIRECTED)
		return;
	memset(p->dst, 0, sizeof(p->dst));
	p->dst[0] = p->family == IPV4 ? 127 : 0;
	p->dst[family_addr_len(p->family) - 1] = 1;
}

bool walk_packet(struct walker *w, const struct packet *packet)
{
	w->packet = *packet;
	w->outcome = (struct outcome){ .fate = FATE_PASSES };
	w->leave = (struct decision){ .rule = NULL };
	w->next_guess = 0;
	if (walk_hook(w) == WALK_LOOP)
		return false;
	if (packet->hook != HOOK_OUTPUT || is_over(w) || !goes_over_lo(w))
		return true;
	come_in_by_lo(w);
	return walk_hook(w) != WALK_LOOP;
}
