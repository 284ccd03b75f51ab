/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "run.h"
#include "util.h"

static const struct backend_ops *const backends[BACKENDS] = {
	&backend_nftables,
	&backend_iptables_nft,
	&backend_legacy,
};

const struct backend_ops *backend_at(unsigned index)
{
	return backends[index];
}

/*
 * What each backend holds, as its holds() says; nothing where we cannot look.  Not of @named (NULL: none),
 * which will be opened whatever it holds.
 */
static void look(int holds[BACKENDS], const struct backend_ops *named)
{
	struct err err;

	for (unsigned i = 0; i < BACKENDS; i++) {
		holds[i] = backends[i] == named ? 0 : backends[i]->holds(&err);
		if (holds[i] < 0 && holds[i] != -EOPNOTSUPP)
			log_debug("cannot look at %s: %s", backends[i]->name, err.what);
		if (holds[i] < 0)
			holds[i] = 0;
	}
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
		choice->candidates[choice->n++] = &backend_legacy;
	choice->candidates[choice->n++] = &backend_nftables;
	choice->candidates[choice->n++] = &backend_iptables_nft;
	choice->lacks_raw = !raw;
	if (!raw)
		log_debug("iptables-legacy is left out: the capability NET_RAW is missing");
	else if (!legacy_first)
		choice->candidates[choice->n++] = &backend_legacy;
}

int choose_backend(struct choice *choice, const struct run *run, struct err *err)
{
	const struct config *cfg = run->cfg;
	const struct backend_ops *named = cfg->backend == BACKEND_AUTO ? NULL : backends[cfg->backend - BACKEND_NFTABLES];
	int holds[BACKENDS];
	unsigned holders = 0, holder = 0;

	memset(choice, 0, sizeof(*choice));
	look(holds, named);
	for (unsigned i = BACKENDS; i-- > 0;)
		if (holds[i] & HOLDS_ISTIO) {
			choice->holds[i] = true;
			holders++;
			holder = i;
		}
	if (named) {
		choice->candidates[choice->n++] = named;
		choice->reason = "as asked for";
	} else if (holders > 1 && !cfg->reconcile) {
		return fail_several(choice, err);
	} else if (holders) {
		choice->candidates[choice->n++] = backends[holder];
		choice->reason = "it holds Istio rules already";
	} else if (holds[BACKENDS - 1] & HOLDS_OTHERS) {
		choose_in_order(choice, run, true);
		choice->reason = "legacy tables hold rules already";
	} else {
		choose_in_order(choice, run, false);
		choice->reason = "the first that this kernel has";
	}
	return 0;
}
