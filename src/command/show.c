/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>

#include "backends.h"
#include "command.h"
#include "log.h"
#include "ownership.h"
#include "print.h"
#include "text.h"

/* @document: NULL for text. */
static void show_backend(const struct context *ctx, enum backend_index index, struct emit *document)
{
	struct text_options options = {
		.families = print_families(ctx->cfg),
		.counters = ctx->cfg->counters || document,
	};

	if (document) {
		text_json_backend(document, backend_name(index), ctx->live.rules[index], &options);
		return;
	}
	if (!*ctx->cfg->rules || ctx->saved.backend != BACKENDS)
		printf("# %s\n", backend_name(*ctx->cfg->rules ? ctx->saved.backend : index));
	text_print_ruleset(stdout, ctx->live.rules[index], &options);
}

static bool show_backends(const struct context *ctx, struct emit *document)
{
	bool found = false;

	for (enum backend_index i = 0; i < BACKENDS; i++)
		if (ctx->live.rules[i] && ownership_has_ours(ctx->live.rules[i])) {
			show_backend(ctx, i, document);
			found = true;
		}
	return found;
}

/* What is left of a run that was killed, too; a file may say nothing of it. */
static bool show_all(const struct context *ctx, bool json)
{
	const struct routes *routes = ctx->live.routes ? ctx->live.routes : &routes_of_nothing;
	struct routes_want want = context_wanted_routes(ctx);
	unsigned families = print_families(ctx->cfg);
	struct emit document;
	bool found;

	want.ambient = true;
	if (!json) {
		found = show_backends(ctx, NULL);
		text_print_routes(stdout, routes, &want, families);
		return found;
	}
	emit_begin(&document, stdout);
	emit_string(&document, "command", "show");
	emit_array(&document, "backends");
	found = show_backends(ctx, &document);
	emit_end(&document);
	text_json_routes(&document, routes, &want, families);
	emit_finish(&document);
	return found;
}

/* What can be seen is shown; what cannot be looked at is no "nothing is live". */
static int show(const struct context *ctx, struct err *err)
{
	bool found = show_all(ctx, ctx->cfg->output == PRINT_JSON);

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
