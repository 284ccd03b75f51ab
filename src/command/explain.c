/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "explain.h"

#include <stdio.h>
#include <string.h>

#include "backends.h"
#include "capture.h"
#include "command.h"
#include "links.h"
#include "text.h"

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
static void explain_family_off(struct explanation *e, const struct config *cfg, enum layout layout,
			       const struct packet *packet)
{
	struct ruleset *both = capture_build(cfg, &(struct capture_options){ .layout = layout, .families = FAMILY_BOTH });
	struct explanation on, before;
	struct err err;

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

/* @want: NULL if @rs is what the options ask for. */
static int explain_with(const struct config *cfg, const struct ruleset *rs, const struct ruleset *want, struct err *err)
{
	struct explanation e;
	struct packet packet;
	int rc = packet_parse(&packet, cfg->words, err);

	if (rc)
		return rc;
	if (want)
		use_live_route(&packet);
	rc = explain_packet(&e, rs, &packet, err);
	if (!rc && want) {
		find_origins(e.steps, e.n_steps, want, packet.family);
		find_origins(e.reasons, e.n_reasons, want, packet.family);
	}
	if (!rc && packet.family == IPV6 && !(rs->families & FAMILY_BIT(IPV6)) && e.fate == FATE_PASSES)
		explain_family_off(&e, cfg, rs->layout, &packet);
	if (!rc)
		text_print_explanation(stdout, &e, &packet, rs->layout,
				       &(struct listeners){ cfg->proxy_port, cfg->inbound_port, cfg->dns_port });
	explanation_free(&e);
	return rc;
}

/* What auto would find out on the machine is taken as there, as in a dry run. */
static int explain_wanted(const struct config *cfg, struct err *err)
{
	struct ruleset *rs =
		capture_build(cfg, &(struct capture_options){
					   .layout = cfg->backend == BACKEND_NFTABLES ? LAYOUT_NATIVE : LAYOUT_IPTABLES,
					   .families = cfg->ipv6 == OFF ? FAMILY_BIT(IPV4) : FAMILY_BOTH,
					   .zones = true,
				   });
	int rc = explain_with(cfg, rs, NULL, err);

	ruleset_free(rs);
	return rc;
}

static int explain_live(struct context *ctx, struct err *err)
{
	enum backend_index index;
	struct choice choice;
	struct ruleset *want;
	int rc = backends_choose(&choice, ctx, err);

	rc = rc ? rc : backends_first(&index, ctx, &choice, err);
	if (rc)
		return rc;
	want = context_wanted(ctx, backend_layout(index), ctx->families, true);
	/* A user's rules decide, too: what is live is looked at as a whole. */
	rc = explain_with(ctx->cfg, ctx->live.rules[index], want, err);
	ruleset_free(want);
	return rc;
}

int command_explain(const struct config *cfg, struct err *err)
{
	struct context ctx;
	int rc;

	if (!cfg->live)
		return explain_wanted(cfg, err);
	rc = context_open(&ctx, cfg, INTENT_LOOK, err);
	rc = rc ? rc : context_read(&ctx, err);
	rc = rc ? rc : explain_live(&ctx, err);
	context_close(&ctx);
	return rc;
}
