/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "explain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

/* Of n rules that cannot be read each may hold or not: so many of the 2^n ways are tried. */
#define WALKS_MAX 4096

static bool outcomes_equal(const struct outcome *a, const struct outcome *b)
{
	return a->fate == b->fate && a->port == b->port && a->addr == b->addr && a->retargeted == b->retargeted;
}

static void add_doubt(struct explanation *e, struct walker *w, const struct decision *at)
{
	for (unsigned i = 0; i < e->n_doubts; i++)
		if (e->doubts[i].source == at->rule)
			return;
	walk_note_step(&e->doubts, &e->n_doubts, w, at, 0);
}

/*
 * Which of the rules that cannot be read may decide otherwise than @was, where none of them holds.  Counts in binary,
 * with rules for digits; which there are depends on the digits in front:
 *
 *   0 0    0 1    1 (leads into another chain) 0 0    1 0 1    1 1
 */
static void find_doubts(struct explanation *e, struct walker *w, const struct packet *packet, const struct outcome *was)
{
	struct decision at;
	unsigned walks = 0;

	for (;;) {
		while (w->n_guesses && w->guesses[w->n_guesses - 1].taken)
			w->n_guesses--;
		if (!w->n_guesses)
			return;
		if (++walks == WALKS_MAX)
			break;
		w->guesses[w->n_guesses - 1].taken = true;
		at = w->guesses[w->n_guesses - 1].at;
		if (!walk_packet(w, packet) || w->outcome.anything || !outcomes_equal(&w->outcome, was))
			add_doubt(e, w, &at);
	}
	/* Too many to be tried: each is one, for all that is known. */
	for (unsigned i = 0; i < w->n_guesses; i++)
		add_doubt(e, w, &w->guesses[i].at);
}

/* Walks without the rules that let the packet go, one after the other. */
static void walk_until_captured(struct walker *w, const struct packet *packet)
{
	while (w->outcome.fate == FATE_PASSES && w->leave.rule && w->n_skip < REASONS_MAX) {
		w->skip[w->n_skip++] = w->leave;
		walk_packet(w, packet);
	}
}

/* Which of the rules that let the packet go would each, if it were alone, keep it from capture. */
static void find_reasons(struct explanation *e, struct walker *w, const struct packet *packet)
{
	struct decision one;

	w->n_guesses = 0;
	walk_packet(w, packet);
	e->by_flags = w->outcome.fate != FATE_PASSES;
	walk_until_captured(w, packet);
	if (w->outcome.fate == FATE_PASSES) {
		w->any_group = true;
		walk_packet(w, packet);
		walk_until_captured(w, packet);
	}
	if (w->outcome.fate == FATE_PASSES)
		return;
	e->by_groups = w->any_group;
	for (unsigned i = w->n_skip; i-- > 0;) {
		one = w->skip[i];
		w->skip[i].rule = NULL;
		walk_packet(w, packet);
		if (w->outcome.fate == FATE_PASSES)
			w->skip[i] = one;
	}
	w->packet = *packet;
	for (unsigned i = 0; i < w->n_skip; i++)
		if (w->skip[i].rule)
			walk_note_step(&e->reasons, &e->n_reasons, w, &w->skip[i], 0);
}

int explain_packet(struct explanation *e, const struct ruleset *rs, const struct packet *packet, struct err *err)
{
	struct walker w = { .rs = rs, .steps = &e->steps, .n_steps = &e->n_steps };
	struct packet first = *packet;
	struct outcome was;

	*e = (struct explanation){ .fate = FATE_PASSES };
	if (!walk_packet(&w, packet))
		return err_set(err, STATUS_FAILED, ELOOP, "explain: the live chains jump in a circle");
	was = w.outcome;
	e->fate = was.fate;
	e->port = was.port;
	e->foreign = was.foreign;
	e->retargeted = was.retargeted;
	e->asleep = w.asleep;
	e->mark = w.packet.mark;
	e->over_lo = packet->hook != w.packet.hook;
	if (was.addr)
		memcpy(e->addr, was.addr, family_addr_len(packet->family));
	e->has_addr = was.addr;
	w.steps = NULL;
	find_doubts(e, &w, packet, &was);
	first.tcp_flags = packet_usual_flags(packet);
	if (e->fate == FATE_PASSES && packet_is_first(packet))
		find_reasons(e, &w, &first);
	return 0;
}

static bool has_route(const struct routes *routes, enum family family, uint32_t table)
{
	for (unsigned i = 0; i < routes->n; i++)
		if (routes->objects[i].kind == ROUTE_ROUTE && routes->objects[i].family == family &&
		    routes->objects[i].table == table)
			return true;
	return false;
}

void explain_routes(struct explanation *e, const struct packet *packet, const struct routes *routes, int delivered,
		    int answers)
{
	if (e->fate != FATE_TPROXIED)
		return;
	for (unsigned i = 0; i < routes->n && !e->has_route; i++) {
		const struct route_object *rule = &routes->objects[i];

		if (rule->kind != ROUTE_RULE || !rule->plain || rule->family != packet->family || rule->mark != e->mark)
			continue;
		e->route_table = rule->table;
		e->has_route = has_route(routes, packet->family, rule->table);
	}
	if (delivered < 0 ? !e->has_route : !delivered)
		e->fate = FATE_LOST;
	e->unanswered = !answers;
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
	free_steps(e->doubts, e->n_doubts);
}
