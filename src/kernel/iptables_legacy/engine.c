/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iptables-legacy: each table of each family is read as a whole and written as a whole, by one commit.  The kernel
 * notices a rival only by the number of rules; the caller holds the xtables lock from read to close.
 */
#include "engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "iptables_legacy/error.h"
#include "iptables_legacy/iptc.h"
#include "log.h"
#include "ownership.h"
#include "plan.h"
#include "util.h"

/* How often a table is tried again after a rival was faster, when another table is already written. */
#define WRITE_TRIES 5

/* A kernel lists at most a handful of short names. */
#define NAMES_LIMIT 4096

struct engine {
	char *names[FAMILIES]; /* of the tables that the netns has, a line each; NULL: the kernel has no ip_tables */
	struct ruleset *live;
	struct legacy_table tables[FAMILIES][TABLES];
	const struct plan *plan;
	const struct step *steps; /* those prepared, @n of them */
	unsigned n;
	struct legacy_table *order[FAMILIES * TABLES]; /* of writing */
	unsigned n_order;
};

/* The names of the tables that the netns has, without making one. */
static int read_names(enum family family, char **names, struct err *err)
{
	const char *path = family == IPV6 ? "/proc/net/ip6_tables_names" : "/proc/net/ip_tables_names";
	size_t len;
	int rc = read_file(path, NAMES_LIMIT, names, &len);

	/* Without /proc/net (no /proc, or one of processes alone) nobody knows what is there. */
	return rc < 0 && (rc != -ENOENT || access("/proc/net", F_OK)) ? legacy_error_names(family, -rc, err) : 0;
}

/* The same for who may not read the list: of our tables alone, and those of which there was none are made. */
static int ask_names(enum family family, char **names, struct err *err)
{
	char text[64] = "";
	int rc = 0;

	for (enum table_id t = 0; t < TABLES && rc >= 0; t++) {
		rc = legacy_iptc_ask(family, table_name(t));
		if (rc > 0)
			strcat(strcat(text, table_name(t)), "\n");
	}
	*names = *text ? xstrdup(text) : NULL;
	return rc < 0 ? legacy_error_names(family, -rc, err) : 0;
}

static bool names_have(const char *names, const char *name)
{
	size_t len = strlen(name);

	for (; names && *names; names += strcspn(names, "\n"), names += *names == '\n')
		if (!strncmp(names, name, len) && names[len] == '\n')
			return true;
	return false;
}

static void legacy_close(struct engine *e)
{
	if (!e)
		return;
	for (enum family f = 0; f < FAMILIES; f++) {
		for (enum table_id t = 0; t < TABLES; t++)
			legacy_table_close(&e->tables[f][t]);
		free(e->names[f]);
	}
	ruleset_free(e->live);
	legacy_iptc_close();
	free(e);
}

/* The tables that there are, into @rs. */
static int read_tables(struct legacy_table tables[FAMILIES][TABLES], char *const names[FAMILIES], struct ruleset *rs,
		       struct err *err)
{
	int rc = 0;

	for (enum family f = 0; f < FAMILIES; f++)
		for (enum table_id id = 0; id < TABLES && !rc; id++) {
			struct legacy_table *t = &tables[f][id];

			t->family = f;
			t->id = id;
			if (!names_have(names[f], table_name(id)))
				continue;
			rc = legacy_table_open(t);
			if (rc)
				rc = legacy_error_open(t, -rc, err);
			else
				legacy_table_read(t, rs);
		}
	return rc;
}

/* Whether a table that is none of ours (filter, security) has a rule. */
static bool other_table_has_rules(enum family family, const char *name)
{
	const struct iptc *iptc = &legacy_iptc[family];
	struct xtc_handle *h;
	bool rules = false;

	if (iptc->init(name, &h) < 0)
		return false;
	for (const char *c = iptc->first_chain(h); c && !rules; c = iptc->next_chain(h))
		rules = iptc->first_rule(c, h);
	iptc->free(h);
	return rules;
}

static bool is_our_table(const char *name)
{
	for (enum table_id id = 0; id < TABLES; id++)
		if (!strcmp(name, table_name(id)))
			return true;
	return false;
}

static bool others_have_rules(const struct engine *e)
{
	for (enum family f = 0; f < FAMILIES; f++) {
		auto_free char *names = e->names[f] ? xstrdup(e->names[f]) : NULL;
		char *rest = NULL;

		for (char *name = names ? strtok_r(names, "\n", &rest) : NULL; name; name = strtok_r(NULL, "\n", &rest))
			if (!is_our_table(name) && other_table_has_rules(f, name))
				return true;
	}
	return false;
}

static int legacy_read(struct engine **engine, struct live *live, struct err *err)
{
	struct engine *e = xcalloc(1, sizeof(*e));
	int rc = 0;

	*engine = e;
	for (enum family f = 0; f < FAMILIES && !rc; f++) {
		rc = read_names(f, &e->names[f], err);
		/* An empty table more is less than rules that stay. */
		if (rc && live->clean)
			rc = ask_names(f, &e->names[f], err);
	}
	if (!rc && !e->names[IPV4] && !e->names[IPV6])
		return legacy_error_absent(err);
	e->live = ruleset_new(LAYOUT_IPTABLES, FAMILY_BOTH);
	rc = rc ? rc : read_tables(e->tables, e->names, e->live, err);
	/* The netns has the table: it is not the kernel that lacks it. */
	if (rc == -EOPNOTSUPP) {
		err->status = STATUS_FAILED;
		rc = -EIO;
	}
	if (rc)
		return rc;
	live->rules[IPTABLES_LEGACY] = e->live;
	live->has_others = others_have_rules(e);
	return 0;
}

/* The rules that the plan asks the backend to hold, NULL for none. */
static const struct ruleset *wanted(const struct engine *e)
{
	return e->plan->want.backend == IPTABLES_LEGACY ? e->plan->want.rules : NULL;
}

/* Opens the table if it is not there yet: what was planned for an empty one must find it so. */
static int open_new(struct legacy_table *t, struct err *err)
{
	int rc = t->h ? 0 : legacy_table_open(t);

	if (rc)
		return legacy_error_open(t, -rc, err);
	return legacy_table_is_empty(t) ? 0 : legacy_error_busy(t, err);
}

static int prepare_table(struct engine *e, struct legacy_table *t, struct err *err)
{
	int rc = t->h ? 0 : open_new(t, err);

	if (rc)
		return rc;
	legacy_table_keep(t, e->live);
	rc = legacy_table_edit(t, e->steps, e->n);
	return rc ? legacy_error_edit(t, -rc, err) : 0;
}

static int legacy_prepare(struct engine *e, const struct plan *plan, unsigned first, unsigned n, struct err *err)
{
	struct legacy_table *last = NULL;
	int rc = 0;

	e->plan = plan;
	e->steps = &plan->steps[first];
	e->n = n;
	for (unsigned i = 0; i < n; i++) {
		struct legacy_table *t = &e->tables[e->steps[i].family][e->steps[i].table];

		if (t != last)
			e->order[e->n_order++] = t;
		last = t;
	}
	for (unsigned i = 0; i < e->n_order && !rc; i++)
		rc = prepare_table(e, e->order[i], err);
	return rc;
}

/*
 * After a commit that failed with @error: libiptc does not say whether the table was replaced and only the packet
 * counters of its rules could not be put back.  Reads it again; returns 0 if it holds what @goal (NULL: nothing) asks
 * for, whoever wrote it, else @error.
 */
static int verify_commit(const struct engine *e, struct legacy_table *t, int error, const struct ruleset *goal,
			 unsigned flags)
{
	struct legacy_table fresh = { .family = t->family, .id = t->id };
	struct ruleset *now = ruleset_new(LAYOUT_IPTABLES, FAMILY_BOTH);
	int rc = legacy_table_open(&fresh);

	if (rc) {
		t->written = true; /* for all we know */
	} else {
		legacy_table_read(&fresh, now);
		ownership_decide(now, e->plan->want.known);
		if (!plan_table_is(IPTABLES_LEGACY, now, goal, t->id, t->family, flags))
			rc = error;
		else if (legacy_table_restore_counters(&fresh, t->h) || legacy_iptc[t->family].commit(fresh.h))
			log_warn("the packet counters of the " LEGACY_TABLE_FMT " are lost", LEGACY_TABLE_ARG(t));
	}
	legacy_table_close(&fresh);
	ruleset_free(now);
	return rc ? error : 0;
}

/* One commit of the edited table towards @goal: 0, or -errno and nothing changed (but see written). */
static int commit_table(const struct engine *e, struct legacy_table *t, const struct ruleset *goal, unsigned flags)
{
	int rc = legacy_iptc[t->family].commit(t->h);

	if (rc)
		rc = verify_commit(e, t, rc, goal, flags);
	t->written |= !rc;
	legacy_table_close(t);
	return rc;
}

/* Reads a table that a rival has changed and edits it anew; 1: it is right already. */
static int prepare_again(struct engine *e, struct legacy_table *t, struct ruleset *now, struct err *err)
{
	struct plan plan;
	int rc = legacy_table_open(t);

	if (rc)
		return legacy_error_open(t, -rc, err);
	legacy_table_read(t, now);
	ownership_decide(now, e->plan->want.known);
	plan_init(&plan, e->plan->live, &e->plan->want);
	plan_add_table(&plan, IPTABLES_LEGACY, now, wanted(e), t->id, t->family, 0);
	rc = legacy_table_edit(t, plan.steps, plan.n);
	if (rc)
		rc = legacy_error_edit(t, -rc, err);
	else if (!plan.n)
		rc = 1;
	plan_free(&plan);
	return rc;
}

/* @first: no other table is written yet, so that the caller can begin again at no cost. */
static int write_table(struct engine *e, struct legacy_table *t, bool first, struct err *err)
{
	for (int i = 0; i < WRITE_TRIES; i++) {
		struct ruleset *now;
		int rc = commit_table(e, t, wanted(e), 0);

		if (!rc)
			return 0;
		if (rc != -EAGAIN)
			return legacy_error_commit(t, -rc, wanted(e), err);
		if (first)
			break;
		now = ruleset_new(LAYOUT_IPTABLES, FAMILY_BOTH);
		rc = prepare_again(e, t, now, err);
		ruleset_free(now);
		if (rc)
			return rc < 0 ? rc : 0;
	}
	return legacy_error_busy(t, err);
}

static int legacy_commit(struct engine *e, struct err *err)
{
	int rc = 0;

	for (unsigned i = 0; i < e->n_order && !rc; i++)
		rc = write_table(e, e->order[i], i == 0, err);
	return rc;
}

static void tell_stranger(enum backend_index backend, enum table_id table, enum family family)
{
	struct legacy_table t = { .family = family, .id = table };

	(void)backend;
	log_error("cannot undo: another program has written the " LEGACY_TABLE_FMT " of iptables-legacy since; it was left "
		  "as it is",
		  LEGACY_TABLE_ARG(&t));
}

/* One try for one table: 0 if it is as it was, or has become somebody else's. */
static int undo_table(struct engine *e, struct legacy_table *t)
{
	struct ruleset *now = ruleset_new(LAYOUT_IPTABLES, FAMILY_BOTH);
	struct plan undo;
	int rc = legacy_table_open(t);

	if (!rc) {
		legacy_table_read(t, now);
		ownership_decide(now, e->plan->want.known);
		plan_undo(&undo, e->plan, IPTABLES_LEGACY, now, 1u << t->id, t->family, tell_stranger);
		rc = undo.n ? legacy_table_edit(t, undo.steps, undo.n) : 0;
		if (!rc && undo.n)
			rc = commit_table(e, t, e->live, PLAN_SHARED_GO);
		plan_free(&undo);
	}
	legacy_table_close(t);
	ruleset_free(now);
	return rc;
}

static void legacy_undo(struct engine *e)
{
	for (unsigned i = e->n_order; i-- > 0;) {
		struct legacy_table *t = e->order[i];
		int rc = -EAGAIN;

		for (int k = 0; k < WRITE_TRIES && t->written && rc; k++)
			rc = undo_table(e, t);
		if (t->written && rc) {
			log_error("cannot undo: the old rules of the " LEGACY_TABLE_FMT " of iptables-legacy could not be put "
				  "back: %s",
				  LEGACY_TABLE_ARG(t), strerror(-rc));
			log_error("run istio-init with --reconcile, or istio-init clean, to get a known state");
		}
		t->written = false;
	}
}

const struct engine_ops engine_x_tables = {
	.read = legacy_read,
	.prepare = legacy_prepare,
	.commit = legacy_commit,
	.undo = legacy_undo,
	.close = legacy_close,
};
