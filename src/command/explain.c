/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "explain.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "all_traffic.h"
#include "backends.h"
#include "capture.h"
#include "command.h"
#include "live_rules.h"
#include "links.h"
#include "ownership.h"
#include "text.h"
#include "util.h"

static const char *find_origin(const struct explain_step *step, const struct ruleset *want, enum family family)
{
	const struct chain *chain = ruleset_find(want, step->table, step->chain);
	const struct rule *rule;
	struct chain_iter it;

	for (unsigned i = 0; chain && want->layout == LAYOUT_NATIVE && i < chain->n_rules; i++)
		if (rule_equal(&chain->rules[i], &step->rule))
			return chain->rules[i].origin;
	chain_iter_init(&it, chain, family);
	while ((rule = chain_iter_next(&it)))
		if (rule_equal(rule, &step->rule))
			return rule->origin;
	return NULL;
}

/* A live rule does not say which option asked for it; the same rule of the options does, or else its looks. */
static void find_origins(struct explain_step *steps, unsigned n, const struct ruleset *want, enum family family)
{
	for (unsigned i = 0; i < n; i++) {
		const char *origin = find_origin(&steps[i], want, family);

		steps[i].rule.origin = origin ? origin : rule_guess_origin(&steps[i].rule, steps[i].chain, steps[i].hook);
	}
}

/* Without rules for IPv6 it takes those for both families to know what else keeps the packet from capture. */
static void explain_family_off(struct explanation *e, const struct config *cfg, const struct ruleset *rs,
			       const struct packet *packet)
{
	struct explanation on, before;
	struct ruleset *both;
	struct err err;

	if (packet->family != IPV6 || rs->families & FAMILY_BIT(IPV6) || e->fate != FATE_PASSES)
		return;
	both = capture_build(cfg, &(struct capture_options){ .layout = rs->layout, .families = FAMILY_BOTH });
	if (!explain_packet(&on, both, packet, &err)) {
		e->by_family = on.fate != FATE_PASSES || on.n_reasons || on.by_groups;
		e->by_groups = on.by_groups;
		before = *e;
		e->reasons = on.reasons;
		e->n_reasons = on.n_reasons;
		on.reasons = before.reasons;
		on.n_reasons = before.n_reasons;
	}
	explanation_free(&on);
	ruleset_free(both);
}

/* The live routes know by where a packet leaves: by lo if it is for the pod itself. */
static void use_live_route(struct packet *packet)
{
	struct netns_route route;

	if (packet->hook != HOOK_OUTPUT || !netns_find_route(&route, packet->family, packet->dst, packet->mark))
		return;
	if (packet->guessed_iface)
		memcpy(packet->oif.name, route.oif, sizeof(route.oif));
	if (packet->guessed_src && route.has_src)
		memcpy(packet->src, route.src, sizeof(packet->src));
}

/* @unless: lines that say what else may decide. */
static void print_explanation(const struct explanation *e, const struct packet *packet, enum layout layout,
			      const struct config *cfg, const char *unless)
{
	struct listeners listeners = { cfg->proxy_port, cfg->inbound_port, cfg->dns_port };
	struct emit document;

	if (cfg->output == PRINT_TEXT) {
		text_print_explanation(stdout, e, packet, layout, &listeners);
		fputs(unless, stdout);
		return;
	}
	emit_begin(&document, stdout);
	emit_string(&document, "command", "explain");
	text_json_explanation(&document, e, packet, layout, &listeners, unless);
	emit_finish(&document);
}

static int explain_wanted(const struct config *cfg, struct err *err)
{
	struct ruleset *rs = explain_wanted_rules(cfg);
	struct explanation e = { 0 };
	struct packet packet;
	int rc = packet_parse(&packet, cfg->words, err);

	rc = rc ? rc : explain_packet(&e, rs, &packet, err);
	if (!rc) {
		explain_family_off(&e, cfg, rs, &packet);
		print_explanation(&e, &packet, rs->layout, cfg, "");
	}
	explanation_free(&e);
	ruleset_free(rs);
	return rc;
}

/* Rules of the other backends see the packet, too, before or behind: nobody can tell. */
static int print_other_backends(FILE *out, const struct context *ctx, enum backend_index index,
				const struct packet *packet, struct err *err)
{
	int rc = 0;

	for (enum backend_index b = 0; b < BACKENDS && !rc; b++) {
		const struct ruleset *rs = ctx->live.rules[b];
		struct explanation e;

		if (!rs || b == index)
			continue;
		rc = explain_packet(&e, rs, packet, err);
		if (!rc && (e.fate != FATE_PASSES || e.n_doubts || e.mark != packet->mark)) {
			fprintf(out, "  unless %s decides otherwise: ", backend_name(b));
			text_print_decider(out, &e, packet->family, rs->layout);
			fputc('\n', out);
		}
		explanation_free(&e);
	}
	return rc;
}

/* Whether the packet comes by a hook: nat is asked where destinations change. */
static bool meets(const struct other_chain *other, const struct packet *packet, const struct explanation *e)
{
	static const struct {
		const char *hook;
		bool in, out, nat;
	} hooks[] = {
		{ "ingress", true, false, false }, { "prerouting", true, false, true },
		{ "input", true, false, false },   { "forward", true, false, false },
		{ "output", false, true, true },   { "postrouting", false, true, false },
		{ "egress", false, true, false },
	};
	bool in = packet->hook == HOOK_PREROUTING || e->over_lo;

	for (unsigned i = 0; i < ARRAY_SIZE(hooks); i++)
		if (!strcmp(hooks[i].hook, other->hook))
			return other->families & FAMILY_BIT(packet->family) &&
			       (hooks[i].nat || strcmp(other->type, "nat") != 0) &&
			       ((hooks[i].in && in) || (hooks[i].out && packet->hook == HOOK_OUTPUT));
	return false;
}

static void print_other_chains(FILE *out, const struct context *ctx, const struct packet *packet,
			       const struct explanation *e)
{
	const struct live *live = &ctx->live;

	for (unsigned i = 0; i < live->n_others; i++) {
		if (!meets(&live->others[i], packet, e))
			continue;
		fputs("  unless it is decided otherwise by ", out);
		text_print_other(out, &live->others[i]);
		fputc('\n', out);
	}
	explain_print_unread(out, ctx);
}

/* Only the live routes know whether what a DNAT rule sends elsewhere stays in the pod, and comes in by lo. */
static int explain_by_routes(struct explanation *e, const struct context *ctx, const struct ruleset *rs,
			     struct packet *packet, struct err *err)
{
	int rc = explain_packet(e, rs, packet, err);
	struct netns_route route;

	if (rc || *ctx->cfg->rules || packet->hook != HOOK_OUTPUT || e->fate != FATE_TRANSLATED || !e->has_addr ||
	    !netns_find_route(&route, packet->family, e->addr, e->mark) || strcmp(route.oif, "lo") != 0)
		return rc;
	packet->dnat_stays = true;
	explanation_free(e);
	return explain_packet(e, rs, packet, err);
}

/* The explanation, and what else than the ruleset may decide. */
static int print_live(const struct context *ctx, enum backend_index index, const struct packet *packet,
		      const struct explanation *e, struct err *err)
{
	auto_free char *unless = NULL;
	size_t len = 0;
	FILE *out = xchecked(open_memstream(&unless, &len));
	int rc = print_other_backends(out, ctx, index, packet, err);

	print_other_chains(out, ctx, packet, e);
	fclose(out);
	print_explanation(e, packet, ctx->live.rules[index]->layout, ctx->cfg, unless);
	return rc;
}

/* The mark that TPROXY sets, or that the rules restore, is what ip rules look at: those of the kernel, or of the file. */
static void explain_by_mark(struct explanation *e, const struct packet *packet, const struct context *ctx)
{
	const struct netns_flow in = {
		.family = packet->family,
		.src = packet->src,
		.dst = packet->dst,
		.iif = e->over_lo ? "lo" : packet->iif.name,
		.mark = e->mark,
	};
	const struct netns_flow answer = { .family = packet->family, .dst = packet->src, .mark = e->mark };

	if (e->fate != FATE_TPROXIED)
		return;
	if (!*ctx->cfg->rules)
		explain_routes(e, packet, ctx->live.routes, netns_delivers(&in), netns_delivers(&answer));
	else if (ctx->live.routes)
		explain_routes(e, packet, ctx->live.routes, -1, -1);
	else
		context_tell_of_routes(ctx, "taken to be there");
}

static int explain_live(struct context *ctx, struct err *err)
{
	struct explanation e = { 0 };
	enum backend_index index;
	struct packet packet;
	const struct ruleset *rs;
	struct ruleset *want;
	bool holds;
	int rc = packet_parse(&packet, ctx->cfg->words, err);

	rc = rc ? rc : explain_choose_backend(&index, &holds, ctx, err);
	if (rc)
		return rc;
	if (!*ctx->cfg->rules)
		use_live_route(&packet);
	rs = ctx->live.rules[index];
	want = context_wanted(ctx, index, ctx->families, true);
	rc = explain_by_routes(&e, ctx, rs, &packet, err);
	if (!rc) {
		find_origins(e.steps, e.n_steps, want, packet.family);
		find_origins(e.reasons, e.n_reasons, want, packet.family);
		explain_by_mark(&e, &packet, ctx);
		e.by_nothing = !holds;
		e.saved = *ctx->cfg->rules;
		if (holds)
			explain_family_off(&e, ctx->cfg, rs, &packet);
		rc = print_live(ctx, index, &packet, &e, err);
	}
	explanation_free(&e);
	ruleset_free(want);
	return rc;
}

int command_explain(const struct config *cfg, struct err *err)
{
	struct context ctx;
	int rc;

	if (cfg->words && cfg->words[0] && !strcmp(cfg->words[0], "traffic"))
		return traffic_explained(cfg, err);
	if (!cfg->live && !*cfg->rules)
		return explain_wanted(cfg, err);
	rc = context_open(&ctx, cfg, INTENT_LOOK, err);
	ctx.live.chains = true;
	rc = rc ? rc : context_read(&ctx, err);
	rc = rc ? rc : explain_live(&ctx, err);
	context_close(&ctx);
	return rc;
}
