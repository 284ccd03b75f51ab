/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iptables-legacy: each table of each family is read as a whole and written as a
 * whole, by one commit.  The kernel notices a rival only by the number of rules; the
 * caller holds the xtables lock from open to close.
 */
#include "iptables_legacy/legacy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend.h"
#include "diff.h"
#include "log.h"
#include "xt/xt.h"

/* How often a table is tried again after a rival was faster, when another table is already written. */
#define WRITE_TRIES 5

/* A kernel lists at most a handful of short names. */
#define NAMES_LIMIT 4096

struct backend {
	char *names[FAMILIES]; /* of the tables that the netns has, a line each; NULL: the kernel has no ip_tables */
	struct ruleset *live;
	struct ruleset *known; /* rules of built-in chains that are wanted: how to tell them from a user's own */
	struct legacy_table tables[FAMILIES][TABLES];
	struct legacy_table *order[FAMILIES * TABLES]; /* of writing */
	unsigned n_order;
	const struct ruleset *want; /* what the tables are edited to */
};

/* The names of the tables that the netns has, without making one. */
static int read_names(enum family family, char **names, struct err *err)
{
	const char *path = family == IPV6 ? "/proc/net/ip6_tables_names" : "/proc/net/ip_tables_names";
	size_t len;
	int ret = read_file(path, NAMES_LIMIT, names, &len);

	/* Without /proc/net (no /proc, or one of processes alone) nobody knows what is there. */
	return ret < 0 && (ret != -ENOENT || access("/proc/net", F_OK)) ? legacy_error_names(family, -ret, err) : 0;
}

static bool names_have(const char *names, const char *name)
{
	size_t len = strlen(name);

	for (; names && *names; names += strcspn(names, "\n"), names += *names == '\n')
		if (!strncmp(names, name, len) && names[len] == '\n')
			return true;
	return false;
}

static void legacy_close(struct backend *b)
{
	if (!b)
		return;
	for (enum family f = 0; f < FAMILIES; f++) {
		for (enum table_id t = 0; t < TABLES; t++)
			legacy_table_close(&b->tables[f][t]);
		free(b->names[f]);
	}
	ruleset_free(b->live);
	ruleset_free(b->known);
	free(b);
}

static const void *match_item(const struct match *m)
{
	switch (m->kind) {
	case MATCH_MARK:
	case MATCH_CONNMARK:
		return &m->mark;
	case MATCH_CTSTATE:
		return &m->ctstates;
	case MATCH_PROTO:
		return &m->proto;
	default:
		return m->ranges; /* as good as any list */
	}
}

static void know_rule(struct backend *b, enum table_id table, const struct chain *chain, enum family family,
		      const struct rule *rule)
{
	struct xt_rule copy;

	xt_rule_init(&copy, b->known, family);
	for (unsigned i = 0; i < rule->n_matches; i++)
		xt_rule_add(&copy, rule->matches[i].kind, rule->matches[i].invert, match_item(&rule->matches[i]));
	copy.rule.top = rule->top;
	copy.rule.target = rule->target;
	if (rule->target.chain)
		copy.rule.target.chain = ruleset_strdup(b->known, rule->target.chain);
	if (rule->comment)
		copy.rule.comment = ruleset_strdup(b->known, rule->comment);
	ruleset_append(b->known, table, chain->name, &copy.rule);
}

/*
 * Copies what a later undo must recognize; the caller's rules may be gone by then.  Jumps
 * at the very top, one for each CIDR and interface, are told by their target.
 */
static void know_rules(struct backend *b, const struct ruleset *want)
{
	struct chain_iter it;
	const struct rule *rule;

	if (want)
		b->known->with_foreign = want->with_foreign;
	for (enum table_id id = 0; want && id < TABLES; id++)
		for (enum hook hook = 0; hook < HOOK_NONE; hook++)
			for (enum family f = 0; f < FAMILIES; f++) {
				const struct chain *chain = ruleset_find(want, id, hook_name(hook));

				chain_iter_init(&it, chain, f);
				while ((rule = chain_iter_next(&it)))
					if (!rule->top || rule->target.kind == TARGET_RETURN)
						know_rule(b, id, chain, f, rule);
			}
}

static int open_family(struct backend *b, enum family family, struct err *err)
{
	int ret = read_names(family, &b->names[family], err);

	for (enum table_id id = 0; id < TABLES && !ret; id++) {
		struct legacy_table *t = &b->tables[family][id];

		if (!names_have(b->names[family], table_name(id)))
			continue;
		ret = legacy_table_open(t);
		if (ret < 0)
			return legacy_error_open(t, -ret, err);
		legacy_table_read(t, b->live, b->known);
	}
	return ret;
}

static int legacy_open(struct backend **backend, const struct ruleset *want, struct err *err)
{
	struct backend *b = xcalloc(1, sizeof(*b));
	int ret = 0;

	b->live = ruleset_new(LAYOUT_IPTABLES, FAMILY_BOTH);
	b->known = ruleset_new(LAYOUT_IPTABLES, FAMILY_BOTH);
	know_rules(b, want);
	for (enum family f = 0; f < FAMILIES && !ret; f++) {
		for (enum table_id id = 0; id < TABLES; id++) {
			b->tables[f][id].family = f;
			b->tables[f][id].id = id;
		}
		ret = open_family(b, f, err);
	}
	if (ret < 0) {
		legacy_close(b);
		return ret;
	}
	ruleset_note_families(b->live, want);
	*backend = b;
	return 0;
}

static const struct ruleset *legacy_live(const struct backend *b)
{
	return b->live;
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

static bool family_has_others(const struct backend *b, enum family family)
{
	char *name, *rest = NULL;
	bool rules = false;

	for (enum table_id id = 0; id < TABLES; id++)
		rules |= b->tables[family][id].n_foreign > 0;
	name = b->names[family] ? strtok_r(b->names[family], "\n", &rest) : NULL;
	for (; name && !rules; name = strtok_r(NULL, "\n", &rest)) {
		bool ours = false;

		for (enum table_id id = 0; id < TABLES; id++)
			ours |= !strcmp(name, table_name(id));
		if (!ours)
			rules = other_table_has_rules(family, name);
	}
	return rules;
}

static int legacy_holds(struct backend **backend, struct err *err)
{
	struct backend *b;
	int ret = legacy_open(&b, NULL, err);

	(void)backend; /* what open finds depends on what is wanted */

	/* The netns has the table: it is not the kernel that lacks it. */
	if (ret == -EOPNOTSUPP) {
		err->status = STATUS_FAILED;
		return -EIO;
	}
	if (ret < 0)
		return ret;
	if (!b->names[IPV4] && !b->names[IPV6])
		ret = legacy_error_absent(err);
	for (enum table_id t = 0; t < TABLES && !ret; t++)
		ret = b->live->tables[t].n_chains ? HOLDS_ISTIO : 0;
	for (enum family f = 0; f < FAMILIES && ret >= 0; f++)
		ret |= family_has_others(b, f) ? HOLDS_OTHERS : 0;
	legacy_close(b);
	return ret;
}

/* Reads the table again; what was saved stays.  @rs: gets what is Istio's in it. */
static int reread(struct legacy_table *t, struct ruleset *rs, const struct ruleset *known)
{
	int ret;

	legacy_table_release(t);
	ret = legacy_table_open(t);
	if (!ret)
		legacy_table_read(t, rs, known);
	return ret;
}

/*
 * After a commit that failed with @error: libiptc does not say whether the table was
 * replaced and only the packet counters of its rules could not be put back.  Reads it
 * again; returns 0 if it holds what @goal wants, whoever wrote it, else @error.
 */
static int commit_verify(struct backend *b, struct legacy_table *t, int error, const struct ruleset *goal)
{
	struct legacy_table fresh = { .family = t->family, .id = t->id };
	struct ruleset *rs = ruleset_new(LAYOUT_IPTABLES, FAMILY_BOTH);
	int ret = reread(&fresh, rs, b->known);

	if (ret)
		t->written = true; /* for all we know */
	else if (!table_equal(rs, goal, t->id, t->family))
		ret = error;
	else if (legacy_table_restore_counters(&fresh, t->h) || legacy_iptc[t->family].commit(fresh.h))
		log_warn("the packet counters of the " LEGACY_TABLE_FMT " are lost", LEGACY_TABLE_ARG(t));
	legacy_table_close(&fresh);
	ruleset_free(rs);
	return ret ? error : 0;
}

/* One commit of the edited table towards @goal: 0, or -errno and nothing changed (but see written). */
static int commit(struct backend *b, struct legacy_table *t, const struct ruleset *goal)
{
	int ret = legacy_iptc[t->family].commit(t->h);

	if (ret)
		ret = commit_verify(b, t, ret, goal);
	t->written |= !ret;
	legacy_table_release(t);
	return ret;
}

/* Edits the table, as it was just read, so that a commit makes it what the caller wants. */
static int prepare(struct legacy_table *t, const struct ruleset *want, struct err *err)
{
	int ret;

	legacy_table_save(t);
	ret = legacy_table_edit(t, want);
	return ret < 0 ? legacy_error_edit(t, -ret, err) : 0;
}

/* Reads a table that a rival has changed and edits it anew; 1: it is right already. */
static int prepare_again(struct backend *b, struct legacy_table *t, struct err *err)
{
	struct ruleset *rs = ruleset_new(LAYOUT_IPTABLES, FAMILY_BOTH);
	int ret = reread(t, rs, b->known);

	if (ret < 0)
		ret = legacy_error_open(t, -ret, err);
	else if (table_equal(rs, b->want, t->id, t->family))
		ret = 1;
	else
		ret = prepare(t, b->want, err);
	ruleset_free(rs);
	return ret;
}

/* @first: no other table is written yet, so that the caller can begin again at no cost. */
static int write_table(struct backend *b, struct legacy_table *t, bool first, struct err *err)
{
	for (int i = 0; i < WRITE_TRIES; i++) {
		int ret = commit(b, t, b->want);

		if (!ret)
			return 0;
		if (ret != -EAGAIN)
			return legacy_error_commit(t, -ret, b->want, err);
		if (first)
			break;
		ret = prepare_again(b, t, err);
		if (ret)
			return ret < 0 ? ret : 0;
	}
	return legacy_error_busy(t, err);
}

static int undo_table(struct backend *b, struct legacy_table *t)
{
	int ret = -EAGAIN;

	for (int i = 0; i < WRITE_TRIES && ret; i++) {
		struct ruleset *rs = ruleset_new(LAYOUT_IPTABLES, FAMILY_BOTH);

		ret = reread(t, rs, b->known);
		if (!ret)
			ret = legacy_table_restore(t);
		if (!ret)
			ret = commit(b, t, b->live);
		ruleset_free(rs);
	}
	legacy_table_release(t);
	t->written = ret != 0;
	return ret;
}

/* Puts back every written table, the last first.  What @err says of the cause stays, if it says anything. */
static int undo_all(struct backend *b, struct err *err)
{
	struct legacy_table *failed = NULL;
	int error = 0;

	for (unsigned i = b->n_order; i--;) {
		int ret = b->order[i]->written ? undo_table(b, b->order[i]) : 0;

		if (!ret)
			continue;
		failed = b->order[i];
		error = ret;
	}
	return failed ? legacy_error_undo(failed, -error, err) : 0;
}

static unsigned count_rules(const struct ruleset *rs, const struct legacy_table *t)
{
	const struct table *table = &rs->tables[t->id];
	unsigned n = 0;

	for (unsigned i = 0; i < table->n_chains; i++)
		n += chain_count_rules(&table->chains[i], t->family);
	return n;
}

/*
 * The tables to write: those that differ, or (@force) that @want has.  Those that grow
 * come first: when what captures moves from one table to another, nothing slips through
 * between two commits.
 */
static void order_tables(struct backend *b, const struct ruleset *want, bool force)
{
	unsigned growing = 0;

	b->n_order = 0;
	for (enum family f = 0; f < FAMILIES; f++)
		for (enum table_id id = 0; id < TABLES; id++) {
			struct legacy_table *t = &b->tables[f][id];

			if (table_equal(b->live, want, id, f) && !(force && table_has_family(&want->tables[id], f)))
				continue;
			b->order[b->n_order++] = t;
			if (count_rules(want, t) < count_rules(b->live, t))
				continue;
			memmove(&b->order[growing + 1], &b->order[growing],
				(b->n_order - 1 - growing) * sizeof(struct legacy_table *));
			b->order[growing++] = t;
		}
}

/* Opens the tables that are not open yet and edits all of them, before any is written. */
static int prepare_all(struct backend *b, struct err *err)
{
	int ret = 0;

	for (unsigned i = 0; i < b->n_order && !ret; i++) {
		struct legacy_table *t = b->order[i];

		if (!t->h) {
			struct ruleset *rs = ruleset_new(LAYOUT_IPTABLES, FAMILY_BOTH);

			ret = reread(t, rs, b->known);
			ruleset_free(rs);
			if (ret < 0)
				return legacy_error_open(t, -ret, err);
		}
		ret = prepare(t, b->want, err);
	}
	return ret;
}

static int legacy_prepare(struct backend *b, const struct ruleset *want, bool force, struct err *err)
{
	b->want = want;
	order_tables(b, want, force);
	return prepare_all(b, err);
}

static int legacy_commit(struct backend *b, struct err *err)
{
	int ret = 0;

	for (unsigned i = 0; i < b->n_order && !ret; i++)
		ret = write_table(b, b->order[i], i == 0, err);
	if (ret < 0) {
		int undone = undo_all(b, err);

		return undone < 0 ? undone : ret;
	}
	return 0;
}

static int legacy_undo(struct backend *b, struct err *err)
{
	return undo_all(b, err);
}

const struct backend_ops backend_legacy = {
	.name = "iptables-legacy",
	.layout = LAYOUT_IPTABLES,
	.holds = legacy_holds,
	.open = legacy_open,
	.live = legacy_live,
	.prepare = legacy_prepare,
	.commit = legacy_commit,
	.undo = legacy_undo,
	.close = legacy_close,
};
