/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Live and wanted → steps and refusal; what a kernel is left with that carries the steps out, and with those of the
 * undo behind them.  Rulesets are words of rule_words.h; steps are written
 *
 *   +nat4             a table          -nat4 OUTPUT@2 ab  rules a and b, from position 2 on
 *   +nat4 ISTIO_a     a chain          -nat4 OUTPUT (ab)  rules that go with their chain or table
 *   +lo ::6 rule4 route4               -L:nat4 ...        another backend's than the wanted one
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ownership.h"
#include "plan.h"
#include "plan_cases.h"
#include "plan_model.h"
#include "rounds.h"
#include "rule_words.h"
#include "util.h"

Suite *suite_plan(void);

static const struct route_object rule4 = { .kind = ROUTE_RULE,
					   .plain = true,
					   .mark = 1337,
					   .mask = UINT32_MAX,
					   .priority = 32765,
					   .table = 133 };
static const struct route_object route4 = { .kind = ROUTE_ROUTE, .table = 133 };

/* All that is made of what a case is given. */
struct planned {
	struct live live;
	struct plan_want want;
	struct ruleset *known, *fewer;
	struct routes routes;
	struct route_object objects[2];
	struct plan plan;
};

static void set_up(struct planned *p, const struct given *given)
{
	enum backend_index to = given->backend;
	const struct ruleset *known;

	memset(p, 0, sizeof(*p));
	p->want.backend = to;
	p->want.rules = to == BACKENDS ? NULL : words_read(to, false, given->want);
	p->want.known = p->known = given->known ? words_read(IPTABLES_NFT, false, given->known) : NULL;
	p->want.fewer = p->fewer = given->fewer ? words_read(to, false, given->fewer) : NULL;
	p->want.force = given->force;
	p->want.spelling = true;
	p->want.ambient = given->ambient || to == BACKENDS;
	p->want.routes = (struct routes_want){
		.nothing = to == BACKENDS, .mark = 1337, .table = 133, .tproxy = given->tproxy ? FAMILY_BIT(IPV4) : 0
	};
	p->routes = (struct routes){ .lo_up = true, .objects = p->objects };
	p->objects[0] = rule4;
	p->objects[1] = route4;
	p->routes.n = given->has_routes ? 2 : 0;
	p->live.routes = &p->routes;
	p->live.guard = given->guard;
	known = p->known ? p->known : to == IPTABLES_NFT || to == IPTABLES_LEGACY ? p->want.rules : NULL;
	for (enum backend_index b = 0; b < BACKENDS; b++) {
		p->live.rules[b] = words_read(b, true, given->live[b] ? given->live[b] : "");
		ownership_decide(p->live.rules[b], known);
	}
	p->want.known = known;
	plan_make(&p->plan, &p->live, &p->want);
}

static void tear_down(struct planned *p)
{
	plan_free(&p->plan);
	for (enum backend_index b = 0; b < BACKENDS; b++)
		ruleset_free(p->live.rules[b]);
	ruleset_free((struct ruleset *)p->want.rules);
	ruleset_free(p->known);
	ruleset_free(p->fewer);
}

static unsigned n_strangers;

static void count_stranger(enum backend_index backend, enum table_id table, enum family family)
{
	(void)backend;
	(void)table;
	(void)family;
	n_strangers++;
}

/* What is live once the plan, and then its undo, are carried out: the tables as they were before. */
static void check_undo(const struct planned *p, enum backend_index b, struct ruleset *now)
{
	char *before = words_print(b, p->live.rules[b]), *after;
	struct ruleset *back;
	struct plan undo;

	n_strangers = 0;
	ownership_decide(now, p->want.known);
	plan_undo(&undo, &p->plan, b, now, (1u << TABLES) - 1, FAMILIES, count_stranger);
	back = plan_carry_out(&undo, undo.n, b, now, p->live.rules[b]);
	after = words_print(b, back);
	ck_assert_uint_eq(n_strangers, 0);
	ck_assert_str_eq(after, before);
	plan_free(&undo);
	ruleset_free(back);
	free(before);
	free(after);
}

/* A second plan has nothing to do; of the wanted backend there is what is wanted, and nothing of the others. */
static void check_done(const struct planned *p, struct ruleset *const now[BACKENDS])
{
	struct live live = { .rules = { now[NFTABLES], now[IPTABLES_NFT], now[IPTABLES_LEGACY], now[AMBIENT] } };
	struct plan_want want = p->want;
	struct plan second;
	char *steps;

	want.force = false;
	for (enum backend_index b = 0; b < BACKENDS; b++) {
		ownership_decide(now[b], p->want.known);
		ck_assert(b == want.backend || !ownership_has_ours(now[b]) ||
			  (p->plan.ambient_stays && ownership_is_ambient(now[b])));
	}
	plan_make(&second, &live, &want);
	steps = plan_print(&second);
	ck_assert_str_eq(steps, "");
	ck_assert(p->plan.blocked || second.refusal == PLAN_FREE);
	plan_free(&second);
	free(steps);
}

static void carry_out(const struct planned *p, const char *const after[BACKENDS])
{
	struct ruleset *now[BACKENDS];

	for (enum backend_index b = 0; b < BACKENDS; b++)
		now[b] = plan_carry_out(&p->plan, p->plan.n, b, p->live.rules[b], NULL);
	for (enum backend_index b = 0; b < BACKENDS; b++) {
		char *text = words_print(b, now[b]);

		if (after && after[b])
			ck_assert_str_eq(text, after[b]);
		free(text);
	}
	check_done(p, now);
	for (enum backend_index b = 0; b < BACKENDS; b++) {
		check_undo(p, b, now[b]);
		ruleset_free(now[b]);
	}
}

/* "different, blocked nat OUTPUT" */
static char *print_verdict(const struct plan *plan)
{
	static const char *const refusals[] = {
		[PLAN_FREE] = "free", [PLAN_ELSEWHERE] = "elsewhere", [PLAN_DIFFERENT] = "different", [PLAN_STALE] = "stale"
	};
	const struct step *blocked = plan->blocked;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	fputs(refusals[plan->refusal], out);
	if (plan->refusal == PLAN_ELSEWHERE)
		fprintf(out, " %c", "NIL"[plan->elsewhere]);
	if (blocked)
		fprintf(out, ", blocked %s%s%s", table_name(blocked->table), blocked->chain ? " " : "",
			blocked->chain ? blocked->chain->name : "");
	fclose(out);
	return text;
}

START_TEST(plan_is)
{
	struct planned p;
	char *steps, *verdict;

	set_up(&p, &plan_cases[_i].given);
	steps = plan_print(&p.plan);
	verdict = print_verdict(&p.plan);
	ck_assert_str_eq(steps, plan_cases[_i].steps);
	ck_assert_str_eq(verdict, plan_cases[_i].verdict ? plan_cases[_i].verdict : "free");
	free(steps);
	free(verdict);
	carry_out(&p, plan_cases[_i].after);
	tear_down(&p);
}
END_TEST

/* What nothing was done to is left alone. */
START_TEST(undo_of_nothing)
{
	struct planned p;
	struct plan undo;

	set_up(&p, &plan_cases[_i].given);
	for (enum backend_index b = 0; b < BACKENDS; b++) {
		plan_undo(&undo, &p.plan, b, p.live.rules[b], (1u << TABLES) - 1, FAMILIES, count_stranger);
		ck_assert_uint_eq(undo.n, 0);
		plan_free(&undo);
	}
	ck_assert_uint_eq(n_strangers, 0);
	tear_down(&p);
}
END_TEST

/* One table is as the plan made it, somebody has written our rules of the other since. */
START_TEST(undo_leaves_a_strangers_rules)
{
	struct given given = { TO_L("nat4 OUTPUT a; nat4 ISTIO_a A; raw4 OUTPUT a; raw4 ISTIO_a A"),
			       .live = { L("nat4 OUTPUT X; raw4 OUTPUT Y") } };
	struct ruleset *now, *back;
	struct planned p;
	struct plan undo;
	char *after;

	set_up(&p, &given);
	now = words_read(IPTABLES_LEGACY, true, "nat4 OUTPUT Xa; nat4 ISTIO_a A; raw4 OUTPUT Ya; raw4 ISTIO_a AB");
	ownership_decide(now, p.want.known);
	plan_undo(&undo, &p.plan, IPTABLES_LEGACY, now, (1u << TABLES) - 1, FAMILIES, count_stranger);
	back = plan_carry_out(&undo, undo.n, IPTABLES_LEGACY, now, p.live.rules[IPTABLES_LEGACY]);
	after = words_print(IPTABLES_LEGACY, back);
	ck_assert_str_eq(after, "nat4 OUTPUT X; raw4 ISTIO_a AB; raw4 OUTPUT Ya");
	ck_assert_uint_eq(n_strangers, 1);
	free(after);
	plan_free(&undo);
	ruleset_free(back);
	ruleset_free(now);
	tear_down(&p);
}
END_TEST

/* --- chance --- */

static unsigned chance(unsigned n)
{
	return (unsigned)rand() % n;
}

static const char *const own_chains[] = { "ISTIO_a", "ISTIO_b", "ISTIO_c" };
static const char *const builtin_chains[] = { "OUTPUT", "PREROUTING" };

/* A word for a chain of a table that has the chains of the mask @own. */
static void random_word(char *word, bool native, bool live, bool builtin, bool shareable, unsigned own)
{
	for (unsigned i = 0, n = chance(6); i < n; i++) {
		unsigned letter = chance(3);
		bool foreign = builtin && !native;

		if (native && !chance(4))
			*word++ = ".:"[chance(2)];
		if (own & 1u << letter && chance(3))
			*word++ = live && own & 1 && !chance(6) ? (char)('0' + letter) : (char)('a' + letter);
		else if (!foreign || live)
			*word++ = (foreign && letter ? "XYZ" : "nXY")[letter];
		else if (shareable)
			*word++ = 'n';
	}
	*word = '\0';
}

static void print_random_table(FILE *out, enum backend_index b, bool live, const char *where, unsigned own)
{
	bool native = b == NFTABLES || b == AMBIENT;
	char word[32];

	for (unsigned c = 0; c < ARRAY_SIZE(builtin_chains); c++) {
		bool stock = b == IPTABLES_LEGACY || !live || chance(5);

		if (!(live && b == IPTABLES_LEGACY) && !chance(4))
			continue;
		random_word(word, native, live, true, !c && *where != 'r', own);
		if (!live && !*word)
			continue;
		fprintf(out, "%s %s%s %s; ", where, builtin_chains[c],
			stock               ? "" :
			native || chance(2) ? "?" :
					      "%",
			word);
	}
	for (unsigned c = 0; c < ARRAY_SIZE(own_chains); c++)
		if (own & 1u << c) {
			random_word(word, native, live, false, false, own);
			fprintf(out, "%s %s %s; ", where, own_chains[c], word);
		}
}

static char *random_words(enum backend_index b, bool live)
{
	static const char *const families[] = { "4", "6", "46" };
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	for (enum table_id t = 0; t < TABLES; t++) {
		bool wide = b == NFTABLES || b == AMBIENT || (!live && chance(2));

		for (unsigned f = wide ? 2 : 0; f < (wide ? 3 : 2); f++) {
			char where[16];

			snprintf(where, sizeof(where), "%s%s%s%s", table_name(t), families[f],
				 live && b != IPTABLES_LEGACY && !chance(8) ? "!" : "",
				 live && b != IPTABLES_LEGACY && !chance(8) ? "+" : "");
			if (chance(2))
				print_random_table(out, b, live, where, chance(8));
		}
	}
	fclose(out);
	return text;
}

/* The foreign rules of built-in chains; or ours: jumps there, and all that is in chains of ours. */
static char *pick(const struct ruleset *rs, bool foreign)
{
	bool native = rs->layout == LAYOUT_NATIVE;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	for (enum table_id t = 0; t < TABLES; t++)
		for (enum family f = native ? FAMILIES : IPV4; f < (native ? FAMILIES + 1 : FAMILIES); f++)
			for (unsigned c = 0; c < ARRAY_SIZE(own_chains) + ARRAY_SIZE(builtin_chains); c++) {
				bool own = c >= ARRAY_SIZE(builtin_chains);
				const char *name = own ? own_chains[c - ARRAY_SIZE(builtin_chains)] : builtin_chains[c];
				const struct chain *chain = ruleset_find(rs, t, name);
				const struct rule *rule;
				struct chain_iter it;

				if (!chain || !(chain->families & family_mask(f)))
					continue;
				if (own && !foreign)
					fprintf(out, " %s%d %s ", table_name(t), f, name);
				chain_iter_init(&it, chain, f);
				while ((rule = chain_iter_next(&it))) {
					bool jump = rule->target.kind == TARGET_JUMP,
					     accept = rule->target.kind == TARGET_ACCEPT;

					if (native || own ? foreign : foreign ? !accept : !jump)
						continue;
					fprintf(out, own ? "" : " %s%d %s ", table_name(t), f, name);
					word_print(out, rule, family_mask(f));
				}
			}
	fclose(out);
	return text;
}

static void check_same(const struct ruleset *a, const struct ruleset *b, bool foreign)
{
	char *texts[2] = { pick(a, foreign), pick(b, foreign) };

	ck_assert_str_eq(texts[0], texts[1]);
	free(texts[0]);
	free(texts[1]);
}

/* Where a backend's steps turn to another table: x_tables has them written one by one. */
static bool is_cut(const struct plan *plan, unsigned i)
{
	const struct step *step = &plan->steps[i], *next = step + 1;

	return i + 1 < plan->n &&
	       (step->table != next->table || step->family != next->family || step->backend != next->backend);
}

/* Whatever is live, what is wanted comes of it, nobody else loses anything, and the undo brings back what was. */
START_TEST(any_plan_comes_right)
{
	srand((unsigned)_i + 1);
	for (unsigned round = 0; round < rounds(50); round++) {
		struct given given = { .backend = chance(BACKENDS), .force = !chance(5), .ambient = chance(2) };
		char *texts[BACKENDS + 1];
		struct planned p;

		/* Nobody can ask for that one. */
		given.backend = given.backend == AMBIENT ? BACKENDS : given.backend;

		for (enum backend_index b = 0; b < BACKENDS; b++)
			given.live[b] = texts[b] = chance(3) || b == given.backend ? random_words(b, true) : xstrdup("");
		given.want = texts[BACKENDS] = random_words(given.backend, false);
		set_up(&p, &given);
		for (enum backend_index b = 0; b < BACKENDS; b++) {
			struct ruleset *now = plan_carry_out(&p.plan, p.plan.n, b, p.live.rules[b], NULL),
				       *none = ruleset_new(now->layout, 0);
			bool stays = b == AMBIENT && p.plan.ambient_stays;

			check_same(now, b == given.backend ? p.want.rules : stays ? p.live.rules[b] : none, false);
			check_same(now, p.live.rules[b], true);
			ruleset_free(now);
			ruleset_free(none);
		}
		carry_out(&p, NULL);
		for (unsigned i = 0; i < p.plan.n; i++)
			if (p.plan.steps[i].backend == IPTABLES_LEGACY && is_cut(&p.plan, i)) {
				struct ruleset *now = plan_carry_out(&p.plan, i + 1, IPTABLES_LEGACY,
								     p.live.rules[IPTABLES_LEGACY], NULL);

				check_undo(&p, IPTABLES_LEGACY, now);
				ruleset_free(now);
			}
		tear_down(&p);
		for (unsigned i = 0; i <= BACKENDS; i++)
			free(texts[i]);
	}
}
END_TEST

Suite *suite_plan(void)
{
	Suite *suite = suite_create("plan");
	TCase *tc = tcase_create("plan");

	tcase_add_loop_test(tc, plan_is, 0, ARRAY_SIZE(plan_cases));
	tcase_add_loop_test(tc, undo_of_nothing, 0, ARRAY_SIZE(plan_cases));
	tcase_add_test(tc, undo_leaves_a_strangers_rules);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, any_plan_comes_right, 0, 10);
	suite_add_tcase(suite, tc);
	return suite;
}
