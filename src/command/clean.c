/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>

#include "backends.h"
#include "command.h"
#include "foreign.h"
#include "log.h"
#include "print.h"
#include "transaction.h"
#include "util.h"

/* What the plan of the last attempt has removed, in words, and how much is left. */
struct removal {
	char *text; /* NULL: nothing */
	unsigned rules;
	unsigned foreign; /* rules of others, in the tables that hold ours */
};

static void put_count(FILE *out, unsigned n, const char *one)
{
	if (n)
		fprintf(out, "%s%u %s%s", ftell(out) ? ", " : "", n, one, n > 1 ? "s" : "");
}

static void put_backend(FILE *out, const struct plan *plan, enum backend_index backend)
{
	const char *name = backend_name(backend);
	unsigned rules = 0, chains = 0;

	for (unsigned i = 0; i < plan->n; i++) {
		const struct step *step = &plan->steps[i];

		if (step->backend != backend || step->action != STEP_DELETE)
			continue;
		rules += step->kind == STEP_RULES ? step->n : 0;
		chains += step->kind == STEP_CHAIN || step->kind == STEP_TABLE;
	}
	put_count(out, rules, "rule");
	if (!rules && chains)
		fprintf(out, "%sempty chains", ftell(out) ? ", " : "");
	if (rules || chains)
		fprintf(out, " of %s", name);
}

static void put_routes(FILE *out, const struct plan *plan)
{
	unsigned n[ROUTE_ROUTE + 1] = { 0 };
	bool guard = false;

	for (unsigned i = 0; i < plan->n; i++) {
		if (plan->steps[i].kind == STEP_ROUTE)
			n[plan->steps[i].route->kind]++;
		guard |= plan->steps[i].kind == STEP_GUARD;
	}
	if (guard)
		fprintf(out, "%stable inet " GUARD_TABLE, ftell(out) ? ", " : "");
	if (n[ROUTE_ADDRESS])
		fprintf(out, "%saddress ::6", ftell(out) ? ", " : "");
	put_count(out, n[ROUTE_RULE], "ip rule");
	put_count(out, n[ROUTE_ROUTE], "route");
}

static char *removed_text(const struct plan *plan)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = xchecked(open_memstream(&text, &len));

	for (enum backend_index b = 0; b < BACKENDS; b++)
		put_backend(out, plan, b);
	put_routes(out, plan);
	fclose(out);
	return text;
}

/*
 * The plan for wanting nothing.  Rules first: a route without rules captures nothing, rules without their route lose
 * traffic.
 */
static int attempt_clean(struct context *ctx, void *data, struct err *err)
{
	struct plan_want want = {
		.backend = BACKENDS,
		.known = ctx->known,
		.routes = context_wanted_routes(ctx),
		.ambient = true,
	};
	struct removal *removal = data;
	struct plan plan;
	int rc;

	plan_make(&plan, &ctx->live, &want);
	free(removal->text);
	removal->text = plan.n ? removed_text(&plan) : NULL;
	removal->rules = removal->foreign = 0;
	for (unsigned i = 0; i < plan.n; i++)
		removal->rules += plan.steps[i].kind == STEP_RULES ? plan.steps[i].n : 0;
	for (enum backend_index b = 0; b < BACKENDS; b++)
		removal->foreign += ctx->live.rules[b] ? foreign_count(ctx->live.rules[b]) : 0;
	rc = transaction_run(ctx, &plan, err);
	plan_free(&plan);
	return rc;
}

static void log_removal(const struct removal *removal, uint64_t start)
{
	uint64_t us = clock_us() - start;
	char left[48] = "", members[96];

	if (removal->foreign)
		snprintf(left, sizeof(left), "; left %u rule%s of others", removal->foreign,
			 removal->foreign > 1 ? "s" : "");
	snprintf(members, sizeof(members), "\"rules\":%u,\"left\":%u,\"milliseconds\":%u.%02u,\"changed\":%s,",
		 removal->rules, removal->foreign, (unsigned)(us / 1000), (unsigned)(us % 1000 / 10),
		 removal->text ? "true" : "false");
	log_members(LOG_INFO, members, "%s%s%s", removal->text ? "removed " : "nothing to clean",
		    removal->text ? removal->text : "", left);
}

int command_clean(const struct config *cfg, struct err *err)
{
	struct removal removal = { 0 };
	uint64_t start = clock_us();
	struct context ctx;
	int rc;

	/* A dry run looks at nothing of the machine, and after a clean no rule of ours is left to print. */
	if (cfg->dry_run) {
		log_info("would remove all that istio-init show prints");
		return STATUS_DONE;
	}
	rc = context_open(&ctx, cfg, INTENT_CLEAN, err);
	if (!rc)
		rc = transaction_attempt(&ctx, &(struct attempt){ attempt_clean, NULL, &removal }, err);
	if (!rc) {
		warn_of_left_rules(&ctx);
		log_removal(&removal, start);
	}
	free(removal.text);
	context_close(&ctx);
	return rc;
}
