/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rows.h"

#include <stdlib.h>

#include "util.h"

#define ROWS_MAX 100000

struct walk {
	struct rows *rows;
	struct diagram *d;
	uint32_t owners; /* both a UID and a GID, or neither */
	struct row row;
};

static void add_row(struct walk *w, uint32_t end)
{
	uint32_t set;

	if (end == NOTHING)
		return;
	set = diagram_and(w->d, w->row.sets[FIELD_UID], w->row.sets[FIELD_GID]);

	if (diagram_and(w->d, w->owners, set) == NOTHING)
		return;
	if (w->rows->n == ROWS_MAX)
		w->d->full = true;
	w->row.end = end;
	*(struct row *)array_push(&w->rows->items, &w->rows->n, sizeof(w->row)) = w->row;
}

static void add_rows(struct walk *w, uint32_t node)
{
	enum field field = is_terminal(node) ? FIELD_GUESS : field_of(diagram_top(w->d, node));
	uint32_t *ends = NULL;
	unsigned n = 0;

	if (w->d->full)
		return;
	if (field == FIELD_GUESS) {
		add_row(w, node);
		return;
	}
	diagram_ends(w->d, node, field, &ends, &n);
	for (unsigned i = 0; i < n; i++) {
		w->row.sets[field] = diagram_part(w->d, node, ends[i], field);
		add_rows(w, ends[i]);
	}
	w->row.sets[field] = EVERYTHING;
	free(ends);
}

void rows_add(struct rows *rows, struct diagram *d, uint32_t node, enum family family)
{
	uint32_t no_uid = diagram_range(d, FIELD_UID, NO_SOCKET, NO_SOCKET);
	uint32_t no_gid = diagram_range(d, FIELD_GID, NO_SOCKET, NO_SOCKET);
	uint32_t neither = diagram_and(d, no_uid, no_gid);
	struct walk w = { .rows = rows, .d = d, .row = { .families = FAMILY_BIT(family) } };

	w.owners = diagram_or(d, neither, diagram_not(d, diagram_or(d, no_uid, no_gid)));
	for (enum field f = 0; f < FIELD_GUESS; f++)
		w.row.sets[f] = EVERYTHING;
	add_rows(&w, node);
}

/* Whether both are the same but for one field, which @a then gets of both. */
static bool join(struct row *a, const struct row *b, struct diagram *d)
{
	enum field at = FIELD_GUESS;

	if (a->end != b->end || a->families != b->families)
		return false;
	for (enum field f = 0; f < FIELD_GUESS; f++) {
		if (a->sets[f] == b->sets[f])
			continue;
		if (at < FIELD_GUESS)
			return false;
		at = f;
	}
	if (at < FIELD_GUESS)
		a->sets[at] = diagram_or(d, a->sets[at], b->sets[at]);
	return true;
}

/* Whether they are of IPv4 and of IPv6, and the same but for addresses. */
static bool join_families(struct row *a, const struct row *b, struct diagram *d)
{
	(void)d;
	if (a->end != b->end || a->families != FAMILY_BIT(IPV4) || b->families != FAMILY_BIT(IPV6))
		return false;
	for (enum field f = 0; f < FIELD_GUESS; f++)
		if (f != FIELD_SRC && f != FIELD_DST && a->sets[f] != b->sets[f])
			return false;
	a->families |= b->families;
	a->src6 = b->sets[FIELD_SRC];
	a->dst6 = b->sets[FIELD_DST];
	return true;
}

/* Leaves out those that have become part of another. */
static void drop_joined(struct rows *rows)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < rows->n; i++)
		if (rows->items[i].families)
			rows->items[kept++] = rows->items[i];
	rows->n = kept;
}

static bool join_all(struct rows *rows, struct diagram *d,
		     bool (*join_two)(struct row *, const struct row *, struct diagram *))
{
	bool joined = false;

	for (unsigned i = 0; i < rows->n; i++)
		for (unsigned k = i + 1; k < rows->n && rows->items[i].families; k++) {
			if (!rows->items[k].families || !join_two(&rows->items[i], &rows->items[k], d))
				continue;
			rows->items[k].families = 0;
			joined = true;
		}
	drop_joined(rows);
	return joined;
}

void rows_merge(struct rows *rows, struct diagram *d)
{
	while (join_all(rows, d, join))
		;
	join_all(rows, d, join_families);
}
