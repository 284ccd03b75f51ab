/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan_model.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "rule_words.h"
#include "util.h"

/*
 * The ruleset as it is now.  A live rule's raw is the rule of @live that it was, so that steps, which count the rules
 * as they were before the first of them, find it.
 */
struct model {
	enum backend_index backend;
	const struct ruleset *back; /* of an undo: the tables as they were */
	struct ruleset *now;
	uint8_t table_age; /* the youngest */
	uint32_t chain_age;
};

static struct ruleset *copy_ruleset(const struct ruleset *live)
{
	struct ruleset *copy = ruleset_new((enum layout)live->layout, live->families);

	copy->stem = live->stem;
	for (enum table_id t = 0; t < TABLES; t++) {
		const struct table *from = &live->tables[t];
		struct table *to = &copy->tables[t];

		for (unsigned c = 0; c < from->n_chains; c++) {
			const struct chain *chain = &from->chains[c];
			struct chain *made = ruleset_chain(copy, t, chain->name);

			*made = *chain;
			made->rules = NULL;
			made->n_rules = 0;
			for (unsigned i = 0; i < chain->n_rules; i++)
				ruleset_append(copy, t, chain->name, &chain->rules[i])->raw = &chain->rules[i];
		}
		to->present = from->present;
		to->strange = from->strange;
		memcpy(to->age, from->age, sizeof(to->age));
		memcpy(to->others, from->others, sizeof(to->others));
	}
	return copy;
}

static struct chain *chain_of(const struct model *m, const struct step *step)
{
	struct chain *chain = (struct chain *)ruleset_find(m->now, step->table, step->chain->name);

	return chain && chain->families & family_mask(step->family) ? chain : NULL;
}

static void remove_rule(struct chain *chain, unsigned i)
{
	memmove(&chain->rules[i], &chain->rules[i + 1], (--chain->n_rules - i) * sizeof(*chain->rules));
}

/* A chain that goes must be empty, and no rule may lead to it. */
static void remove_chain(struct model *m, const struct step *step)
{
	struct table *table = &m->now->tables[step->table];
	struct chain *chain = chain_of(m, step);
	unsigned mask = family_mask(step->family), at;

	ck_assert_ptr_nonnull(chain);
	for (unsigned c = 0; c < table->n_chains; c++)
		for (unsigned i = 0; i < table->chains[c].n_rules; i++) {
			const struct rule *rule = &table->chains[c].rules[i];

			if (!(rule->families & mask))
				continue;
			ck_assert_ptr_ne(&table->chains[c], chain);
			ck_assert(rule->target.kind != TARGET_JUMP || strcmp(rule->target.chain, chain->name));
		}
	chain->families &= (uint8_t)~mask;
	chain->misplaced &= (uint8_t)~mask;
	chain->stock &= (uint8_t)~mask;
	if (chain->families)
		return;
	at = (unsigned)(chain - table->chains);
	free(chain->rules);
	memmove(chain, chain + 1, (--table->n_chains - at) * sizeof(*chain));
	table_index_chains(table);
}

static void add_chain(struct model *m, const struct step *step)
{
	struct chain *chain;

	ck_assert(m->now->tables[step->table].present & family_mask(step->family));
	ck_assert_ptr_null(chain_of(m, step));
	chain = ruleset_chain(m->now, step->table, step->chain->name);
	chain->families |= (uint8_t)family_mask(step->family);
	chain->misplaced |= step->chain->misplaced & family_mask(step->family);
	if (m->backend == IPTABLES_NFT && chain->hook != HOOK_NONE)
		chain->stock |= (uint8_t)family_mask(step->family);
	/* All sets come back with the first chain. */
	if (m->back && (m->backend == NFTABLES || m->backend == AMBIENT))
		memcpy(m->now->tables[step->table].others, m->back->tables[step->table].others,
		       sizeof(m->back->tables->others));
	m->chain_age++;
	for (enum family f = 0; f < FAMILIES; f++)
		if (family_mask(step->family) & FAMILY_BIT(f))
			chain->age[f] = m->chain_age;
}

static void change_table(struct model *m, const struct step *step)
{
	struct table *table = &m->now->tables[step->table];
	unsigned mask = family_mask(step->family);

	if (step->action == STEP_ADD) {
		ck_assert(!(table->present & mask));
		table->present |= (uint8_t)mask;
		table->strange |= m->back ? m->back->tables[step->table].strange & mask : 0;
		m->table_age++;
	} else {
		ck_assert_int_eq(table->present & mask, mask);
		ck_assert_int_ne(m->backend, IPTABLES_LEGACY);
		for (unsigned c = 0; c < table->n_chains; c++)
			ck_assert(!(table->chains[c].families & mask));
		table->present &= (uint8_t)~mask;
		table->strange &= (uint8_t)~mask;
	}
	for (enum family f = 0; f < FAMILIES; f++)
		if (mask & FAMILY_BIT(f)) {
			table->age[f] = m->table_age;
			table->others[f] = 0;
		}
}

/* The live rule of that number, in its chain. */
static const struct rule *rule_at(const struct chain *chain, enum family family, unsigned number)
{
	for (unsigned i = 0; i < chain->n_rules; i++)
		if (chain->rules[i].families & family_mask(family) && number-- == 0)
			return &chain->rules[i];
	ck_abort_msg("no such rule in %s", chain->name);
}

static void delete_rules(struct model *m, const struct step *step)
{
	struct chain *chain = chain_of(m, step);

	ck_assert_ptr_nonnull(chain);
	for (unsigned k = 0; k < step->n; k++) {
		const struct rule *gone = rule_at(step->chain, (enum family)step->family, step->first + k);
		unsigned i = 0;

		ck_assert(step->with == STEP_WITH_TABLE || gone->owner != RULE_FOREIGN);
		while (i < chain->n_rules && chain->rules[i].raw != gone)
			i++;
		ck_assert_int_lt(i, chain->n_rules);
		remove_rule(chain, i);
	}
	for (unsigned i = 0; step->with && i < chain->n_rules; i++)
		ck_assert(!(chain->rules[i].families & family_mask(step->family)));
}

/* In front of the rule that is the @at-th of the family. */
static unsigned place_of(const struct chain *chain, const struct step *step, unsigned at)
{
	unsigned i = 0;

	for (; i < chain->n_rules; i++)
		if (chain->rules[i].families & family_mask(step->family) && at-- == 0)
			return i;
	ck_assert_uint_eq(at, 0);
	return i;
}

static void add_rules(struct model *m, const struct step *step)
{
	struct chain *chain = chain_of(m, step);
	const struct chain *target;
	const struct rule *rule;
	struct chain_iter it;

	ck_assert_ptr_nonnull(chain);
	step_iter_init(&it, step);
	for (unsigned k = 0; k < step->n; k++) {
		unsigned at = place_of(chain, step, step->at + k);
		struct rule made;

		ck_assert_ptr_eq(at < chain->n_rules ? chain->rules[at].raw : NULL, step->before);
		rule = step_iter_next(&it, step);
		ck_assert_ptr_nonnull(rule);
		made = *rule;
		made.families &= (uint8_t)family_mask(step->family);
		if (made.target.kind == TARGET_JUMP) {
			target = ruleset_find(m->now, step->table, made.target.chain);
			ck_assert(target && target->families & family_mask(step->family));
		}
		made = *ruleset_append(m->now, step->table, chain->name, &made);
		made.raw = NULL;
		memmove(&chain->rules[at + 1], &chain->rules[at], (chain->n_rules - 1 - at) * sizeof(made));
		chain->rules[at] = made;
	}
}

struct ruleset *plan_carry_out(const struct plan *plan, unsigned n, enum backend_index backend,
			       const struct ruleset *live, const struct ruleset *back)
{
	struct model m = { .backend = backend, .back = back, .now = copy_ruleset(live) };

	for (enum table_id t = 0; t < TABLES; t++) {
		const struct table *table = &live->tables[t];

		for (enum family f = 0; f < FAMILIES; f++)
			m.table_age = table->age[f] > m.table_age ? table->age[f] : m.table_age;
		for (unsigned c = 0; c < table->n_chains; c++)
			for (enum family f = 0; f < FAMILIES; f++)
				m.chain_age = table->chains[c].age[f] > m.chain_age ? table->chains[c].age[f] : m.chain_age;
	}
	for (unsigned i = 0; i < n; i++) {
		const struct step *step = &plan->steps[i];

		if (step->backend != backend || step->kind == STEP_GUARD)
			continue;
		if (step->kind == STEP_TABLE)
			change_table(&m, step);
		else if (step->kind == STEP_CHAIN && step->action == STEP_ADD)
			add_chain(&m, step);
		else if (step->kind == STEP_CHAIN)
			remove_chain(&m, step);
		else if (step->action == STEP_ADD)
			add_rules(&m, step);
		else
			delete_rules(&m, step);
	}
	for (enum table_id t = 0; t < TABLES; t++)
		for (unsigned c = 0; c < m.now->tables[t].n_chains; c++)
			for (unsigned i = 0; i < m.now->tables[t].chains[c].n_rules; i++)
				m.now->tables[t].chains[c].rules[i].raw = NULL;
	return m.now;
}

static void print_route(FILE *out, const struct step *step)
{
	static const char *const kinds[] = {
		[ROUTE_LO_UP] = "lo", [ROUTE_ADDRESS] = "::", [ROUTE_RULE] = "rule", [ROUTE_ROUTE] = "route"
	};

	fputs(kinds[step->route->kind], out);
	if (step->route->kind != ROUTE_LO_UP)
		fputs(step->route->family == IPV4 ? "4" : "6", out);
}

static void print_rules(FILE *out, const struct step *step)
{
	const struct rule *rule;
	struct chain_iter it;

	fprintf(out, step->with ? " (" : "@%u ", step->at);
	step_iter_init(&it, step);
	for (unsigned i = 0; i < step->n && (rule = step_iter_next(&it, step)); i++)
		word_print(out, rule, family_mask(step->family));
	if (step->with)
		fputc(')', out);
}

char *plan_print(const struct plan *plan)
{
	static const char *const families[] = { [IPV4] = "4", [IPV6] = "6", [FAMILIES] = "46" };
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	for (unsigned i = 0; i < plan->n; i++) {
		const struct step *step = &plan->steps[i];

		fprintf(out, "%s%c", i ? "; " : "", step->action == STEP_ADD ? '+' : '-');
		if (step->kind == STEP_ROUTE) {
			print_route(out, step);
			continue;
		}
		if (step->kind == STEP_GUARD) {
			fputs("guard", out);
			continue;
		}
		fprintf(out, "%s%s%s",
			step->backend == plan->want.backend ? "" :
							      (const char *[]){ "N:", "I:", "L:", "A:" }[step->backend],
			table_name(step->table), families[step->family]);
		if (step->chain)
			fprintf(out, " %s", step->chain->name);
		if (step->kind == STEP_RULES)
			print_rules(out, step);
	}
	fclose(out);
	return text;
}
