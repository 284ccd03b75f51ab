/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends.h"
#include "beside.h"
#include "command.h"
#include "log.h"
#include "print.h"
#include "text.h"

/* NO_COLOR: https://no-color.org */
static bool use_color(const struct config *cfg)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (cfg->color != COLOR_AUTO)
		return cfg->color == COLOR_ALWAYS;
	return isatty(STDOUT_FILENO) && !(no && *no) && !(term && !strcmp(term, "dumb"));
}

static void print_routes(const struct plan *plan, bool color)
{
	char text[ROUTE_TEXT_MAX];

	for (unsigned i = 0; i < plan->n; i++) {
		const struct step *step = &plan->steps[i];
		const char *on = !color ? "" : step->action == STEP_ADD ? "\033[32m" : "\033[31m";

		if (step->kind == STEP_ROUTE)
			printf("%s%c%s%s\n", on, step->action == STEP_ADD ? '+' : '-',
			       route_text(step->route, "", text), *on ? "\033[m" : "");
	}
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

/* The plan that an apply would make, of what it would find. */
static int diff(struct context *ctx, struct err *err)
{
	bool color = use_color(ctx->cfg);
	struct choice choice;
	struct plan_want want = { .routes = context_wanted_routes(ctx), .known = ctx->known };
	struct ruleset *rules;
	struct plan plan;
	int rc = backends_choose(&choice, ctx, err);

	rc = rc ? rc : backends_first(&want.backend, ctx, &choice, err);
	if (rc)
		return rc;
	want.rules = rules = context_wanted(ctx, want.backend, ctx->families, true);
	plan_make(&plan, &ctx->live, &want);
	warn_of_left_rules(ctx);
	warn_of_front(&plan);
	warn_of_translated_dns(ctx);
	print_rules_diff(ctx, &plan, color);
	print_routes(&plan, color);
	if (plan.n)
		warn_of_zones(ctx, &want);
	rc = plan.n || plan.blocked ? STATUS_DIFFERENT : STATUS_DONE;
	plan_free(&plan);
	ruleset_free(rules);
	return rc;
}

int command_diff(const struct config *cfg, struct err *err)
{
	struct context ctx;
	int rc = context_open(&ctx, cfg, INTENT_LOOK, err);

	rc = rc ? rc : context_read(&ctx, err);
	rc = rc ? rc : diff(&ctx, err);
	context_close(&ctx);
	return rc;
}
