/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

#include "transaction.h"
#include "log.h"

static const struct backend_ops *const backends[BACKENDS] = {
	[INDEX_NFTABLES] = &backend_nftables,
	[INDEX_IPTABLES_NFT] = &backend_iptables_nft,
	[INDEX_LEGACY] = &backend_legacy,
};

const struct backend_ops *backend_at(enum backend_index index)
{
	return backends[index];
}

/* What each backend holds.  Not of @named (BACKENDS: none), which will be opened whatever it holds. */
static int look_at_all(int holds[BACKENDS], struct attempt *a, enum backend_index named, struct err *err)
{
	bool no_iptables = false;

	for (enum backend_index i = 0; i < BACKENDS; i++) {
		bool known = i == named || (no_iptables && i == INDEX_IPTABLES_NFT);

		holds[i] = known ? 0 : attempt_look(a, i, err);
		/*
		 * We have NET_ADMIN: a policy keeps us from nf_tables, and legacy is the way around it.  Where
		 * nobody can tell what legacy tables there are (-ENOENT), another backend is the way on.
		 */
		if (named == INDEX_LEGACY ? holds[i] == -EPERM || holds[i] == -EACCES : named < BACKENDS && holds[i] == -ENOENT) {
			log_line(named == INDEX_LEGACY ? LOG_DEBUG : LOG_WARN, "cannot look at %s: %s", backends[i]->name,
				 err->what);
			holds[i] = 0;
		}
		if (holds[i] == -EOPNOTSUPP)
			holds[i] = 0;
		if (holds[i] < 0)
			return holds[i];
		no_iptables |= holds[i] & HOLDS_NO_IPTABLES;
	}
	return 0;
}

static int fail_several(const struct choice *choice, struct err *err)
{
	char names[64] = "";
	int rc;

	for (unsigned i = 0; i < BACKENDS; i++)
		if (choice->holds[i])
			snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", *names ? " and " : "",
				 backends[i]->name);
	rc = err_set(err, STATUS_FAILED, EEXIST, "Istio rules live in several backends of this network namespace: %s", names);
	err_hint(err, "keep one with --backend=NAME --reconcile, or remove all with istio-init clean");
	return rc;
}

static void choose_in_order(struct choice *choice, const struct run *run, bool legacy_first)
{
	bool raw = run->caps & 1ull << CAP_NET_RAW;

	if (legacy_first && raw)
		choice->candidates[choice->n++] = INDEX_LEGACY;
	choice->candidates[choice->n++] = INDEX_NFTABLES;
	choice->candidates[choice->n++] = INDEX_IPTABLES_NFT;
	choice->lacks_raw = !raw;
	if (!raw)
		log_debug("iptables-legacy is left out: the capability NET_RAW is missing");
	else if (!legacy_first)
		choice->candidates[choice->n++] = INDEX_LEGACY;
}

int choose_backend(struct choice *choice, struct attempt *a, struct err *err)
{
	const struct config *cfg = a->run->cfg;
	enum backend_index named = cfg->backend == BACKEND_AUTO ? BACKENDS : (enum backend_index)(cfg->backend - BACKEND_NFTABLES);
	enum backend_index holder = 0;
	unsigned holders = 0;
	int holds[BACKENDS], rc;

	memset(choice, 0, sizeof(*choice));
	rc = look_at_all(holds, a, named, err);
	if (rc)
		return rc;
	for (enum backend_index i = BACKENDS; i-- > 0;)
		if (holds[i] & HOLDS_ISTIO) {
			choice->holds[i] = true;
			holders++;
			holder = i;
		}
	if (named < BACKENDS) {
		choice->candidates[choice->n++] = named;
		choice->reason = "as asked for";
	} else if (holders > 1 && !cfg->reconcile) {
		return fail_several(choice, err);
	} else if (holders) {
		choice->candidates[choice->n++] = holder;
		choice->reason = "it holds Istio rules already";
	} else if (holds[INDEX_LEGACY] & HOLDS_OTHERS) {
		choose_in_order(choice, a->run, true);
		choice->reason = "legacy tables hold rules already";
	} else {
		choose_in_order(choice, a->run, false);
		choice->reason = "the first that this kernel has";
	}
	return 0;
}

int choose_and_look(struct attempt *a, int (*look)(struct attempt *a, enum backend_index index, struct err *err),
		    struct err *err)
{
	struct choice choice;
	int rc = choose_backend(&choice, a, err);

	if (rc)
		return rc;
	for (unsigned i = 0; i < choice.n; i++) {
		rc = look(a, choice.candidates[i], err);
		if (rc != -EOPNOTSUPP)
			break;
	}
	return rc;
}
