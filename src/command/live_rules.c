/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "live_rules.h"

#include "backends.h"
#include "capture.h"
#include "ownership.h"
#include "system.h"

/* What auto would find out on the machine is taken as there, as in a dry run. */
struct ruleset *explain_wanted_rules(const struct config *cfg)
{
	return capture_build(cfg, &(struct capture_options){
					  .layout = cfg->backend == BACKEND_NFTABLES ? LAYOUT_NATIVE : LAYOUT_IPTABLES,
					  .families = cfg->ipv6 == OFF ? FAMILY_BIT(IPV4) : FAMILY_BOTH,
					  .zones = true,
				  });
}

int explain_choose_backend(enum backend_index *index, bool *holds, struct context *ctx, struct err *err)
{
	struct choice choice;
	int rc;

	backends_choose(&choice, ctx);
	rc = backends_first(index, ctx, &choice, err);
	if (rc)
		return rc;
	*holds = ownership_has_ours(ctx->live.rules[*index]);
	for (enum backend_index b = 0; b < BACKENDS && !*holds && ctx->cfg->backend == BACKEND_AUTO; b++)
		if (ruleset_is_empty(ctx->live.rules[*index]) && ctx->live.rules[b] &&
		    !ruleset_is_empty(ctx->live.rules[b]))
			*index = b;
	return 0;
}

void explain_print_unread(FILE *out, const struct context *ctx)
{
	if (ctx->live.has_others)
		fprintf(out,
			"  unless it is decided otherwise by table filter or security of %s, which istio-init does not read\n",
			*ctx->cfg->rules ? "the file" : "iptables-legacy");
}

int diff_plan(struct plan *plan, struct ruleset **rules, struct context *ctx, bool spelling, struct err *err)
{
	struct plan_want want = {
		.routes = context_wanted_routes(ctx), .known = ctx->known, .spelling = spelling, .memory = memory_limit
	};
	struct choice choice;
	int rc;

	backends_choose(&choice, ctx);
	rc = backends_first(&want.backend, ctx, &choice, err);
	if (rc)
		return rc;
	want.rules = *rules = context_wanted(ctx, want.backend, ctx->families, true);
	plan_make(plan, &ctx->live, &want);
	return 0;
}
