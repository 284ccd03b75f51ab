/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "escape.h"
#include "explain_parts.h"
#include "proto.h"
#include "text.h"
#include "util.h"

/* Where the options that asked for the rules begin, if the rule leaves room. */
#define ORIGIN_COLUMN 88

/* Of rules that cannot be read, so many are named. */
#define DOUBTS_SHOWN 3

const char *explain_ctstate(uint32_t state)
{
	return state == CTSTATE_NEW         ? "new" :
	       state == CTSTATE_ESTABLISHED ? "established" :
	       state == CTSTATE_RELATED     ? "related" :
					      "invalid";
}

/* Everything that was tested, also what the command line left to the defaults. */
static void print_packet(FILE *out, const struct packet *p)
{
	char src[ADDR_TEXT_MAX], dst[ADDR_TEXT_MAX], number[PROTO_TEXT_MAX];

	fprintf(out, "packet: %s proto=%s src=%s dst=%s", p->hook == HOOK_OUTPUT ? "out" : "in",
		proto_name(p->proto, number), addr_text(p->family, p->src, src), addr_text(p->family, p->dst, dst));
	if (proto_has_ports(p->proto))
		fprintf(out, " sport=%u dport=%u", p->sport, p->dport);
	if (p->has_owner)
		fprintf(out, " uid=%u gid=%u", p->uid, p->gid);
	else if (p->hook == HOOK_OUTPUT)
		fprintf(out, " uid=none");
	fputs(p->hook == HOOK_OUTPUT ? " oif=" : " iif=", out);
	escape_name(out, p->hook == HOOK_OUTPUT ? p->oif.name : p->iif.name, "");
	if (p->mark)
		fprintf(out, " mark=0x%x", p->mark);
	fprintf(out, " ctstate=%s", explain_ctstate(p->ctstate));
	if (p->tcp_flags != packet_usual_flags(p)) {
		const char *sep = " flags=";

		for (unsigned i = 0; i < TCP_FLAG_NAMES; i++)
			if (p->tcp_flags & 1u << i) {
				fprintf(out, "%s%s", sep, tcp_flag_names[i]);
				sep = ",";
			}
	}
	fputc('\n', out);
}

void explain_print_rule(FILE *out, const struct explain_step *step, enum family family, enum layout layout, bool table)
{
	if (layout == LAYOUT_NATIVE) {
		if (table)
			fprintf(out, "istio-proxy-%s ", table_name(step->table));
		escape_name(out, step->chain, TEXT_NFT_UNSAFE);
		fputs(": ", out);
		text_print_nft_rule(out, &step->rule, false);
		return;
	}
	if (table)
		fprintf(out, "-t %s ", table_name(step->table));
	if (step->policy)
		fprintf(out, "-P %s DROP", step->chain);
	else
		text_print_iptables_rule(out, step->chain, &step->rule, family);
}

static void print_step(FILE *out, const struct explain_step *step, enum family family, enum layout layout)
{
	auto_free char *text = NULL;
	size_t len = 0;
	FILE *line = xchecked(open_memstream(&text, &len));
	int column = 2 + (int)step->depth * 2;

	explain_print_rule(line, step, family, layout, false);
	fclose(line);
	fprintf(out, "%*s%s", column, "", text);
	if (step->rule.origin)
		fprintf(out, "%*s(%s)", column + (int)len < ORIGIN_COLUMN ? ORIGIN_COLUMN - column - (int)len : 2, "",
			step->rule.origin);
	fputc('\n', out);
}

#define NO_OPTION "a rule that no option asks for"

const char *explain_port_owner(uint16_t port, const struct listeners *listeners)
{
	if (port == listeners->inbound)
		return "captured, Envoy inbound";
	if (port == listeners->outbound)
		return "captured, Envoy outbound";
	return port == listeners->dns ? "captured, DNS proxy of the agent" : NULL;
}

static void print_redirected(FILE *out, const struct explanation *e, const struct listeners *listeners)
{
	const char *owner = explain_port_owner(e->port, listeners);

	fprintf(out, "REDIRECT to :%u: ", e->port);
	if (!e->foreign)
		fputs(owner ? owner : "captured", out);
	else if (owner)
		fprintf(out, "%s, by " NO_OPTION, owner);
	else
		fputs("not captured, but sent to that port of the pod itself, by " NO_OPTION, out);
}

static void print_translated(FILE *out, const struct explanation *e, enum family family, const struct listeners *listeners)
{
	struct prefix addr = { .family = (uint8_t)family, .len = (uint8_t)(family_addr_len(family) * 8) };
	const char *owner = NULL;
	char text[ADDR_TEXT_MAX];

	memcpy(addr.addr, e->addr, sizeof(addr.addr));
	if (e->has_addr && prefix_is_loopback(&addr))
		owner = explain_port_owner(e->port, listeners);
	fprintf(out, "DNAT to %s", e->has_addr ? addr_text(family, e->addr, text) : "");
	if (e->port)
		fprintf(out, "%s%u", e->has_addr ? " port " : ":", e->port);
	fprintf(out, ": %s, by " NO_OPTION, owner ? owner : "not captured, but sent there");
}

/* What TPROXY takes is the pod's own only because of them. */
static void print_lack(FILE *out, const struct explanation *e)
{
	if (e->has_route)
		fprintf(out, "another ip rule or route comes first (ip route get ADDRESS mark %u)", e->mark);
	else if (e->route_table)
		fprintf(out, "the route is missing (local default dev lo table %u)", e->route_table);
	else
		fprintf(out, "the ip rule is missing (fwmark %u)", e->mark);
	if (!e->has_route)
		fputs("; a run of istio-init with the pod's options adds it", out);
}

static void print_tproxied(FILE *out, const struct explanation *e, const struct listeners *listeners)
{
	const char *owner = explain_port_owner(e->port, listeners);

	fprintf(out, "TPROXY to :%u: %s", e->port, owner ? owner : e->foreign ? "not captured" : "captured");
	fprintf(out, ", %s%s", e->retargeted ? "but nat then changes the destination" : "both addresses kept",
		e->foreign ? ", by " NO_OPTION : "");
	if (!e->unanswered)
		return;
	fputs(", but answers to what the proxy sends on under the client's address are lost: ", out);
	print_lack(out, e);
}

static void print_lost(FILE *out, const struct explanation *e)
{
	fputs("lost: ", out);
	print_lack(out, e);
}

bool explain_named_before(const struct explanation *e, unsigned i)
{
	for (unsigned k = 0; k < i; k++)
		if (e->reasons[k].rule.origin == e->reasons[i].rule.origin)
			return true;
	return false;
}

static void print_reasons(FILE *out, const struct explanation *e)
{
	const char *before = "PASSES: not captured, because of ";

	if (e->by_family)
		fprintf(out, "%s--ipv6", before);
	before = e->by_family ? "; " : before;
	if (e->by_flags)
		fprintf(out, "%s--keep-connections", before);
	before = e->by_flags ? "; " : before;
	if (e->by_groups)
		fprintf(out, "%sISTIO_OUTBOUND_OWNER_GROUPS", before);
	before = e->by_groups ? "; " : before;
	for (unsigned i = 0; i < e->n_reasons; i++) {
		const char *origin = e->reasons[i].rule.origin;

		if (!explain_named_before(e, i))
			fprintf(out, "%s%s", before, origin ? origin : NO_OPTION);
		before = "; ";
	}
}

static const char *passing_reason(const struct explanation *e, const struct packet *p)
{
	if (e->by_nothing)
		return e->saved ? "there are no Istio rules in the file" :
				  "no Istio rules are live in this network namespace";
	if (e->asleep)
		return "a table is dormant, or a chain is not hooked in as its name says, and decides nothing";
	if (p->hook == HOOK_OUTPUT && p->proto == IPPROTO_UDP && p->dport == 53)
		return "no rule of --redirect-dns or --capture-all-dns does";
	if (p->proto != IPPROTO_TCP)
		return "only TCP (and DNS, with --redirect-dns) is";
	if (p->hook == HOOK_OUTPUT)
		return "no rule of --istio-service-cidr or --istio-outbound-ports does";
	return strcmp(p->iif.name, "lo") ? "no rule of --istio-inbound-ports does" :
					   "what comes over lo was decided when it was sent (explain out)";
}

static void print_passing(FILE *out, const struct explanation *e, const struct packet *p)
{
	if (p->ctstate == CTSTATE_INVALID)
		fputs("PASSES: conntrack calls it INVALID; nat leaves it alone", out);
	else if (!packet_is_first(p))
		fputs("PASSES: it belongs to a connection, whose first packet decided", out);
	else if (e->n_reasons || e->by_flags || e->by_groups || e->by_family)
		print_reasons(out, e);
	else
		fprintf(out, "PASSES: not captured, because %s", passing_reason(e, p));
}

/* The rules whose meaning nobody here knows come first: without them the rest would be so. */
static void print_doubts(FILE *out, const struct explanation *e, enum family family, enum layout layout)
{
	for (unsigned i = 0; i < e->n_doubts && i < DOUBTS_SHOWN; i++) {
		struct explain_step step = e->doubts[i];

		step.rule.unknown = 0; /* said behind them all */
		fputs(i ? " or " : "may be decided by ", out);
		explain_print_rule(out, &step, family, layout, true);
		if (step.rule.unread) {
			fputs(" [", out);
			escape_print(out, step.rule.unread, "");
			fputc(']', out);
		}
	}
	if (e->n_doubts > DOUBTS_SHOWN)
		fprintf(out, " or %u more", e->n_doubts - DOUBTS_SHOWN);
	if (e->n_doubts)
		fputs(", which istio-init cannot read; else ", out);
}

void text_print_fate(FILE *out, const struct explanation *e, enum family family, const struct listeners *listeners)
{
	switch (e->fate) {
	case FATE_PASSES:
		fputs("PASSES", out);
		break;
	case FATE_REDIRECTED:
		print_redirected(out, e, listeners);
		break;
	case FATE_TPROXIED:
		print_tproxied(out, e, listeners);
		break;
	case FATE_TRANSLATED:
		print_translated(out, e, family, listeners);
		break;
	case FATE_DROPPED:
		fputs("DROP", out);
		break;
	case FATE_LOST:
		print_lost(out, e);
		break;
	}
}

void explain_print_verdict(FILE *out, const struct explanation *e, const struct packet *packet, enum layout layout,
			   const struct listeners *listeners)
{
	print_doubts(out, e, packet->family, layout);
	if (e->fate == FATE_PASSES) {
		print_passing(out, e, packet);
		return;
	}
	text_print_fate(out, e, packet->family, listeners);
	if (e->fate == FATE_DROPPED)
		fputs(packet->ctstate == CTSTATE_INVALID ? ": conntrack calls it INVALID (--drop-invalid)" :
							   ": the last rule above drops it",
		      out);
}

void text_print_explanation(FILE *out, const struct explanation *e, const struct packet *packet, enum layout layout,
			    const struct listeners *listeners)
{
	const struct explain_step *step, *before = NULL;

	print_packet(out, packet);
	for (unsigned i = 0; i < e->n_steps; i++) {
		step = &e->steps[i];
		if (!before || step->table != before->table || step->hook != before->hook)
			fprintf(out, "%s %s\n", table_name(step->table), hook_name(step->hook));
		print_step(out, step, packet->family, layout);
		before = step;
	}
	fputs("verdict: ", out);
	explain_print_verdict(out, e, packet, layout, listeners);
	fputc('\n', out);
}

void text_print_decider(FILE *out, const struct explanation *e, enum family family, enum layout layout)
{
	const struct explain_step *step = e->n_doubts ? e->doubts : e->n_steps ? &e->steps[e->n_steps - 1] : NULL;

	if (step)
		explain_print_rule(out, step, family, layout, true);
}

void text_print_other(FILE *out, const struct other_chain *other)
{
	fprintf(out, "table %s ", other->family);
	escape_name(out, other->table, TEXT_NFT_UNSAFE);
	fputs(", which istio-init does not read: chain ", out);
	escape_name(out, other->chain, TEXT_NFT_UNSAFE);
	fprintf(out, " (%s hook %s, priority %d)", other->type, other->hook, other->priority);
}
