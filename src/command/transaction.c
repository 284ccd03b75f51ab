/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "transaction.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "backends.h"
#include "engines.h"
#include "heap.h"
#include "log.h"
#include "system.h"
#include "tell.h"
#include "util.h"

/* Of routes before the rules, the guard, two engines with rules, the guard, routes behind. */
#define STAGES_MAX 6

struct stage {
	enum engine_index engine;
	unsigned first, n;
};

static unsigned split(struct stage stages[STAGES_MAX], const struct plan *plan)
{
	unsigned n = 0;

	for (unsigned i = 0; i < plan->n; i++) {
		const struct step *step = &plan->steps[i];
		enum engine_index engine = backend_engine(step->backend);
		bool guard_goes = step->kind == STEP_GUARD && step->action == STEP_DELETE;

		/* Packets under way still meet the rules that go. */
		if (!n || stages[n - 1].engine != engine || guard_goes)
			stages[n++] = (struct stage){ engine, i, 0 };
		stages[n - 1].n++;
	}
	return n;
}

int transaction_run(struct context *ctx, const struct plan *plan, struct err *err)
{
	struct stage stages[STAGES_MAX];
	unsigned n = split(stages, plan), begun = 0;
	int rc = 0;

	tell_of_plan(plan);
	for (unsigned i = 0; i < n && !rc; i++)
		rc = engine_at(stages[i].engine)
			     ->prepare(ctx->engines[stages[i].engine], plan, stages[i].first, stages[i].n, err);
	/* From here on nothing may fail for want of memory: undo reads all again. */
	if (!rc && n && !heap_reserve())
		rc = err_set(err, STATUS_FAILED, ENOMEM, "out of memory: raise the container's memory limit");
	for (; begun < n && !rc; begun++)
		rc = engine_at(stages[begun].engine)->commit(ctx->engines[stages[begun].engine], err);
	if (rc && begun)
		log_debug("undo: %s", err->what);
	while (rc && begun-- > 0)
		engine_at(stages[begun].engine)->undo(ctx->engines[stages[begun].engine]);
	return rc;
}

/* A few milliseconds that differ from rival to rival. */
static void wait_a_little(void)
{
	struct timespec pause = { .tv_nsec = 1000000 + (getpid() * 7919 + (long)clock_us()) % 4000000 };

	nanosleep(&pause, NULL);
}

static int fail_beaten(const struct context *ctx, struct err *err)
{
	int rc = err_set(err, STATUS_BUSY, EBUSY, "another program changed the rules again and again for %u ms",
			 ctx->cfg->wait_ms);

	err_hint(err, "find out what writes rules into this network namespace, or wait longer with --wait");
	return rc;
}

int transaction_attempt(struct context *ctx, const struct attempt *a, struct err *err)
{
	uint64_t deadline_us = clock_us() + (uint64_t)ctx->cfg->wait_ms * 1000;
	struct locks locks;
	int rc;

	for (;;) {
		rc = locks_take(&locks, ctx->cfg->lock_file, deadline_us, err);
		if (rc)
			return rc;
		rc = context_read(ctx, err);
		if (!rc)
			tell_of_live(ctx);
		rc = rc ? rc : a->attempt(ctx, a->data, err);
		locks_release(&locks);
		if (rc > 0)
			return a->report(ctx, a->data, err);
		if (rc != -EAGAIN)
			return rc;
		if (clock_us() >= deadline_us)
			return fail_beaten(ctx, err);
		log_debug("again from the beginning: %s", err->what);
		wait_a_little();
	}
}
