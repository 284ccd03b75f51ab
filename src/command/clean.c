/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "backends.h"
#include "command.h"
#include "log.h"
#include "print.h"
#include "transaction.h"

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
	bool *changed = data;
	struct plan plan;
	int rc;

	plan_make(&plan, &ctx->live, &want);
	*changed = plan.n;
	rc = transaction_run(ctx, &plan, err);
	plan_free(&plan);
	return rc;
}

int command_clean(const struct config *cfg, struct err *err)
{
	struct context ctx;
	bool changed = false;
	int rc;

	/* A dry run looks at nothing of the machine, and after a clean no rule of ours is left to print. */
	if (cfg->dry_run) {
		log_info("would remove all that istio-init show prints");
		return STATUS_DONE;
	}
	rc = context_open(&ctx, cfg, INTENT_CLEAN, err);
	if (!rc)
		rc = transaction_attempt(&ctx, &(struct attempt){ attempt_clean, NULL, &changed }, err);
	if (!rc)
		warn_of_left_rules(&ctx);
	if (!rc)
		log_info(changed ? "removed the Istio rules, address and routes" : "nothing to clean");
	context_close(&ctx);
	return rc;
}
