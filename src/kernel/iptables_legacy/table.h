/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One table of one family as libiptc holds it: read as a whole, edited, written as a whole. */
#ifndef ISTIO_INIT_IPTABLES_LEGACY_TABLE_H
#define ISTIO_INIT_IPTABLES_LEGACY_TABLE_H

#include "plan.h"

struct xtc_handle;

struct legacy_table {
	enum family family;
	enum table_id id;
	struct xtc_handle *h; /* NULL: not open */
	bool written;         /* or it may have been: differs from what was read at first */
};

/* Reads the table afresh.  0 or -errno, untranslated. */
int legacy_table_open(struct legacy_table *t);
void legacy_table_close(struct legacy_table *t);

/* Adds all that the open table holds to @rs.  The rules' raw entries live as long as the table is open. */
void legacy_table_read(const struct legacy_table *t, struct ruleset *rs);

/* Whether the open table has no rule at all. */
bool legacy_table_is_empty(const struct legacy_table *t);

/*
 * Copies the entries of those rules of @rs (read from this table) that are not foreign to memory of @rs, in the form in
 * which they can be written again: editing spends those that the handle holds.
 */
void legacy_table_keep(const struct legacy_table *t, struct ruleset *rs);

/* Carries out, in memory, those of the @n steps that are about this table, which was just read.  0 or -errno. */
int legacy_table_edit(const struct legacy_table *t, const struct step *steps, unsigned n);

/*
 * Edits the open table: gives back the packet counts that its rules and policies had in @before, an edited handle of
 * the same rules, where they have been set to zero since.
 */
int legacy_table_restore_counters(const struct legacy_table *t, struct xtc_handle *before);

/* "IPv4 table nat" */
#define LEGACY_TABLE_FMT "%s table %s"
#define LEGACY_TABLE_ARG(t) family_title((t)->family), table_name((t)->id)

#endif
