/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>

#include "transaction.h"
#include "capture.h"
#include "diff.h"
#include "log.h"
#include "text.h"
#include "util.h"
#include "validate.h"

static int fail_different(const struct ruleset *live, const struct ruleset *want, struct err *err)
{
	int rc;

	text_print_diff(stdout, live, want, false);
	rc = err_set(err, STATUS_FAILED, EEXIST, "the live Istio rules are not those that the options ask for; nothing was changed");
	err_hint(err, "run again with --reconcile to replace them, or istio-init clean to remove them");
	return rc;
}

static int fail_stale(struct err *err)
{
	int rc = err_set(err, STATUS_FAILED, EEXIST, "an address, ip rule or route of another install is live that the "
						     "options do not ask for; nothing was changed");

	err_hint(err, "run again with --reconcile to replace them, or istio-init clean to remove them");
	return rc;
}

static int fail_elsewhere(const struct choice *choice, enum backend_index index, struct err *err)
{
	int rc = 0;

	for (enum backend_index i = 0; i < BACKENDS; i++)
		if (choice->holds[i] && i != index) {
			rc = err_set(err, STATUS_FAILED, EEXIST,
				     "backend %s holds Istio rules in this network namespace already; nothing was changed",
				     backend_at(i)->name);
			err_hint(err, "run again with --reconcile to move them to %s, or with --backend=%s", backend_at(index)->name,
				 backend_at(i)->name);
		}
	return rc;
}

/* What an apply wants, and what its last attempt found. */
struct order {
	struct choice choice;
	enum backend_index index; /* the candidate that the attempt is about */
	struct ruleset *want;     /* what it should hold */
	bool zones;
	bool refused;         /* the kernel lacks what this backend takes; another one may do */
	bool tried[BACKENDS]; /* refused before */
};

static enum backend_index next_candidate(const struct order *order)
{
	for (unsigned i = 0; i < order->choice.n; i++)
		if (!order->tried[order->choice.candidates[i]])
			return order->choice.candidates[i];
	return BACKENDS;
}

static int note_refusal(struct order *order, int rc, const struct err *err)
{
	order->refused = rc < 0 && err->status == STATUS_UNSUPPORTED;
	return rc;
}

/* The other backends' Istio rules go only when the new ones stand. */
static int clean_others(struct attempt *a, const struct order *order, struct err *err)
{
	for (enum backend_index i = 0; i < BACKENDS; i++) {
		int rc;

		if (!order->choice.holds[i] || i == order->index)
			continue;
		rc = attempt_clean(a, i, NULL, true, err);
		if (rc < 0)
			return rc;
		log_info("removed the Istio rules of backend %s", backend_at(i)->name);
	}
	return 0;
}

/* Plumbing, rules, and then what is left of older installs: traffic escapes at no moment. */
static int write_all(struct attempt *a, struct order *order, struct err *err)
{
	int rc = note_refusal(order, attempt_prepare(a, order->want, a->run->cfg->force_apply, err), err);

	rc = rc ? rc : plumbing_apply(a->run->plumbing_state, err);
	if (rc)
		return rc;
	rc = note_refusal(order, attempt_commit(a, err), err);
	rc = rc ? rc : clean_others(a, order, err);
	return rc ? rc : plumbing_remove_stale(a->run->plumbing_state, err);
}

/* Chooses under the lock: of two runs at once, each with a backend of its own, the second sees what the first wrote. */
static int choose(struct attempt *a, struct order *order, struct err *err)
{
	int rc = choose_backend(&order->choice, a, err);

	if (rc)
		return rc;
	order->index = next_candidate(order);
	if (order->index == BACKENDS)
		order->index = order->choice.candidates[0];
	ruleset_free(order->want);
	order->want = run_wanted(a->run, backend_at(order->index)->layout, order->zones);
	return 0;
}

/* 1 if something was written, 0 if all was right already. */
static int attempt_apply(struct attempt *a, void *data, struct err *err)
{
	const struct config *cfg = a->run->cfg;
	struct order *order = data;
	struct plumbing_state *plumbing = a->run->plumbing_state;
	enum drift drift;
	int rc = choose(a, order, err), elsewhere;

	if (rc)
		return rc;
	elsewhere = fail_elsewhere(&order->choice, order->index, err);
	if (elsewhere && !cfg->reconcile)
		return elsewhere;
	rc = note_refusal(order, attempt_open(a, order->index, order->want, err), err);
	if (rc)
		return rc;
	plumbing_add_live_mark(plumbing, capture_live_mark(attempt_live(a)));
	drift = ruleset_drift(attempt_live(a), order->want);
	if (drift == DRIFT_DIFFERENT && !cfg->reconcile)
		return fail_different(attempt_live(a), order->want, err);
	if (plumbing_has_stale(plumbing) && !cfg->reconcile)
		return fail_stale(err);
	if (drift == DRIFT_NONE && plumbing_equal(plumbing) && !elsewhere && !cfg->force_apply)
		return 0;
	rc = write_all(a, order, err);
	return rc ? rc : 1;
}

static int apply_once(struct run *run, struct order *order, bool zones, struct err *err)
{
	order->refused = false;
	order->zones = zones;
	return attempt_until_done(run, attempt_apply, order, err);
}

/*
 * With zones, and where they are what the kernel lacks for good (docker/for-mac#7148), without: DNS
 * capture works then, but two resolvers may meet in one conntrack entry.
 */
static int apply_zones(struct run *run, struct order *order, struct err *err)
{
	struct err zones_err;
	int rc = apply_once(run, order, true, err);

	if (rc >= 0 || !order->refused || run->cfg->dns_zones != AUTO || !order->want->tables[TABLE_RAW].n_chains)
		return rc;
	rc = apply_once(run, order, true, err);
	if (rc >= 0 || !order->refused)
		return rc;
	zones_err = *err;
	rc = apply_once(run, order, false, err);
	if (rc < 0)
		*err = zones_err;
	else
		log_warn("DNS is captured without conntrack zones: %s", zones_err.what);
	return rc;
}

static const char *families_text(const struct run *run)
{
	return run->families == FAMILY_BOTH ? "ipv4 and ipv6" : "ipv4";
}

static void log_summary(const struct run *run, const struct order *order, int changed, uint64_t start)
{
	uint64_t us = clock_us() - start;

	log_info("%s: %u rules (%s) through %s (%s) in %u.%02u ms", changed ? "applied" : "unchanged, all was right already",
		 count_rules(order->want), families_text(run), backend_at(order->index)->name, order->choice.reason,
		 (unsigned)(us / 1000), (unsigned)(us % 1000 / 10));
}

static int fail_refused(const struct choice *choice, const struct err errs[BACKENDS], struct err *err)
{
	int rc;

	for (unsigned i = 0; i < choice->n; i++) {
		const struct err *one = &errs[choice->candidates[i]];

		log_error("%s: %s; %s", backend_at(choice->candidates[i])->name, one->what, one->hint);
	}
	if (choice->lacks_raw)
		log_error("iptables-legacy: the capability NET_RAW is missing; add NET_RAW to "
			  "securityContext.capabilities.add");
	rc = err_set(err, STATUS_UNSUPPORTED, EOPNOTSUPP, "no backend works here");
	err_hint(err, "do what one of the lines above says, on the node or in the pod's spec (istio-init never loads "
		      "modules itself); to choose another --backend alone does not help");
	return rc;
}

static int apply_rules(struct run *run, uint64_t start, struct err *err)
{
	struct order order = { .want = NULL };
	struct err errs[BACKENDS];
	int rc;

	do {
		rc = apply_zones(run, &order, err);
		if (rc >= 0)
			log_summary(run, &order, rc, start);
		if (rc >= 0 || !order.refused)
			break;
		log_debug("%s: %s", backend_at(order.index)->name, err->what);
		order.tried[order.index] = true;
		errs[order.index] = *err;
	} while (next_candidate(&order) != BACKENDS);
	ruleset_free(order.want);
	if (rc >= 0)
		return STATUS_DONE;
	return order.refused && order.choice.n > 1 ? fail_refused(&order.choice, errs, err) : rc;
}

static int validate(const struct run *run, struct err *err)
{
	const struct config *cfg = run->cfg;
	struct validation v = {
		.families = run->families,
		.proxy_port = cfg->proxy_port,
		.inbound_port = cfg->inbound_port,
		.probe_port = cfg->probe_port,
		.uid = cfg->proxy_uids.items[0].lo,
		.timeout_ms = cfg->probe_timeout_ms,
	};
	int rc = validate_redirect(&v, err);

	if (!rc)
		log_info("validated: connections of UID %u are redirected (%s)", v.uid, families_text(run));
	return rc;
}

int command_apply(const struct config *cfg, struct err *err)
{
	uint64_t start = clock_us();
	struct run run;
	int rc;

	if (cfg->dry_run)
		return print_dry_run(cfg);
	rc = run_open(&run, cfg, cfg->skip_rule_apply ? INTENT_PROBE : INTENT_CHANGE, err);
	if (!rc && !cfg->skip_rule_apply)
		rc = apply_rules(&run, start, err);
	if (!rc && cfg->run_validation)
		rc = validate(&run, err);
	run_close(&run);
	return rc;
}
