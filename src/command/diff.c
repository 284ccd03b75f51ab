/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "all_traffic.h"
#include "backends.h"
#include "beside.h"
#include "command.h"
#include "live_rules.h"
#include "log.h"
#include "print.h"
#include "refusal.h"
#include "text.h"

/* NO_COLOR: https://no-color.org */
static bool use_color(const struct config *cfg)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (cfg->color != COLOR_AUTO)
		return cfg->color == COLOR_ALWAYS;
	return isatty(STDOUT_FILENO) && !(no && *no) && !(term && !strcmp(term, "dumb"));
}

static void print_line(FILE *out, enum step_action action, const char *text, bool color)
{
	const char *on = !color ? "" : action == STEP_ADD ? "\033[32m" : "\033[31m";

	fprintf(out, "%s%c%s%s\n", on, action == STEP_ADD ? '+' : '-', text, *on ? "\033[m" : "");
}

/* What is no rule.  Of a move to come the guard goes as it came; one that was left behind is a difference. */
static void print_others(FILE *out, const struct plan *plan, bool color)
{
	char text[ROUTE_TEXT_MAX];

	for (unsigned i = 0; i < plan->n; i++) {
		const struct step *step = &plan->steps[i];

		if (step->kind == STEP_ROUTE)
			print_line(out, step->action, route_text(step->route, "", text), color);
		else if (step->kind == STEP_GUARD && step->action == STEP_DELETE && plan->live->guard)
			print_line(out, STEP_DELETE, "table inet " GUARD_TABLE, color);
	}
}

static bool is_equal(const struct plan *plan)
{
	return (!plan->n || plan->same) && !plan->blocked;
}

static void print_document(FILE *out, const struct context *ctx, const struct plan *plan)
{
	struct emit document;
	struct err err;

	emit_begin(&document, out);
	emit_string(&document, "command", "diff");
	emit_string(&document, "backend", backend_name(plan->want.backend));
	emit_bool(&document, "equal", is_equal(plan));
	if (plan->refusal != PLAN_FREE || plan->blocked) {
		refusal_set(ctx, plan, &err);
		emit_string(&document, "refused", err.what);
	} else {
		emit_null(&document, "refused");
	}
	emit_array(&document, "actions");
	for (unsigned i = 0; i < plan->n; i++)
		text_json_step(&document, plan, &plan->steps[i], backend_name(plan->steps[i].backend));
	emit_end(&document);
	emit_finish(&document);
}

/*
 * An apply finds out by writing whether the kernel has conntrack zones, and leaves them out where it has none.  Nothing
 * that only looks can tell, so the difference stays one, and what would settle it is said.
 */
static void warn_of_zones(const struct context *ctx, const struct plan_want *want)
{
	struct plan_want without = *want;
	struct ruleset *rules;
	struct plan plan;

	if (ctx->cfg->dns_zones != AUTO)
		return;
	without.rules = rules = context_wanted(ctx, want->backend, ctx->families, false);
	plan_make(&plan, &ctx->live, &without);
	if (!plan.n && !plan.blocked)
		log_warn("nothing but conntrack zones is missing; if this kernel has none (apply warns of it), "
			 "compare with --dns-zones=off");
	plan_free(&plan);
	ruleset_free(rules);
}

static int diff(struct context *ctx, FILE *out, struct err *err)
{
	bool color = use_color(ctx->cfg);
	struct ruleset *rules;
	struct plan plan;
	int rc = diff_plan(&plan, &rules, ctx, ctx->cfg->reconcile || ctx->cfg->force_apply, err);

	if (rc)
		return rc;
	warn_of_left_rules(ctx);
	tell_of_ambient(ctx, &plan);
	warn_of_front(&plan);
	warn_of_translated_dns(ctx);
	context_tell_of_routes(ctx, "not compared");
	warn_of_dns_in_front(ctx);
	if (ctx->cfg->output == PRINT_JSON) {
		print_document(out, ctx, &plan);
	} else {
		print_rules_diff(out, ctx, &plan, color);
		print_others(out, &plan, color);
	}
	if (plan.same)
		log_info("what is live is written differently, but no packet is treated differently: an apply leaves it as it is");
	else if (plan.respells)
		log_info("what is live are Istio's own native tables, which mean the same: an apply replaces them, "
			 "without --reconcile");
	else if (plan.n)
		warn_of_zones(ctx, &plan.want);
	rc = is_equal(&plan) ? STATUS_DONE : STATUS_DIFFERENT;
	plan_free(&plan);
	ruleset_free(rules);
	return rc;
}

int diff_print(const struct config *cfg, FILE *out, struct err *err)
{
	struct context ctx;
	int rc = context_open(&ctx, cfg, INTENT_LOOK, err);

	rc = rc ? rc : context_read(&ctx, err);
	rc = rc ? rc : diff(&ctx, out, err);
	context_close(&ctx);
	return rc;
}

int command_diff(const struct config *cfg, struct err *err)
{
	return cfg->traffic ? traffic_compared(cfg, err) : diff_print(cfg, stdout, err);
}
