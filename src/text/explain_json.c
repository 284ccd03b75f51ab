/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "explain_parts.h"
#include "proto.h"

const char *explain_fate_name(enum fate fate)
{
	static const char *const names[] = {
		[FATE_PASSES] = "passes",   [FATE_REDIRECTED] = "redirect", [FATE_TPROXIED] = "tproxy",
		[FATE_TRANSLATED] = "dnat", [FATE_DROPPED] = "drop",        [FATE_LOST] = "lost",
	};

	return names[fate];
}

static void put_packet(struct emit *em, const struct packet *p)
{
	char text[ADDR_TEXT_MAX], number[PROTO_TEXT_MAX], mark[16];
	bool out = p->hook == HOOK_OUTPUT;

	emit_row(em, "packet");
	emit_string(em, "direction", out ? "out" : "in");
	emit_string(em, "family", family_name(p->family));
	emit_string(em, "proto", proto_name(p->proto, number));
	emit_string(em, "src", addr_text(p->family, p->src, text));
	emit_string(em, "dst", addr_text(p->family, p->dst, text));
	if (proto_has_ports(p->proto)) {
		emit_number(em, "sport", p->sport);
		emit_number(em, "dport", p->dport);
	}
	if (p->has_owner) {
		emit_number(em, "uid", p->uid);
		emit_number(em, "gid", p->gid);
	}
	emit_string(em, out ? "oif" : "iif", out ? p->oif.name : p->iif.name);
	snprintf(mark, sizeof(mark), "0x%x", p->mark);
	emit_string(em, "mark", mark);
	emit_string(em, "ctstate", explain_ctstate(p->ctstate));
	if (p->tcp_flags != packet_usual_flags(p)) {
		emit_list(em, "flags");
		for (unsigned i = 0; i < TCP_FLAG_NAMES; i++)
			if (p->tcp_flags & 1u << i)
				emit_string(em, NULL, tcp_flag_names[i]);
		emit_end(em);
	}
	emit_end(em);
}

static void put_step(struct emit *em, const struct explain_step *step, enum family family, enum layout layout)
{
	struct explain_step readable = *step;

	readable.rule.unknown = 0; /* a member of its own says it */
	emit_row(em, NULL);
	emit_string(em, "table", table_name(step->table));
	emit_string(em, "hook", hook_name(step->hook));
	emit_string(em, "chain", step->chain);
	emit_number(em, "depth", step->depth);
	explain_print_rule(emit_print(em), &readable, family, layout, false);
	emit_printed(em, "rule");
	text_json_origin(em, step->rule.origin);
	emit_bool(em, "ours", !step->policy && step->rule.owner != RULE_FOREIGN);
	emit_bool(em, "readable", !step->rule.unknown);
	emit_end(em);
}

static bool origin_was_put(const struct explain_step *steps, unsigned i, const struct explain_step *of)
{
	for (unsigned k = 0; k < i; k++)
		if (steps[k].table == of->table && steps[k].hook == of->hook && steps[k].rule.origin == of->rule.origin)
			return true;
	return false;
}

/* Options, each once; of a rule that no option asked for the rule. */
static void put_origins(struct emit *em, const struct explain_step *steps, unsigned n, const struct explain_step *last,
			enum family family, enum layout layout)
{
	for (unsigned i = 0; i < n; i++) {
		const struct explain_step *step = &steps[i];

		if (step->table != last->table || step->hook != last->hook)
			continue;
		if (!step->rule.origin) {
			explain_print_rule(emit_print(em), step, family, layout, true);
			emit_printed(em, NULL);
		} else if (!origin_was_put(steps, i, step)) {
			emit_string(em, NULL, step->rule.origin);
		}
	}
}

/* The rule that sends the packet where it ends; over lo it may meet others behind. */
static const struct explain_step *deciding_step(const struct explanation *e)
{
	static const uint8_t targets[] = {
		[FATE_REDIRECTED] = TARGET_REDIRECT, [FATE_TPROXIED] = TARGET_TPROXY, [FATE_TRANSLATED] = TARGET_DNAT,
		[FATE_DROPPED] = TARGET_DROP,        [FATE_LOST] = TARGET_TPROXY,
	};

	for (unsigned i = e->n_steps; i-- > 0;)
		if (e->steps[i].rule.target.kind == targets[e->fate])
			return &e->steps[i];
	return e->n_steps ? &e->steps[e->n_steps - 1] : NULL;
}

/* Of what passes: what keeps it from capture; else what led to the last rule, which has decided. */
static void put_because(struct emit *em, const struct explanation *e, enum family family, enum layout layout)
{
	const struct explain_step *last = deciding_step(e);

	emit_list(em, "because");
	if (e->by_family)
		emit_string(em, NULL, "--ipv6");
	if (e->by_groups)
		emit_string(em, NULL, "ISTIO_OUTBOUND_OWNER_GROUPS");
	for (unsigned i = 0; i < e->n_reasons && e->fate == FATE_PASSES; i++)
		put_origins(em, &e->reasons[i], !explain_named_before(e, i), &e->reasons[i], family, layout);
	if (e->fate != FATE_PASSES && last)
		put_origins(em, e->steps, e->n_steps, last, family, layout);
	emit_end(em);
}

static bool is_captured(const struct explanation *e, enum family family, const struct listeners *listeners)
{
	struct prefix addr = { .family = (uint8_t)family, .len = (uint8_t)(family_addr_len(family) * 8) };

	memcpy(addr.addr, e->addr, sizeof(addr.addr));
	switch (e->fate) {
	case FATE_REDIRECTED:
	case FATE_TPROXIED:
		return !e->foreign || explain_port_owner(e->port, listeners);
	case FATE_TRANSLATED:
		return e->has_addr && prefix_is_loopback(&addr) && explain_port_owner(e->port, listeners);
	default:
		return false;
	}
}

void explain_put_lines(struct emit *em, const char *key, const char *lines)
{
	emit_array(em, key);
	while (lines && *lines) {
		size_t n;

		lines += strspn(lines, " ");
		n = strcspn(lines, "\n");
		fprintf(emit_print(em), "%.*s", (int)n, lines);
		emit_printed(em, NULL);
		lines += n + (lines[n] != '\0');
	}
	emit_end(em);
}

void text_json_explanation(struct emit *em, const struct explanation *e, const struct packet *packet,
			   enum layout layout, const struct listeners *listeners, const char *unless)
{
	char addr[ADDR_TEXT_MAX];

	put_packet(em, packet);
	emit_array(em, "steps");
	for (unsigned i = 0; i < e->n_steps; i++)
		put_step(em, &e->steps[i], packet->family, layout);
	emit_end(em);
	emit_object(em, "verdict");
	emit_string(em, "fate", explain_fate_name(e->fate));
	if (e->fate == FATE_TRANSLATED && e->has_addr)
		emit_string(em, "address", addr_text(packet->family, e->addr, addr));
	if (e->port && e->fate >= FATE_REDIRECTED && e->fate <= FATE_TRANSLATED)
		emit_number(em, "port", e->port);
	emit_bool(em, "captured", is_captured(e, packet->family, listeners));
	emit_bool(em, "certain", !e->n_doubts && !(unless && *unless));
	put_because(em, e, packet->family, layout);
	if (unless && *unless)
		explain_put_lines(em, "unless", unless);
	explain_print_verdict(emit_print(em), e, packet, layout, listeners);
	emit_printed(em, "text");
	emit_end(em);
}
