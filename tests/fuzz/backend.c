/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz.h"

#include "capture.h"
#include "ownership.h"
#include "util.h"

static struct {
	enum backend_index backend; /* BACKENDS: nothing is wanted */
	const struct ruleset *want, *known;
	bool force;
} job;

/* What our options come to. */
static const struct ruleset *wanted(enum layout layout)
{
	static char *words[] = { "istio-init",
				 "--sidecar",
				 "-n",
				 "-m",
				 "TPROXY",
				 "-x",
				 "10.0.0.0/8,fd00::/8",
				 "--redirect-dns",
				 "--capture-all-dns",
				 "--exclude-outbound-uids",
				 "1-9,11",
				 "--bypass-mark",
				 "7/0xff",
				 NULL };
	static struct ruleset *rulesets[2];
	static struct config cfg;

	if (!rulesets[LAYOUT_NATIVE]) {
		fuzz_config(&cfg, words);
		for (enum layout l = LAYOUT_IPTABLES; l <= LAYOUT_NATIVE; l++)
			rulesets[l] = capture_build(&cfg, &(struct capture_options){
								  .layout = l, .families = FAMILY_BOTH, .zones = true });
	}
	return rulesets[layout];
}

/* As a run does it. */
static void run(void)
{
	struct engine *engine = NULL;
	struct live live = { .routes = NULL };
	static const enum backend_index backends[] = { NFTABLES, IPTABLES_NFT, AMBIENT };
	struct plan_want want = { .backend = job.backend, .rules = job.want, .known = job.known, .force = job.force };
	struct err err = { 0 };
	struct plan plan;
	int rc = engine_nf_tables.read(&engine, &live, &err);

	FUZZ_CHECK(rc <= 0 && (!rc || err.what[0]));
	if (!rc) {
		for (unsigned i = 0; i < ARRAY_SIZE(backends); i++) {
			ownership_decide(live.rules[backends[i]], job.known);
			fuzz_use_ruleset(live.rules[backends[i]]);
		}
		want.ambient = job.backend == BACKENDS;
		plan_make(&plan, &live, &want);
		rc = engine_nf_tables.prepare(engine, &plan, 0, plan.n, &err);
		rc = rc ? rc : engine_nf_tables.commit(engine, &err);
		FUZZ_CHECK(rc <= 0 && (!rc || err.what[0]));
		engine_nf_tables.undo(engine);
		plan_free(&plan);
	}
	engine_nf_tables.close(engine);
}

/* The first byte: 'w' what is wanted is put in place, 'f' even where it is, others: all is removed. */
void fuzz_backend(enum backend_index backend, const uint8_t *data, size_t size)
{
	bool any = size && (*data == 'w' || *data == 'f');

	if (!size)
		return;
	job.backend = any ? backend : BACKENDS;
	job.want = any ? wanted(backend == NFTABLES ? LAYOUT_NATIVE : LAYOUT_IPTABLES) : NULL;
	job.known = wanted(LAYOUT_IPTABLES);
	job.force = *data == 'f';
	fuzz_netlink_begin(data + 1, size - 1);
	fuzz_netlink_guard(run);
	fuzz_netlink_end();
}
