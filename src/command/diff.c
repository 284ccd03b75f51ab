/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diff and show: what is live, without changing anything. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "transaction.h"
#include "capture.h"
#include "diff.h"
#include "log.h"
#include "text.h"

/* NO_COLOR: https://no-color.org */
static bool use_color(const struct config *cfg)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (cfg->color != COLOR_AUTO)
		return cfg->color == COLOR_ALWAYS;
	return isatty(STDOUT_FILENO) && !(no && *no) && !(term && !strcmp(term, "dumb"));
}

static int diff_with(struct attempt *a, enum backend_index index, struct err *err)
{
	struct ruleset *want = run_wanted(a->run, backend_at(index)->layout, true);
	int rc = attempt_open(a, index, want, err);

	if (!rc)
		plumbing_add_live_mark(a->run->plumbing_state, capture_live_mark(attempt_live(a)));
	if (!rc && ruleset_drift(attempt_live(a), want) != DRIFT_NONE) {
		text_print_diff(stdout, attempt_live(a), want, use_color(a->run->cfg));
		rc = STATUS_DIFFERENT;
	}
	ruleset_free(want);
	return rc;
}

int command_diff(const struct config *cfg, struct err *err)
{
	struct run run;
	struct attempt a = { .run = &run };
	int rc = run_open(&run, cfg, INTENT_LOOK, err);

	rc = rc ? rc : choose_and_look(&a, diff_with, err);
	if (rc == STATUS_DONE && !plumbing_equal(run.plumbing_state)) {
		log_warn("the rules are right, but an address, ip rule or route that they need is missing or stale");
		rc = STATUS_DIFFERENT;
	}
	attempt_close(&a);
	run_close(&run);
	return rc;
}

static int show_backend(struct attempt *a, enum backend_index index, struct err *err)
{
	const struct config *cfg = a->run->cfg;
	struct text_options options = { .families = FAMILY_BOTH, .counters = cfg->counters };
	int rc = attempt_open(a, index, NULL, err);

	if (rc)
		return rc;
	if (cfg->family != FAMILY_CHOICE_BOTH)
		options.families = FAMILY_BIT(cfg->family == FAMILY_CHOICE_IPV4 ? IPV4 : IPV6);
	log_info("Istio rules of backend %s:", backend_at(index)->name);
	text_print_ruleset(stdout, attempt_live(a), &options);
	return 0;
}

int command_show(const struct config *cfg, struct err *err)
{
	struct err unseen_err;
	int unseen = 0;
	bool found = false;
	struct run run;
	struct attempt a = { .run = &run };
	int rc = run_open(&run, cfg, INTENT_SHOW, err);

	for (enum backend_index i = 0; !rc && i < BACKENDS; i++) {
		int holds = backend_at(i)->holds(&a.looked[i], err);

		if (holds < 0 && holds != -EOPNOTSUPP) {
			unseen = holds;
			unseen_err = *err;
		}
		if (holds < 0 || !(holds & HOLDS_ISTIO))
			continue;
		found = true;
		rc = show_backend(&a, i, err);
	}
	if (!rc && unseen) {
		*err = unseen_err;
		rc = unseen;
	}
	if (!rc && !found)
		log_info("no Istio rules are live in this network namespace");
	attempt_close(&a);
	run_close(&run);
	return rc;
}
