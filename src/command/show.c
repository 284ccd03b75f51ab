/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>

#include "backends.h"
#include "command.h"
#include "log.h"
#include "ownership.h"
#include "text.h"

static void show_backend(const struct context *ctx, enum backend_index index)
{
	const struct config *cfg = ctx->cfg;
	struct text_options options = { .families = FAMILY_BOTH, .counters = cfg->counters };

	if (cfg->family != FAMILY_CHOICE_BOTH)
		options.families = FAMILY_BIT(cfg->family == FAMILY_CHOICE_IPV4 ? IPV4 : IPV6);
	if (*cfg->rules)
		log_info("Istio rules of the file:");
	else
		log_info("Istio rules of backend %s:", backend_name(index));
	text_print_ruleset(stdout, ctx->live.rules[index], &options);
}

/* What can be seen is shown; what cannot be looked at is no "nothing is live". */
static int show(const struct context *ctx, struct err *err)
{
	bool found = false;

	for (enum backend_index i = 0; i < BACKENDS; i++)
		if (ctx->live.rules[i] && ownership_has_ours(ctx->live.rules[i])) {
			show_backend(ctx, i);
			found = true;
		}
	for (enum engine_index i = ENGINES; i-- > 0;)
		if (ctx->rcs[i] && ctx->rcs[i] != -EOPNOTSUPP) {
			*err = ctx->errs[i];
			return ctx->rcs[i];
		}
	if (!found)
		log_info(*ctx->cfg->rules ? "there are no Istio rules in the file" :
					    "no Istio rules are live in this network namespace");
	return STATUS_DONE;
}

int command_show(const struct config *cfg, struct err *err)
{
	struct context ctx;
	int rc = context_open(&ctx, cfg, INTENT_SHOW, err);

	rc = rc ? rc : context_read(&ctx, err);
	rc = rc ? rc : show(&ctx, err);
	context_close(&ctx);
	return rc;
}
