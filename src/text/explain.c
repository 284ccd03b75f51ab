/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "proto.h"
#include "text.h"

/* Where the options that asked for the rules begin, if the rule leaves room. */
#define ORIGIN_COLUMN 88

static const char *ctstate_name(uint32_t state)
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
	if (p->hook == HOOK_OUTPUT)
		fprintf(out, " oif=%s", p->oif.name);
	else
		fprintf(out, " iif=%s", p->iif.name);
	if (p->mark)
		fprintf(out, " mark=0x%x", p->mark);
	fprintf(out, " ctstate=%s\n", ctstate_name(p->ctstate));
}

static void print_step(FILE *out, const struct explain_step *step, enum family family, enum layout layout)
{
	char *text = NULL;
	size_t len = 0;
	FILE *line = open_memstream(&text, &len);
	int column = 2 + (int)step->depth * 2;

	if (!line)
		return;
	if (layout == LAYOUT_NATIVE) {
		fprintf(line, "%s: ", step->chain);
		text_print_nft_rule(line, &step->rule, false);
	} else {
		text_print_iptables_rule(line, step->chain, &step->rule, family);
	}
	fclose(line);
	fprintf(out, "%*s%s", column, "", text);
	if (step->rule.origin)
		fprintf(out, "%*s(%s)", column + (int)len < ORIGIN_COLUMN ? ORIGIN_COLUMN - column - (int)len : 2, "",
			step->rule.origin);
	fputc('\n', out);
	free(text);
}

static const char *port_meaning(uint16_t port, const struct listeners *listeners)
{
	if (port == listeners->inbound)
		return "captured, Envoy inbound";
	if (port == listeners->outbound)
		return "captured, Envoy outbound";
	return port == listeners->dns ? "captured, DNS proxy of the agent" : "captured";
}

static bool is_named_before(const struct explanation *e, unsigned i)
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
	if (e->by_groups)
		fprintf(out, "%sISTIO_OUTBOUND_OWNER_GROUPS", before);
	before = e->by_groups ? "; " : before;
	for (unsigned i = 0; i < e->n_reasons; i++) {
		const char *origin = e->reasons[i].rule.origin;

		if (!is_named_before(e, i))
			fprintf(out, "%s%s", before, origin ? origin : "a rule that no option asks for");
		before = "; ";
	}
	fputc('\n', out);
}

static const char *passing_reason(const struct packet *p)
{
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
		fputs("PASSES: conntrack calls it INVALID; nat leaves it alone\n", out);
	else if (!packet_is_first(p))
		fputs("PASSES: it belongs to a connection, whose first packet decided\n", out);
	else if (e->n_reasons || e->by_groups || e->by_family)
		print_reasons(out, e);
	else
		fprintf(out, "PASSES: not captured, because %s\n", passing_reason(p));
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
	switch (e->fate) {
	case FATE_PASSES:
		print_passing(out, e, packet);
		break;
	case FATE_REDIRECTED:
		fprintf(out, "REDIRECT to :%u: %s\n", e->port, port_meaning(e->port, listeners));
		break;
	case FATE_TPROXIED:
		fprintf(out, "TPROXY to :%u: %s, both addresses kept\n", e->port, port_meaning(e->port, listeners));
		break;
	case FATE_DROPPED:
		fprintf(out, "DROP: %s\n",
			packet->ctstate == CTSTATE_INVALID ? "conntrack calls it INVALID (--drop-invalid)" :
							     "the last rule above drops it");
		break;
	}
}
