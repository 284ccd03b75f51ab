/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "transaction.h"

#include <errno.h>
#include <linux/capability.h>
#include <time.h>
#include <unistd.h>

#include "capture.h"
#include "log.h"
#include "system.h"
#include "util.h"

/* How often to look where a rival keeps changing what is there. */
#define LOOK_TRIES 10

int attempt_look(struct attempt *a, enum backend_index index, struct err *err)
{
	const struct backend_ops *ops = backend_at(index);
	int holds = -EAGAIN;

	for (unsigned i = 0; i < LOOK_TRIES && holds == -EAGAIN; i++)
		holds = ops->holds(&a->looked[index], err);
	/* EACCES for root: the list of tables is closed to other users' namespaces, where xt matches no owner either. */
	if (holds == -EOPNOTSUPP || (holds == -EACCES && index == INDEX_LEGACY && !geteuid())) {
		log_debug("cannot look at %s: %s", ops->name, err->what);
		return -EOPNOTSUPP;
	}
	if (holds >= 0 || index != INDEX_LEGACY || (holds != -EACCES && a->run->caps & 1ull << CAP_NET_RAW))
		return holds;
	log_warn("the rules of %s cannot be looked at and stay as they are: %s", ops->name, err->what);
	return -EOPNOTSUPP;
}

int attempt_open(struct attempt *a, enum backend_index index, const struct ruleset *want, struct err *err)
{
	const struct backend_ops *ops = backend_at(index);
	struct backend **looked = &a->looked[index];
	int rc = 0;

	a->backends[a->n] = *looked;
	if (!*looked)
		rc = ops->open(&a->backends[a->n], want, err);
	*looked = NULL;
	if (!rc)
		a->ops[a->n++] = ops;
	return rc;
}

const struct ruleset *attempt_live(const struct attempt *a)
{
	return a->ops[a->n - 1]->live(a->backends[a->n - 1]);
}

static void forget_looks(struct attempt *a)
{
	for (unsigned i = 0; i < BACKENDS; i++) {
		if (a->looked[i])
			backend_at(i)->close(a->looked[i]);
		a->looked[i] = NULL;
	}
}

int attempt_prepare(struct attempt *a, const struct ruleset *want, bool force, struct err *err)
{
	return a->ops[a->n - 1]->prepare(a->backends[a->n - 1], want, force, err);
}

int attempt_commit(struct attempt *a, struct err *err)
{
	int rc = a->ops[a->n - 1]->commit(a->backends[a->n - 1], err);

	/* The two backends of nf_tables share a generation, which is another one now. */
	forget_looks(a);
	if (!rc)
		a->replaced = a->n;
	return rc;
}

int attempt_clean(struct attempt *a, enum backend_index index, const struct ruleset *want, bool held, struct err *err)
{
	struct ruleset *nothing;
	int rc = attempt_open(a, index, want, err);

	if (rc || (!held && ruleset_is_empty(attempt_live(a))))
		return rc;
	plumbing_add_live_mark(a->run->plumbing_state, capture_live_mark(attempt_live(a)));
	nothing = ruleset_new(backend_at(index)->layout, FAMILY_BOTH);
	rc = attempt_prepare(a, nothing, false, err);
	rc = rc ? rc : attempt_commit(a, err);
	ruleset_free(nothing);
	return rc ? rc : 1;
}

static void report_undo(int rc, const struct err *err)
{
	if (rc)
		log_error("cannot undo: %s%s%s", err->what, *err->hint ? "; " : "", err->hint);
}

/* What cannot be undone is said beside the error that made it necessary. */
static void attempt_undo(struct attempt *a)
{
	struct err err;

	while (a->replaced > 0) {
		a->replaced--;
		err.what[0] = '\0'; /* nothing that the cause would have said */
		report_undo(a->ops[a->replaced]->undo(a->backends[a->replaced], &err), &err);
	}
	report_undo(plumbing_undo(a->run->plumbing_state, &err), &err);
}

void attempt_close(struct attempt *a)
{
	while (a->n > 0) {
		a->n--;
		a->ops[a->n]->close(a->backends[a->n]);
	}
	forget_looks(a);
}

/* A few milliseconds that differ from rival to rival. */
static void wait_a_little(void)
{
	struct timespec pause = { .tv_nsec = 1000000 + (getpid() * 7919 + (long)clock_us()) % 4000000 };

	nanosleep(&pause, NULL);
}

int attempt_until_done(struct run *run, int (*attempt)(struct attempt *a, void *data, struct err *err), void *data,
		       struct err *err)
{
	uint64_t deadline = clock_us() + (uint64_t)run->cfg->wait_ms * 1000, now;
	int lock, rc;

	for (;;) {
		struct attempt a = { .run = run };

		now = clock_us();
		lock = lock_take(run->cfg->lock_file, now < deadline ? (uint32_t)((deadline - now) / 1000) : 0, err);
		rc = lock < -1 ? lock : run_refresh(run, err);
		if (!rc) {
			rc = attempt(&a, data, err);
			if (rc < 0)
				attempt_undo(&a);
		}
		attempt_close(&a);
		if (lock >= 0)
			close(lock);
		if (rc != -EAGAIN)
			return rc;
		if (clock_us() >= deadline)
			break;
		wait_a_little();
	}
	rc = err_set(err, STATUS_BUSY, EBUSY, "another program changed the rules again and again for %u ms",
		     run->cfg->wait_ms);
	err_hint(err, "find out what writes rules into this network namespace, or wait longer with --wait");
	return rc;
}
