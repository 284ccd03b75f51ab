/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tell.h"

#include <stdio.h>
#include <stdlib.h>

#include "foreign.h"
#include "log.h"
#include "ownership.h"
#include "text.h"
#include "util.h"

/* Of the chains of one line, so many are named. */
#define CHAINS_SHOWN 8

static void tell_of_routes(const struct routes *routes)
{
	log_debug("found routes: lo is %s, %s, addresses of %s, %u ip rules and routes that may be Istio's",
		  routes->lo_up ? "up" : "down", routes->inbound6 ? "::6 is there" : "no ::6",
		  routes->global == FAMILY_BOTH     ? "both families" :
		  routes->global & FAMILY_BIT(IPV6) ? "ipv6" :
		  routes->global                    ? "ipv4" :
						      "no family yet",
		  routes->n);
}

void tell_of_live(const struct context *ctx)
{
	if (!log_enabled(LOG_DEBUG))
		return;
	if (ctx->live.routes)
		tell_of_routes(ctx->live.routes);
	for (enum backend_index b = 0; b < BACKENDS; b++) {
		const struct ruleset *live = ctx->live.rules[b];

		if (live && (b != AMBIENT || ownership_has_ours(live)))
			log_debug("found %s: %u Istio rules, %u of others", backend_name(b), ruleset_count_rules(live),
				  foreign_count(live));
		else if (!live && b != AMBIENT && ctx->rcs[backend_engine(b)])
			log_debug("found %s: %s", backend_name(b), ctx->errs[backend_engine(b)].what);
	}
}

void tell_of_choice(const struct choice *choice)
{
	char order[96] = "";
	size_t len = 0;

	for (unsigned i = 0; i < choice->n; i++)
		len += (size_t)snprintf(order + len, sizeof(order) - len, "%s%s", i ? ", then " : "",
					backend_name(choice->candidates[i]));
	log_debug("to try: %s (%s)", order, choice->reason);
}

/* Whether both are told of in one line. */
static bool is_alike(const struct step *a, const struct step *b)
{
	return a->action == b->action && a->kind == b->kind && a->backend == b->backend && a->table == b->table &&
	       a->family == b->family && a->kind != STEP_ROUTE && a->kind != STEP_GUARD;
}

static const char *chain_shown(const struct step *step)
{
	return step->family == FAMILIES ? text_nft_chain_name(step->chain) : step->chain->name;
}

/* "add rules to nat of iptables-nft (ipv4): PREROUTING 1, ISTIO_INBOUND 5" */
static void print_run(FILE *out, const struct step *steps, unsigned n)
{
	static const char *const kinds[] = { [STEP_TABLE] = "table", [STEP_CHAIN] = "chains", [STEP_RULES] = "rules" };
	bool table = steps->kind == STEP_TABLE, add = steps->action == STEP_ADD;

	fprintf(out, "%s %s%s%s of %s (%s)", add ? "add" : "delete", kinds[steps->kind],
		table ? " " :
		add   ? " to " :
			" from ",
		table_name(steps->table), backend_name(steps->backend),
		steps->family == FAMILIES ? "inet" : family_name(steps->family));
	for (unsigned i = 0; i < n && i < CHAINS_SHOWN && !table; i++) {
		fprintf(out, "%s%s", i ? ", " : ": ", chain_shown(&steps[i]));
		if (steps->kind == STEP_RULES)
			fprintf(out, " %u", steps[i].n);
	}
	if (n > CHAINS_SHOWN)
		fprintf(out, " and %u more", n - CHAINS_SHOWN);
}

static void print_steps(FILE *out, const struct step *steps, unsigned n)
{
	bool add = steps->action == STEP_ADD;
	char text[ROUTE_TEXT_MAX];

	if (steps->kind == STEP_ROUTE)
		fputs(route_text(steps->route, add ? " add" : " del", text), out);
	else if (steps->kind == STEP_GUARD)
		fprintf(out, "%s table inet " GUARD_TABLE, add ? "add" : "delete");
	else
		print_run(out, steps, n);
}

void tell_of_plan(const struct plan *plan)
{
	if (!log_enabled(LOG_DEBUG))
		return;
	if (!plan->n)
		log_debug("plan: nothing to do");
	for (unsigned i = 0, n; i < plan->n; i += n) {
		auto_free char *text = NULL;
		size_t len = 0;
		FILE *out = xchecked(open_memstream(&text, &len));

		for (n = 1; i + n < plan->n && is_alike(&plan->steps[i], &plan->steps[i + n]); n++)
			;
		print_steps(out, &plan->steps[i], n);
		fclose(out);
		log_debug("plan: %s", text);
	}
}
