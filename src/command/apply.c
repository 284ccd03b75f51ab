/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backends.h"
#include "beside.h"
#include "command.h"
#include "log.h"
#include "memory.h"
#include "print.h"
#include "proof.h"
#include "refusal.h"
#include "system.h"
#include "tell.h"
#include "transaction.h"
#include "util.h"

/* What an apply wants, and what its last attempt found. */
struct order {
	struct choice choice;
	enum backend_index index; /* the candidate that the attempt is about */
	struct ruleset *want;     /* what it should hold */
	struct ruleset *fewer;    /* see struct plan_want */
	struct plan plan;
	struct validation *proof; /* NULL without --run-validation */
	bool changed;
	bool warned;               /* of the memory that it takes */
	bool refused;              /* the kernel lacks what this backend takes; another one may do */
	bool tried[BACKENDS];      /* refused before */
	struct err errs[BACKENDS]; /* why */
	bool no_zones;             /* the kernel has none, says @zones_err */
	struct err zones_err;
};

static void order_forget(struct order *order)
{
	if (order->want)
		plan_free(&order->plan);
	ruleset_free(order->want);
	ruleset_free(order->fewer);
	order->want = order->fewer = NULL;
}

static enum backend_index next_candidate(const struct order *order)
{
	for (unsigned i = 0; i < order->choice.n; i++)
		if (!order->tried[order->choice.candidates[i]])
			return order->choice.candidates[i];
	return BACKENDS;
}

/* Lines of a refusal's diff: what it says itself stands behind. */
#define DIFF_SHOWN 40

/* The first lines, and how many there are beyond; free it. */
static char *difference(const struct context *ctx, const struct plan *plan)
{
	auto_free char *text = NULL;
	char *shown = NULL;
	size_t len = 0;
	unsigned more = 0;
	FILE *out = xchecked(open_memstream(&text, &len));
	const char *end;

	print_rules_diff(out, ctx, plan, false);
	fclose(out);
	end = text;
	for (unsigned i = 0; i < DIFF_SHOWN && *end; i++)
		end = strchr(end, '\n') + 1;
	for (const char *line = end; *line; line = strchr(line, '\n') + 1)
		more++;
	out = xchecked(open_memstream(&shown, &len));
	fwrite(text, 1, (size_t)(end - text), out);
	if (more)
		fprintf(out, "... and %u more line%s, which istio-init diff prints\n", more, more > 1 ? "s" : "");
	fclose(out);
	return shown;
}

/* Under no lock: who reads what is printed may take his time. */
static int report_refusal(struct context *ctx, void *data, struct err *err)
{
	const struct order *order = data;
	auto_free char *text = NULL;
	int rc;

	warn_of_left_rules(ctx);
	rc = refusal_set(ctx, &order->plan, err);
	if (order->plan.refusal != PLAN_DIFFERENT)
		return rc;
	text = difference(ctx, &order->plan);
	if (ctx->cfg->log.json) {
		err->diff = text;
		text = NULL;
	} else {
		fputs(text, stdout);
	}
	return rc;
}

static void make_plan(struct context *ctx, struct order *order)
{
	enum layout layout = backend_layout(order->index);
	struct plan_want want = {
		.backend = order->index,
		.known = ctx->known,
		.routes = context_wanted_routes(ctx),
		.ambient = ctx->cfg->reconcile,
		.force = ctx->cfg->force_apply,
		.spelling = ctx->cfg->reconcile || ctx->cfg->force_apply,
		.memory = memory_limit,
	};

	want.rules = order->want = context_wanted(ctx, order->index, ctx->families, !order->no_zones);
	if (layout == LAYOUT_NATIVE && ctx->families == FAMILY_BOTH && !ruleset_is_empty(ctx->live.rules[NFTABLES]))
		want.fewer = order->fewer = context_wanted(ctx, order->index, FAMILY_BIT(IPV4), !order->no_zones);
	plan_make(&order->plan, &ctx->live, &want);
}

static int write_plan(struct context *ctx, struct order *order, struct err *err)
{
	int rc = transaction_run(ctx, &order->plan, err);

	order->changed = !rc;
	return rc;
}

/* 1 if it was refused for what is live: see report_refusal. */
static int attempt_apply(struct context *ctx, void *data, struct err *err)
{
	struct order *order = data;
	int rc;

	order_forget(order);
	backends_choose(&order->choice, ctx);
	tell_of_choice(&order->choice);
	order->index = next_candidate(order);
	if (order->index == BACKENDS)
		order->index = order->choice.candidates[0];
	rc = ctx->rcs[backend_engine(order->index)];
	if (rc) {
		*err = ctx->errs[backend_engine(order->index)];
	} else {
		order->warned = order->warned || warn_of_memory(ctx, order->index);
		make_plan(ctx, order);
		if (!order->plan.n)
			tell_of_plan(&order->plan);
		if (order->plan.refusal && !ctx->cfg->reconcile)
			return 1;
		rc = order->plan.blocked ? refusal_set(ctx, &order->plan, err) :
		     order->proof        ? proof_plan(order->proof, ctx, order->want, err) :
					   0;
		if (!rc && order->plan.n && !order->plan.same)
			rc = write_plan(ctx, order, err);
	}
	order->refused = rc && err->status == STATUS_UNSUPPORTED;
	return rc;
}

/*
 * Where conntrack zones are what the kernel lacks (docker/for-mac#7148), without: DNS capture works then, but two
 * resolvers may meet in one conntrack entry.
 */
static bool may_do_without_zones(const struct context *ctx, const struct order *order, const struct err *err)
{
	return err->cause == CAUSE_ZONES && !order->no_zones && ctx->cfg->dns_zones == AUTO;
}

static const char *families_text(const struct context *ctx)
{
	return ctx->families == FAMILY_BOTH ? "ipv4 and ipv6" : "ipv4";
}

/* "UID 1337", "UIDs 1337,1338": those of a wrong number would loop. */
static const char *owners_text(char text[96], const char *name, const struct range_list *owners)
{
	int length = snprintf(text, 96, "%s%s", name, owners->n > 1 ? "s" : "");

	for (uint32_t i = 0; i < owners->n; i++) {
		if (length > 64) {
			snprintf(text + length, 96 - length, " and %u more", owners->n - i);
			break;
		}
		length += snprintf(text + length, 96 - length, "%c%u", i ? ',' : ' ', owners->items[i].lo);
	}
	return text;
}

static void log_summary(const struct context *ctx, const struct order *order, uint64_t start)
{
	unsigned rules = ruleset_count_rules(order->want);
	uint64_t us = clock_us() - start;
	unsigned ms = (unsigned)(us / 1000), hundredths = (unsigned)(us % 1000 / 10);
	const char *backend = backend_name(order->index);
	char members[256], uids[96], gids[96];

	warn_of_left_rules(ctx);
	tell_of_ambient(ctx, &order->plan);
	warn_of_front(&order->plan);
	warn_of_translated_dns(ctx);
	warn_of_dns_in_front(ctx);
	if (order->no_zones)
		log_warn("DNS is captured without conntrack zones: %s", order->zones_err.what);
	if (order->plan.elsewhere != BACKENDS)
		log_info("removed the Istio rules of backend %s", backend_name(order->plan.elsewhere));
	snprintf(members, sizeof(members),
		 "\"backend\":\"%s\",\"reason\":\"%s\",\"rules\":%u,\"families\":[\"ipv4\"%s],\"milliseconds\":%u.%02u,"
		 "\"changed\":%s,",
		 backend, order->choice.reason, rules, ctx->families == FAMILY_BOTH ? ",\"ipv6\"" : "", ms, hundredths,
		 order->changed ? "true" : "false");
	log_members(LOG_INFO, members, "%s: %u rules (%s) through %s (%s) in %u.%02u ms; %s and %s are let through",
		    order->changed && order->plan.respells ? "applied over Istio's own native tables, which meant the same" :
		    order->changed                         ? "applied" :
		    order->plan.same                       ? "unchanged, what is live means the same" :
							     "unchanged, all was right already",
		    rules, families_text(ctx), backend, order->choice.reason, ms, hundredths,
		    owners_text(uids, "UID", &ctx->cfg->proxy_uids), owners_text(gids, "GID", &ctx->cfg->proxy_gids));
}

static int fail_refused(const struct order *order, struct err *err)
{
	int rc;

	for (unsigned i = 0; i < order->choice.n; i++) {
		const struct err *one = &order->errs[order->choice.candidates[i]];

		log_error("%s: %s; %s", backend_name(order->choice.candidates[i]), one->what, one->hint);
	}
	if (order->choice.lacks_raw)
		log_error("iptables-legacy: the capability NET_RAW is missing; add NET_RAW to "
			  "securityContext.capabilities.add");
	rc = err_set(err, STATUS_UNSUPPORTED, EOPNOTSUPP, "no backend works here");
	err_hint(err, "do what one of the lines above says, on the node or in the pod's spec (istio-init never loads "
		      "modules itself); to choose another --backend alone does not help");
	return rc;
}

/* Candidate after candidate, as long as the kernel refuses what it takes. */
static int apply_rules(struct context *ctx, struct order *order, struct err *err)
{
	const struct attempt attempt = { attempt_apply, report_refusal, order };
	int rc;

	for (;;) {
		order->refused = false;
		rc = transaction_attempt(ctx, &attempt, err);
		if (!rc || !order->refused)
			return rc;
		if (may_do_without_zones(ctx, order, err)) {
			order->zones_err = *err;
			order->no_zones = true;
			continue;
		}
		if (order->no_zones)
			*err = order->zones_err;
		order->no_zones = false;
		log_debug("%s: %s", backend_name(order->index), err->what);
		order->tried[order->index] = true;
		order->errs[order->index] = *err;
		if (next_candidate(order) == BACKENDS)
			return order->choice.n > 1 ? fail_refused(order, err) : rc;
	}
}

/* --skip-rule-apply: what the options ask for is taken as live. */
static int plan_proof(struct context *ctx, struct validation *proof, struct err *err)
{
	int rc = context_read(ctx, err);
	struct ruleset *rules;

	if (rc)
		return rc;
	rules = context_wanted(ctx, IPTABLES_NFT, ctx->families, true);
	rc = proof_plan(proof, ctx, rules, err);
	ruleset_free(rules);
	return rc;
}

static int validate(const struct context *ctx, const struct validation *proof, struct err *err)
{
	char dns[96] = "";
	int rc = validate_redirect(proof, err);

	if (rc)
		return rc;
	if (proof->has_app)
		snprintf(dns, sizeof(dns), ", DNS queries of UID %u go to port %u", proof->app.uid, proof->dns_port);
	log_info("validated: connections of UID %u are redirected%s (%s)", proof->proxy.uid, dns, families_text(ctx));
	return 0;
}

static int apply(struct context *ctx, uint64_t start, struct validation *proof, struct err *err)
{
	struct order order = { .proof = proof };
	int rc = apply_rules(ctx, &order, err);

	if (!rc)
		log_summary(ctx, &order, start);
	order_forget(&order);
	return rc;
}

int command_apply(const struct config *cfg, struct err *err)
{
	struct validation validation, *proof = cfg->run_validation ? &validation : NULL;
	uint64_t start = clock_us();
	struct context ctx;
	int rc;

	if (cfg->dry_run)
		return print_dry_run(cfg);
	rc = context_open(&ctx, cfg, cfg->skip_rule_apply ? INTENT_PROBE : INTENT_CHANGE, err);
	if (!rc && proof)
		rc = proof_init(proof, &ctx, err);
	if (!rc && !cfg->skip_rule_apply)
		rc = apply(&ctx, start, proof, err);
	else if (!rc && proof)
		rc = plan_proof(&ctx, proof, err);
	if (!rc && proof)
		rc = validate(&ctx, proof, err);
	context_close(&ctx);
	return rc;
}
