/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz.h"

#include "capture.h"
#include "diff.h"

static struct {
	const struct backend_ops *ops, *rival;
	const struct ruleset *want;
	bool force;
} job;

/* What our options come to. */
static const struct ruleset *wanted(enum layout layout)
{
	static char *words[] = { "istio-init", "--sidecar", "-n", "-m", "TPROXY", "-x", "10.0.0.0/8,fd00::/8", "--redirect-dns",
				 "--capture-all-dns", "--exclude-outbound-uids", "1-9,11", "--bypass-mark", "7/0xff", NULL };
	static struct ruleset *rulesets[2];
	static struct config cfg;

	if (!rulesets[layout]) {
		fuzz_config(&cfg, words);
		rulesets[layout] = capture_build(&cfg, &(struct capture_options){ layout, FAMILY_BOTH, true });
	}
	return rulesets[layout];
}

/* As a run does it, which looks for the rules of the other backend first. */
static void run(void)
{
	struct backend *backend = NULL;
	struct err err = { 0 };
	int rc;

	if (job.rival->holds(&backend, &err) >= 0 && backend)
		job.rival->close(backend);
	rc = job.ops->open(&backend, job.want, &err);
	FUZZ_CHECK(rc <= 0 && (!rc || err.what[0]));
	if (rc)
		return;
	fuzz_use_ruleset(job.ops->live(backend));
	ruleset_drift(job.ops->live(backend), job.want);
	rc = job.ops->prepare(backend, job.want, job.force, &err);
	rc = rc ? rc : job.ops->commit(backend, &err);
	FUZZ_CHECK(rc <= 0 && (!rc || err.what[0]));
	job.ops->undo(backend, &err);
	job.ops->close(backend);
}

/* The first byte: 'w' what is wanted is put in place, 'f' even where it is, others: all is removed. */
void fuzz_backend(const struct backend_ops *ops, const uint8_t *data, size_t size)
{
	static struct ruleset *none[2];

	if (!none[ops->layout])
		none[ops->layout] = ruleset_new(ops->layout, FAMILY_BOTH);
	if (!size)
		return;
	job.ops = ops;
	job.rival = ops == &backend_nftables ? &backend_iptables_nft : &backend_nftables;
	job.want = *data == 'w' || *data == 'f' ? wanted(ops->layout) : none[ops->layout];
	job.force = *data == 'f';
	fuzz_netlink_begin(data + 1, size - 1);
	fuzz_netlink_guard(run);
	fuzz_netlink_end();
}
