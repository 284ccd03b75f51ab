/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of the iptables-legacy backend. */
#ifndef ISTIO_INIT_LEGACY_H
#define ISTIO_INIT_LEGACY_H

#include "err.h"
#include "ruleset.h"
#include "util.h"

struct xt_counters;
struct xtc_handle;

/*
 * libiptc, which is two libraries of the same functions, and no stable interface: all
 * of it that we use (1.8.x) is behind this table (legacy_iptc.c).  A handle is one read of
 * one table; entries are struct ipt_entry or ip6t_entry and live as long as the
 * handle holds them.  Positions count from 0.  Functions that return int return 0 or -errno.
 */
struct iptc {
	int (*init)(const char *table, struct xtc_handle **h); /* creates the table if need be */
	void (*free)(struct xtc_handle *h);
	const char *(*first_chain)(struct xtc_handle *h);
	const char *(*next_chain)(struct xtc_handle *h);
	const void *(*first_rule)(const char *chain, struct xtc_handle *h);
	const void *(*next_rule)(struct xtc_handle *h);
	const char *(*target)(const void *entry, struct xtc_handle *h);
	int (*append)(const char *chain, const void *entry, struct xtc_handle *h);
	int (*insert)(const char *chain, const void *entry, unsigned position, struct xtc_handle *h);
	int (*delete)(const char *chain, unsigned position, struct xtc_handle *h);
	int (*flush)(const char *chain, struct xtc_handle *h);
	int (*create_chain)(const char *chain, struct xtc_handle *h);
	int (*delete_chain)(const char *chain, struct xtc_handle *h);
	const struct xt_counters *(*counters)(const void *entry);
	int (*set_counters)(const char *chain, unsigned position, struct xt_counters *counters, struct xtc_handle *h);
	const char *(*policy)(const char *chain, struct xt_counters *counters, struct xtc_handle *h); /* NULL: none */
	int (*set_policy)(const char *chain, const char *policy, struct xt_counters *counters, struct xtc_handle *h);
	int (*commit)(struct xtc_handle *h);
};
extern const struct iptc legacy_iptc[FAMILIES];

/* One of our rules in a chain that is not ours, as the handle holds it. */
struct legacy_place {
	const char *chain;
	unsigned position;
	unsigned foreign; /* rules before it that are not ours */
	const void *entry;
	bool kept; /* it is wanted, and not in front of everything */
};

/* A chain or rule that stood before we changed it. */
struct legacy_saved {
	const char *chain;
	unsigned position;
	void *entry; /* as libiptc takes it; NULL: the chain itself, of our own */
};

/* One table of one family. */
struct legacy_table {
	enum family family;
	enum table_id id;
	struct xtc_handle *h; /* NULL: not open */
	struct legacy_place *places;
	unsigned n_places, n_foreign; /* n_foreign: rules that are not ours */
	struct legacy_saved *saved; /* in the order in which it goes back */
	unsigned n_saved;
	struct arena *saved_arena;
	bool written; /* or it may have been: differs from what was saved */
};

/* Reads the table afresh. 0 or -errno, untranslated. */
int legacy_table_open(struct legacy_table *t);
void legacy_table_release(struct legacy_table *t); /* keeps what was saved */
void legacy_table_close(struct legacy_table *t);

/* Adds what is Istio's in the open table to @rs, and notes where it is.  @known: see capture_owns. */
void legacy_table_read(struct legacy_table *t, struct ruleset *rs, const struct ruleset *known);

/* Notes what is Istio's in the open table, just read, for legacy_table_restore. */
void legacy_table_save(struct legacy_table *t);

/* Edits the open table, just read: Istio's rules become those of @want; or what was saved. 0 or -errno. */
int legacy_table_edit(struct legacy_table *t, const struct ruleset *want);
int legacy_table_restore(struct legacy_table *t);

/*
 * Edits the open table: gives back the packet counts that its rules and policies had in
 * @before, an edited handle of the same rules, where they have been set to zero since.
 */
int legacy_table_restore_counters(struct legacy_table *t, struct xtc_handle *before);

/*
 * Errors in the user's terms; each returns -errno: -EOPNOTSUPP if the kernel lacks what it
 * takes.  legacy_error_commit finds out which part of @want that is.
 */
int legacy_error_absent(struct err *err);
int legacy_error_names(enum family family, int error, struct err *err);
int legacy_error_busy(const struct legacy_table *t, struct err *err);
int legacy_error_open(const struct legacy_table *t, int error, struct err *err);
int legacy_error_edit(const struct legacy_table *t, int error, struct err *err);
int legacy_error_commit(const struct legacy_table *t, int error, const struct ruleset *want, struct err *err);
/* What @err says of the cause is logged and replaced. */
int legacy_error_undo(const struct legacy_table *t, int error, struct err *err);

/* "IPv4 table nat" */
#define LEGACY_TABLE_FMT "%s table %s"
#define LEGACY_TABLE_ARG(t) ((t)->family == IPV6 ? "IPv6" : "IPv4"), table_name((t)->id)

#endif
