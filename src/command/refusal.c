/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why an apply writes nothing. */
#include "refusal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backends.h"

static int fail_different(struct err *err)
{
	int rc = err_set(err, STATUS_FAILED, EEXIST,
			 "the live Istio rules are not those that the options ask for; nothing was changed");

	err_hint(err, "run again with --reconcile to replace them, or istio-init clean to remove them");
	return rc;
}

static int fail_stale(struct err *err)
{
	int rc = err_set(err, STATUS_FAILED, EEXIST,
			 "an address, ip rule or route of another install is live that the "
			 "options do not ask for; nothing was changed");

	err_hint(err, "run again with --reconcile to replace them, or istio-init clean to remove them");
	return rc;
}

static int fail_several(const struct context *ctx, struct err *err)
{
	char names[64] = "";
	int rc;

	for (enum backend_index i = 0; i < BACKENDS; i++)
		if (backends_holds(ctx, i))
			snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", *names ? " and " : "",
				 backend_name(i));
	rc = err_set(err, STATUS_FAILED, EEXIST, "Istio rules live in several backends of this network namespace: %s",
		     names);
	err_hint(err, "keep one with --backend=NAME --reconcile, or remove all with istio-init clean");
	return rc;
}

static int fail_elsewhere(const struct context *ctx, const struct plan *plan, struct err *err)
{
	const char *other = backend_name(plan->elsewhere);
	int rc;

	if (ctx->cfg->backend == BACKEND_AUTO)
		return fail_several(ctx, err);
	rc = err_set(err, STATUS_FAILED, EEXIST,
		     "backend %s holds Istio rules in this network namespace already; nothing was changed", other);
	err_hint(err, "run again with --reconcile to move them to %s, or with --backend=%s",
		 backend_name(plan->want.backend), other);
	return rc;
}

/* Rules that would decide nothing are worse than none. */
static int fail_blocked(const struct step *blocked, struct err *err)
{
	const char *family = family_nft(blocked->family), *table = table_name(blocked->table);

	if (blocked->kind == STEP_TABLE)
		err_set(err, STATUS_FAILED, EEXIST, "table %s %s is dormant, or owned by another program", family, table);
	else
		err_set(err, STATUS_FAILED, EEXIST,
			"chain %s of table %s %s is not hooked in as iptables-nft does it: rules in it would capture nothing",
			blocked->chain->name, family, table);
	err_hint(err, "find out what made it (nft list ruleset), or use --backend=nftables");
	return -EEXIST;
}

int refusal_set(const struct context *ctx, const struct plan *plan, struct err *err)
{
	if (plan->refusal == PLAN_FREE || (plan->blocked && ctx->cfg->reconcile))
		return fail_blocked(plan->blocked, err);
	switch (plan->refusal) {
	case PLAN_ELSEWHERE:
		return fail_elsewhere(ctx, plan, err);
	case PLAN_STALE:
		return fail_stale(err);
	default:
		return fail_different(err);
	}
}
