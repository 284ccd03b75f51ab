/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "explain.h"

#include <stdio.h>
#include <string.h>

#include "capture.h"
#include "run.h"
#include "system.h"
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

/* A live rule does not say which option asked for it; the same rule of the options does. */
static void find_origins(struct explanation *e, const struct ruleset *want, enum family family)
{
	for (unsigned i = 0; i < e->n_steps; i++)
		e->steps[i].rule.origin = find_origin(&e->steps[i], want, family);
	for (unsigned i = 0; i < e->n_reasons; i++)
		e->reasons[i].rule.origin = find_origin(&e->reasons[i], want, family);
}

/* The native layout names the included groups where it captures, not in a rule that lets the others go. */
static bool is_kept_by_groups(const struct config *cfg, const struct ruleset *rs, const struct packet *packet)
{
	const struct range_list *groups = &cfg->owner_groups;
	bool captured = false;

	if (rs->layout != LAYOUT_NATIVE || groups->all || packet->hook != HOOK_OUTPUT)
		return false;
	for (uint32_t i = 0; i < groups->n && !captured; i++) {
		struct packet member = *packet;
		struct explanation e;
		struct err err;

		member.gid = groups->items[i].lo;
		captured = !explain_packet(&e, rs, &member, &err) && e.fate != FATE_PASSES;
		explanation_free(&e);
	}
	return captured;
}

/* Whether rules for both families would capture what those for IPv4 alone do not. */
static bool is_kept_by_family(const struct config *cfg, enum layout layout, const struct packet *packet)
{
	struct ruleset *both;
	struct explanation e;
	struct err err;
	bool captured;

	if (packet->family != IPV6 || cfg->ipv6 != OFF)
		return false;
	both = capture_build(cfg, &(struct capture_options){ .layout = layout, .families = FAMILY_BOTH });
	captured = !explain_packet(&e, both, packet, &err) && e.fate != FATE_PASSES;
	explanation_free(&e);
	ruleset_free(both);
	return captured;
}

static const char *find_cause(const struct config *cfg, const struct ruleset *rs, const struct packet *packet)
{
	if (is_kept_by_family(cfg, rs->layout, packet))
		return "--ipv6=off";
	return is_kept_by_groups(cfg, rs, packet) ? "ISTIO_OUTBOUND_OWNER_GROUPS" : NULL;
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
	if (!rc && want)
		find_origins(&e, want, packet.family);
	if (!rc && e.fate == FATE_PASSES && !e.n_reasons)
		e.because = find_cause(cfg, rs, &packet);
	if (!rc)
		text_print_explanation(stdout, &e, &packet, rs->layout, cfg);
	explanation_free(&e);
	return rc;
}

/* What auto would find out on the machine is taken as there, as in a dry run. */
static int explain_wanted(const struct config *cfg, struct err *err)
{
	struct ruleset *rs = capture_build(cfg, &(struct capture_options){
		.layout = cfg->backend == BACKEND_NFTABLES ? LAYOUT_NATIVE : LAYOUT_IPTABLES,
		.families = cfg->ipv6 == OFF ? FAMILY_BIT(IPV4) : FAMILY_BOTH,
		.zones = true,
	});
	int rc = explain_with(cfg, rs, NULL, err);

	ruleset_free(rs);
	return rc;
}

static int explain_live(const struct run *run, struct err *err)
{
	const struct backend_ops *ops;
	struct backend *backend;
	struct ruleset *want;
	struct choice choice;
	int rc = choose_backend(&choice, run, err);

	if (rc)
		return rc;
	ops = choice.candidates[0];
	want = run_wanted(run, ops->layout, true);
	rc = ops->open(&backend, want, err);
	if (!rc) {
		rc = explain_with(run->cfg, ops->live(backend), want, err);
		ops->close(backend);
	}
	ruleset_free(want);
	return rc;
}

int command_explain(const struct config *cfg, struct err *err)
{
	struct run run;
	int rc;

	if (!cfg->live)
		return explain_wanted(cfg, err);
	rc = run_open(&run, cfg, INTENT_LOOK, err);
	if (!rc)
		rc = explain_live(&run, err);
	run_close(&run);
	return rc;
}
