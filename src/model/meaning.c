/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meaning.h"

#include <stdlib.h>
#include <string.h>

#include "transfer.h"
#include "util.h"

enum { OP_BARE = OP_USER + 48 };

struct sides {
	const struct ruleset *before, *after;
	struct effects e;
	struct guesses guesses;
	bool loop, asleep;
};

static uint32_t side(struct sides *s, const struct ruleset *rs, enum table_id table, enum hook hook, enum family family)
{
	uint32_t node = transfer_table(&s->e, rs, table, hook, family, &s->guesses, &s->loop, &s->asleep);

	return effect_map_ends(&s->e, node, OP_BARE, 0, effect_without_reason);
}

static bool tables_are_the_same(struct sides *s)
{
	for (enum table_id t = 0; t < TABLES; t++)
		for (enum hook hook = HOOK_PREROUTING; hook <= HOOK_OUTPUT; hook++)
			for (enum family f = 0; f < FAMILIES; f++) {
				uint32_t before = side(s, s->before, t, hook, f), after = side(s, s->after, t, hook, f);

				if (before != after || s->e.d.full || s->loop || s->asleep || s->guesses.n)
					return false;
			}
	return true;
}

/*
 * What a diagram does not tell: of a native tproxy, which lets a packet go on where no proxy listens, and of chains that we
 * do not follow packets to, as those of an old release's SNAT.
 */
static bool is_beyond(const struct step *step, enum layout layout)
{
	static const char *const names[] = { "INPUT", "FORWARD", "POSTROUTING", "postrouting" };

	if (step->kind == STEP_ROUTE || (layout == LAYOUT_NATIVE && step->table == TABLE_MANGLE))
		return true;
	for (unsigned i = 0; i < ARRAY_SIZE(names) && step->kind == STEP_RULES; i++)
		if (!strcmp(step->chain->name, names[i]))
			return true;
	return false;
}

bool steps_mean_the_same(const struct step *steps, unsigned n, enum backend_index backend, const struct ruleset *live)
{
	struct sides s = { .before = live };
	struct ruleset *after;
	bool same;

	if (!live)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (steps[i].backend != backend || is_beyond(&steps[i], live->layout))
			return false;
	s.after = after = steps_result(steps, n, backend, live);
	effects_init(&s.e);
	same = tables_are_the_same(&s);
	effects_free(&s.e);
	free(s.guesses.items);
	ruleset_free(after);
	return same;
}
