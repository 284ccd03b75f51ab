/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "traffic_ifaces.h"

#include <string.h>

#include "util.h"

/* Whether all names of @b are among those of @a, and not the other way round. */
static bool is_wider(const char *a, const char *b)
{
	size_t n = strlen(a);

	return n && a[n - 1] == '+' && strcmp(a, b) != 0 && !strncmp(a, b, n - 1);
}

static void add_pattern(struct iface_patterns *patterns, const struct iface *iface)
{
	for (unsigned i = 0; i < patterns->n; i++)
		if (!strcmp(patterns->items[i].name, iface->name))
			return;
	for (unsigned i = 0; i < patterns->n && strcmp(iface->name, "+") != 0; i++)
		patterns->nested |= strcmp(patterns->items[i].name, "+") != 0 &&
				    (is_wider(patterns->items[i].name, iface->name) ||
				     is_wider(iface->name, patterns->items[i].name));
	*(struct iface *)array_push(&patterns->items, &patterns->n, sizeof(*iface)) = *iface;
}

static void add_rule(struct iface_patterns *patterns, const struct rule *rule)
{
	for (unsigned m = 0; m < rule->n_matches; m++) {
		const struct match *match = &rule->matches[m];

		for (uint32_t i = 0; (match->kind == MATCH_IIF || match->kind == MATCH_OIF) && i < match->n; i++)
			add_pattern(patterns, &match->ifaces[i]);
	}
}

void iface_patterns_add(struct iface_patterns *patterns, const struct ruleset *rs)
{
	for (enum table_id t = 0; t < TABLES; t++)
		for (unsigned c = 0; c < rs->tables[t].n_chains; c++)
			for (unsigned i = 0; i < rs->tables[t].chains[c].n_rules; i++)
				add_rule(patterns, &rs->tables[t].chains[c].rules[i]);
	add_pattern(patterns, &(struct iface){ "+" });
	add_pattern(patterns, &(struct iface){ "lo" });
}

/* The pattern's names, but for those of all that are narrower, or of which @out says so. */
static uint32_t names_but(const struct iface_patterns *patterns, struct diagram *d, enum field field, unsigned p,
			  const bool *out)
{
	uint32_t set = iface_set(d, field, patterns->items[p].name);

	for (unsigned i = 0; i < patterns->n; i++)
		if (is_wider(patterns->items[p].name, patterns->items[i].name) && (!out || out[i]))
			set = diagram_and(d, diagram_not(d, iface_set(d, field, patterns->items[i].name)), set);
	return set;
}

/* The narrowest that is wider than @p; p itself: none. */
static unsigned parent_of(const struct iface_patterns *patterns, unsigned p)
{
	unsigned parent = p;

	for (unsigned i = 0; i < patterns->n; i++)
		if (is_wider(patterns->items[i].name, patterns->items[p].name) &&
		    (parent == p || is_wider(patterns->items[parent].name, patterns->items[i].name)))
			parent = i;
	return parent;
}

void iface_parts(const struct iface_patterns *patterns, struct diagram *d, enum field field, uint32_t set,
		 struct iface_part **parts, unsigned *n)
{
	auto_free bool *out = xcalloc(patterns->n, sizeof(*out));
	uint32_t listed = NOTHING;

	for (unsigned p = 0; p < patterns->n; p++)
		out[p] = diagram_and(d, names_but(patterns, d, field, p, NULL), set) == NOTHING;
	for (unsigned p = 0; p < patterns->n; p++) {
		unsigned parent = parent_of(patterns, p);
		struct iface_part part = { .set = NOTHING, .within = patterns->items[p] };

		if (out[p] || (parent != p && !out[parent]))
			continue;
		part.set = names_but(patterns, d, field, p, out);
		if (parent != p && part.set == iface_set(d, field, part.within.name)) {
			listed = diagram_or(d, listed, part.set);
			continue;
		}
		if (parent == p)
			part.within = (struct iface){ "" };
		*(struct iface_part *)array_push(parts, n, sizeof(part)) = part;
	}
	if (listed != NOTHING)
		*(struct iface_part *)array_push(parts, n, sizeof(**parts)) = (struct iface_part){ .set = listed };
}
