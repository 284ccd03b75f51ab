/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ownership.h"

#include <stdlib.h>
#include <string.h>

#include "sequence.h"
#include "shapes.h"
#include "util.h"

bool ownership_is_shareable(const struct rule *rule, enum table_id table, enum hook hook)
{
	const struct match *m = rule->matches;

	if (hook == HOOK_NONE || rule->unknown || rule->n_matches > 1)
		return false;
	if (!rule->n_matches) /* of the wildcard of all interfaces, which is no test */
		return rule->target.kind == TARGET_RETURN && table != TABLE_RAW;
	if (m->invert)
		return false;
	if (rule->target.kind == TARGET_DROP)
		return table == TABLE_MANGLE && hook == HOOK_PREROUTING && m->kind == MATCH_CTSTATE &&
		       m->ctstates == CTSTATE_INVALID;
	return rule->target.kind == TARGET_RETURN && table != TABLE_RAW && m->n == 1 &&
	       m->kind == (hook == HOOK_OUTPUT ? MATCH_OIF : MATCH_IIF);
}

static bool is_wanted(const struct rule *rule, const struct chain *wanted, enum family family)
{
	const struct rule *want;
	struct chain_iter it;

	chain_iter_init(&it, wanted, family);
	while ((want = chain_iter_next(&it)))
		if (rule_equal(rule, want))
			return true;
	return false;
}

static enum rule_owner owner_of(const struct evidence *evidence, const struct rule *rule, const struct chain *chain,
				enum table_id table, const struct chain *wanted)
{
	enum family family = rule->families & FAMILY_BIT(IPV4) ? IPV4 : IPV6;

	if (rule->target.kind == TARGET_JUMP || rule->target.kind == TARGET_GOTO)
		return chain_is_istio(rule->target.chain) ? RULE_OURS : RULE_FOREIGN;
	if (shapes_have(evidence, table, chain, rule))
		return RULE_OURS;
	return wanted && ownership_is_shareable(rule, table, chain->hook) && is_wanted(rule, wanted, family) ?
		       RULE_SHARED :
		       RULE_FOREIGN;
}

/* The families of which the ruleset has something of ours. */
static uint8_t families_of_ours(const struct ruleset *rs)
{
	unsigned families = 0;

	for (enum table_id t = 0; t < TABLES; t++)
		for (unsigned c = 0; c < rs->tables[t].n_chains; c++) {
			const struct chain *chain = &rs->tables[t].chains[c];

			if (chain_is_ours(rs, chain))
				families |= chain->families;
			for (unsigned i = 0; i < chain->n_rules; i++)
				if (chain->rules[i].owner != RULE_FOREIGN)
					families |= chain->rules[i].families;
		}
	return (uint8_t)families;
}

void ownership_decide(struct ruleset *live, const struct ruleset *want)
{
	struct evidence evidence;

	evidence_find(&evidence, live, want);
	for (enum table_id t = 0; t < TABLES; t++)
		for (unsigned c = 0; c < live->tables[t].n_chains; c++) {
			struct chain *chain = &live->tables[t].chains[c];
			const struct chain *wanted = want ? ruleset_find(want, t, chain->name) : NULL;
			bool own = chain_is_ours(live, chain);

			for (unsigned i = 0; i < chain->n_rules; i++)
				chain->rules[i].owner =
					own ? RULE_OURS : (uint8_t)owner_of(&evidence, &chain->rules[i], chain, t, wanted);
		}
	live->families = families_of_ours(live);
	evidence_free(&evidence);
}

bool ownership_has_ours(const struct ruleset *live)
{
	for (enum table_id t = 0; t < TABLES; t++) {
		const struct table *table = &live->tables[t];

		if (live->layout == LAYOUT_NATIVE && table->present)
			return true;
		for (unsigned c = 0; c < table->n_chains; c++) {
			if (chain_is_ours(live, &table->chains[c]))
				return true;
			for (unsigned i = 0; i < table->chains[c].n_rules; i++)
				if (table->chains[c].rules[i].owner == RULE_OURS)
					return true;
		}
	}
	return false;
}

static bool has_chain(const struct ruleset *live, const char *name)
{
	for (enum table_id t = 0; t < TABLES; t++)
		if (ruleset_find(live, t, name))
			return true;
	return false;
}

bool ownership_is_ambient(const struct ruleset *live)
{
	if (live->layout == LAYOUT_NATIVE)
		return !strcmp(live->stem, AMBIENT_STEM);
	return has_chain(live, "ISTIO_PRERT") && !has_chain(live, "ISTIO_INBOUND") &&
	       !has_chain(live, "ISTIO_REDIRECT") && !has_chain(live, "ISTIO_IN_REDIRECT");
}

/* The live rules that are compared with the wanted ones: all but the foreign. */
struct comparison {
	const struct chain_edit *edit;
	unsigned *own; /* their numbers among the live */
	unsigned n;
	unsigned foreign; /* how many there are of these */
	unsigned end;     /* the number of the first that ends, or of the live rules */
};

/* Two rules that the model cannot express are the same if they are one rule, or one is the other's copy. */
static bool rules_same(const void *data, unsigned i, unsigned j)
{
	const struct comparison *c = data;
	const struct rule *live = c->edit->live[c->own[i]], *want = &c->edit->want[j];

	if ((want->front && c->own[i] > c->end) || (c->edit->anew && c->edit->own) ||
	    (c->edit->same_families && live->families != want->families))
		return false;
	/* Live rule number own[i] is the i-th of ours: the others before it are foreign. */
	if (c->edit->places && c->edit->places[c->edit->n_want] == c->foreign && c->edit->places[j] != c->own[i] - i)
		return false;
	if (live->unknown || want->unknown)
		return live->id && live->id == want->id;
	return rule_equal(live, want);
}

/* Behind so many foreign rules. */
static unsigned behind_foreign(const struct chain_edit *edit, unsigned n_foreign)
{
	for (unsigned i = 0; i < edit->n_live; i++)
		if (edit->live[i]->owner == RULE_FOREIGN && n_foreign-- == 0)
			return i;
	return edit->n_live;
}

/* Where new rules go if no old one stays: the old ones at the very front may have been for the top. */
static unsigned place_of_old(const struct chain_edit *edit)
{
	unsigned first = edit->n_live, foreign = 0;

	for (unsigned i = 0; i < edit->n_live; i++) {
		foreign += edit->live[i]->owner == RULE_FOREIGN;
		if (!edit->goes[i])
			continue;
		if (foreign)
			return i;
		if (first == edit->n_live)
			first = i;
	}
	return first;
}

static unsigned clamp(unsigned value, unsigned lo, unsigned hi)
{
	return value < lo ? lo : value > hi ? hi : value;
}

static void place_new(const struct chain_edit *edit, const unsigned *at)
{
	unsigned next = edit->n_live, place = 0;
	bool any = false;

	/* What stands behind is known from the back ... */
	for (unsigned j = edit->n_want; j-- > 0;) {
		any |= edit->stays[j];
		next = edit->stays[j] ? at[j] : next;
		edit->before[j] = next;
	}
	if (!any)
		place = place_of_old(edit);
	/* ... and decides only up to the first that stays. */
	for (unsigned j = 0, behind = 0; j < edit->n_want; j++) {
		if (edit->stays[j])
			behind = at[j] + 1;
		else if (edit->places && !edit->own)
			edit->before[j] = clamp(behind_foreign(edit, edit->places[j]), behind, edit->before[j]);
		else if (behind)
			edit->before[j] = behind;
		else if (edit->want[j].top && !edit->own)
			edit->before[j] = 0;
		else if (!any)
			edit->before[j] = place;
	}
}

void ownership_edit(const struct chain_edit *edit)
{
	struct comparison c = { .edit = edit, .own = xcalloc(edit->n_live + 1, sizeof(*c.own)) };
	auto_free bool *kept = xcalloc(edit->n_live + 1, sizeof(*kept));
	auto_free unsigned *at = xcalloc(edit->n_want + 1, sizeof(*at));
	unsigned i = 0;

	for (unsigned l = 0; l < edit->n_live; l++)
		if (edit->live[l]->owner != RULE_FOREIGN)
			c.own[c.n++] = l;
	c.foreign = edit->n_live - c.n;
	while (c.end < edit->n_live && !edit->live[c.end]->ends)
		c.end++;
	sequence_compare(&(struct sequences){ c.n, edit->n_want, rules_same, &c, kept, edit->stays });
	for (unsigned j = 0; j < edit->n_want; j++) {
		if (!edit->stays[j])
			continue;
		while (!kept[i])
			i++;
		at[j] = c.own[i++];
	}
	for (unsigned l = 0; l < c.n; l++) {
		bool goes = edit->shared_go || edit->live[c.own[l]]->owner == RULE_OURS;

		edit->goes[c.own[l]] = !kept[l] && goes;
		if (edit->left)
			edit->left[c.own[l]] = !kept[l] && !goes;
	}
	place_new(edit, at);
	/* Among others' rules each is made anew where it stands, also what is shared: else it would be there once more. */
	if (edit->anew) {
		for (unsigned l = 0; l < c.n; l++)
			edit->goes[c.own[l]] |= kept[l];
		memset(edit->stays, 0, edit->n_want * sizeof(*edit->stays));
	}
	free(c.own);
}
