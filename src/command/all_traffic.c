/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What rules do with all packets at once. */
#include "all_traffic.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backends.h"
#include "command.h"
#include "live_rules.h"
#include "log.h"
#include "text.h"
#include "traffic.h"
#include "util.h"

/* Whether a rule decides, or changes what another rule set then decides: to let a packet go leaves it to the others. */
static bool does_anything(const struct rule *rule)
{
	switch ((enum target_kind)rule->target.kind) {
	case TARGET_RETURN:
	case TARGET_ACCEPT:
	case TARGET_JUMP:
	case TARGET_GOTO:
	case TARGET_SNAT: /* behind all that is decided here */
	case TARGET_NONE:
		return rule->unknown & UNKNOWN_ACTION;
	default:
		return true;
	}
}

static bool decides_anything(const struct ruleset *rs)
{
	for (enum table_id t = 0; rs && t < TABLES; t++)
		for (unsigned c = 0; c < rs->tables[t].n_chains; c++) {
			const struct chain *chain = &rs->tables[t].chains[c];

			if (chain->drops)
				return true;
			for (unsigned i = 0; i < chain->n_rules; i++)
				if (does_anything(&chain->rules[i]))
					return true;
		}
	return false;
}

/* What the packet's way does not change in postrouting's nat. */
static bool may_decide(const struct other_chain *other)
{
	return strcmp(other->type, "nat") != 0 || !strcmp(other->hook, "prerouting") || !strcmp(other->hook, "output");
}

/* Lines that say what else may decide: the rules of those backends (a mask), tables that nobody reads. */
static char *list_others(const struct context *ctx, unsigned backends)
{
	char *unless = NULL;
	size_t len = 0;
	FILE *out = xchecked(open_memstream(&unless, &len));

	for (enum backend_index b = 0; b < BACKENDS; b++)
		if (backends & 1u << b)
			fprintf(out, "  unless it is decided otherwise by the rules of %s, which there are, too\n",
				backend_name(b));
	for (unsigned i = 0; i < ctx->live.n_others; i++) {
		if (!may_decide(&ctx->live.others[i]))
			continue;
		fputs("  unless it is decided otherwise by ", out);
		text_print_other(out, &ctx->live.others[i]);
		fputc('\n', out);
	}
	explain_print_unread(out, ctx);
	fclose(out);
	return unless;
}

/* Backends that hold rules of anybody's, but for one: their rules see the packets, too, before or behind. */
static unsigned other_backends(const struct context *ctx, enum backend_index index)
{
	unsigned backends = 0;

	for (enum backend_index b = 0; b < BACKENDS; b++)
		if (b != index && decides_anything(ctx->live.rules[b]))
			backends |= 1u << b;
	return backends;
}

static void print_traffic(const struct traffic *traffic, enum layout layout, const struct config *cfg, const char *unless)
{
	struct listeners listeners = { cfg->proxy_port, cfg->inbound_port, cfg->dns_port };
	struct emit document;

	if (traffic->asleep)
		log_warn("a table is dormant, or a chain is not hooked in as its name says, and decides nothing");
	if (cfg->output == PRINT_TEXT) {
		text_print_traffic(stdout, traffic, layout, &listeners);
		fputs(unless, stdout);
		return;
	}
	emit_begin(&document, stdout);
	emit_string(&document, "command", "explain");
	text_json_traffic(&document, traffic, layout, unless);
	emit_finish(&document);
}

static int explain_wanted(const struct config *cfg, struct err *err)
{
	struct traffic_rules rules = { .rules = NULL };
	struct traffic traffic = { 0 };
	struct ruleset *rs;
	int rc;

	rules.rules = rs = explain_wanted_rules(cfg);
	rc = traffic_explain(&traffic, &rules, err);
	if (!rc)
		print_traffic(&traffic, rs->layout, cfg, "");
	traffic_free(&traffic);
	ruleset_free(rs);
	return rc;
}

static void tell_of_routes(const struct context *ctx, const struct traffic *traffic)
{
	for (unsigned i = 0; i < traffic->n; i++)
		if (traffic->classes[i].fate.fate == FATE_TPROXIED) {
			context_tell_of_routes(ctx, "taken to be there");
			return;
		}
}

/* A live rule does not say which option asked for it; the same rule of the options does. */
static void take_origins(struct chain *live, const struct chain *want, enum family family)
{
	const struct rule *rule;
	struct chain_iter it;

	chain_iter_init(&it, want, family);
	for (unsigned i = 0; i < live->n_rules; i++) {
		struct chain_iter from = it;

		if (live->rules[i].owner == RULE_FOREIGN || !(live->rules[i].families & family_mask(family)))
			continue;
		/* Mostly in the same order. */
		while ((rule = chain_iter_next(&it)) && !rule_equal(rule, &live->rules[i]))
			;
		if (rule)
			live->rules[i].origin = rule->origin;
		else
			it = from;
	}
}

static void find_origins(struct ruleset *live, const struct ruleset *want)
{
	for (enum table_id t = 0; t < TABLES; t++)
		for (unsigned c = 0; c < live->tables[t].n_chains; c++) {
			struct chain *chain = &live->tables[t].chains[c];
			const struct chain *same = ruleset_find(want, t, chain->name);

			if (same && live->layout == LAYOUT_NATIVE)
				take_origins(chain, same, FAMILIES);
			for (enum family f = 0; same && live->layout != LAYOUT_NATIVE && f < FAMILIES; f++)
				take_origins(chain, same, f);
		}
}

static int explain_live(struct context *ctx, struct err *err)
{
	auto_free char *unless = NULL;
	struct traffic traffic = { 0 };
	struct traffic_rules rules = { .routes = ctx->live.routes };
	enum backend_index index;
	struct ruleset *want;
	bool holds;
	int rc = explain_choose_backend(&index, &holds, ctx, err);

	if (rc)
		return rc;
	want = context_wanted(ctx, index, ctx->families, true);
	find_origins(ctx->live.rules[index], want);
	rules.rules = ctx->live.rules[index];
	rc = traffic_explain(&traffic, &rules, err);
	if (!rc) {
		if (!holds)
			log_info("%s", *ctx->cfg->rules ? "there are no Istio rules in the file" :
							  "no Istio rules are live in this network namespace");
		tell_of_routes(ctx, &traffic);
		unless = list_others(ctx, other_backends(ctx, index));
		print_traffic(&traffic, rules.rules->layout, ctx->cfg, unless);
	}
	traffic_free(&traffic);
	ruleset_free(want);
	return rc;
}

static int with_live(const struct config *cfg, int (*function)(struct context *, struct err *), struct err *err)
{
	struct context ctx;
	int rc = context_open(&ctx, cfg, INTENT_LOOK, err);

	ctx.live.chains = true;
	rc = rc ? rc : context_read(&ctx, err);
	rc = rc ? rc : function(&ctx, err);
	context_close(&ctx);
	return rc;
}

int traffic_explained(const struct config *cfg, struct err *err)
{
	if (cfg->words[1])
		return err_set(err, STATUS_USAGE, EINVAL, "explain traffic: expected nothing behind it but options");
	return cfg->live || *cfg->rules ? with_live(cfg, explain_live, err) : explain_wanted(cfg, err);
}

static void print_changes(const struct context *ctx, const struct traffic *traffic, const struct plan *plan,
			  enum backend_index from, const char *unless)
{
	const struct config *cfg = ctx->cfg;
	const struct text_change change = {
		.from = backend_layout(from),
		.to = backend_layout(plan->want.backend),
		.listeners = { cfg->proxy_port, cfg->inbound_port, cfg->dns_port },
	};
	bool equal = !traffic->n && !traffic->n_doubts;
	struct emit document;

	if (cfg->output == PRINT_TEXT) {
		text_print_changes(stdout, traffic, &change);
		if (equal)
			printf("no packet is treated differently%s\n", plan->n ? ", though the rules differ" : "");
		fputs(unless, stdout);
		return;
	}
	emit_begin(&document, stdout);
	emit_string(&document, "command", "diff");
	emit_bool(&document, "equal", equal);
	text_json_changes(&document, traffic, &change, unless);
	emit_finish(&document);
}

static struct ruleset *result(const struct plan *plan, enum backend_index backend)
{
	return steps_result(plan->steps, plan->n, backend, plan->live->rules[backend]);
}

/* What an apply leaves of other backends' rules. */
static unsigned left_backends(const struct plan *plan)
{
	unsigned backends = 0;

	for (enum backend_index b = 0; b < BACKENDS; b++) {
		struct ruleset *left = b == plan->want.backend ? NULL : result(plan, b);

		if (decides_anything(left))
			backends |= 1u << b;
		ruleset_free(left);
	}
	return backends;
}

/* The rules that an apply would leave, against those that are there. */
static int compare(struct context *ctx, const struct plan *plan, enum backend_index from, struct err *err)
{
	auto_free char *unless = NULL;
	struct traffic traffic = { 0 };
	struct traffic_rules before = { ctx->live.rules[from], ctx->live.routes }, after = { .rules = NULL };
	struct ruleset *rs;
	int rc;

	find_origins(ctx->live.rules[from], plan->want.rules);
	after.rules = rs = result(plan, plan->want.backend);
	rc = traffic_compare(&traffic, &before, &after, err);
	if (!rc) {
		tell_of_routes(ctx, &traffic);
		unless = list_others(ctx, other_backends(ctx, from) | left_backends(plan));
		print_changes(ctx, &traffic, plan, from, unless);
		rc = traffic.n || traffic.n_doubts ? STATUS_DIFFERENT : STATUS_DONE;
	}
	traffic_free(&traffic);
	ruleset_free(rs);
	return rc;
}

/* Who decides now: who holds Istio's rules; else who holds any. */
static enum backend_index holder(const struct context *ctx, enum backend_index want)
{
	if (backends_holds(ctx, want))
		return want;
	for (enum backend_index b = 0; b < BACKENDS; b++)
		if (backends_holds(ctx, b))
			return b;
	for (enum backend_index b = 0; b < BACKENDS && !decides_anything(ctx->live.rules[want]); b++)
		if (decides_anything(ctx->live.rules[b]))
			return b;
	return want;
}

static int compare_live(struct context *ctx, struct err *err)
{
	struct ruleset *rules;
	struct plan plan;
	int rc = diff_plan(&plan, &rules, ctx, true, err);

	if (rc)
		return rc;
	rc = compare(ctx, &plan, holder(ctx, plan.want.backend), err);
	plan_free(&plan);
	ruleset_free(rules);
	return rc;
}

int traffic_compared(const struct config *cfg, struct err *err)
{
	return with_live(cfg, compare_live, err);
}
