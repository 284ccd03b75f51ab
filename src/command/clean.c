/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include "transaction.h"
#include "log.h"

/*
 * Rules first: a route without rules captures nothing, rules without their route lose
 * traffic.  1 if something was there, 0 if nothing was.
 */
static int attempt_clean_all(struct attempt *a, void *data, struct err *err)
{
	struct run *run = a->run;
	int cleaned = 0, rc;

	(void)data;
	for (enum backend_index i = 0; i < BACKENDS; i++) {
		struct ruleset *want;
		int holds = attempt_look(a, i, err);

		if (holds == -EOPNOTSUPP)
			continue;
		if (holds < 0)
			return holds;
		want = run_wanted(run, backend_at(i)->layout, true);
		rc = attempt_clean(a, i, want, holds & HOLDS_ISTIO, err);
		ruleset_free(want);
		if (rc < 0)
			return rc;
		cleaned |= rc;
	}
	cleaned |= plumbing_has_stale(run->plumbing_state);
	rc = plumbing_remove_stale(run->plumbing_state, err);
	return rc ? rc : cleaned;
}

int command_clean(const struct config *cfg, struct err *err)
{
	struct run run;
	int rc;

	/* A dry run looks at nothing of the machine, and after a clean no rule of ours is left to print. */
	if (cfg->dry_run) {
		log_info("would remove all that istio-init show prints");
		return STATUS_DONE;
	}
	rc = run_open(&run, cfg, INTENT_CLEAN, err);
	if (!rc)
		rc = attempt_until_done(&run, attempt_clean_all, NULL, err);
	if (rc >= 0)
		log_info(rc ? "removed the Istio rules, address and routes" : "nothing to clean");
	run_close(&run);
	return rc < 0 ? rc : STATUS_DONE;
}
