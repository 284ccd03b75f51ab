/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is ours in a chain, what stays, what goes and where new rules stand: chains before, wanted and after. */
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ownership.h"
#include "rounds.h"
#include "rule_words.h"
#include "util.h"

Suite *suite_ownership(void);

#define RULES_MAX 32

/* The chain that the edit makes of the live one, as a word. */
static char *carry_out(const struct chain_edit *edit)
{
	char *after = NULL;
	size_t len;
	FILE *out = open_memstream(&after, &len);

	for (unsigned i = 0; i <= edit->n_live; i++) {
		for (unsigned j = 0; j < edit->n_want; j++)
			if (!edit->stays[j] && edit->before[j] == i)
				word_print(out, &edit->want[j], FAMILY_BIT(IPV4));
		if (i < edit->n_live && !edit->goes[i])
			word_print(out, edit->live[i], FAMILY_BIT(IPV4));
	}
	fclose(out);
	return after;
}

/* What becomes of a chain, of which @how says all but the rules. */
static char *edit_words(struct chain_edit how, const char *live, const char *want)
{
	struct ruleset *rs = ruleset_new(LAYOUT_IPTABLES, FAMILY_BOTH);
	bool goes[RULES_MAX] = { false }, stays[RULES_MAX] = { false };
	unsigned before[RULES_MAX] = { 0 };
	const struct rule *rules[RULES_MAX];
	const struct chain *chain;
	char *after;

	word_append(rs, TABLE_MANGLE, "OUTPUT", FAMILY_BIT(IPV4), live);
	word_append(rs, TABLE_NAT, "OUTPUT", FAMILY_BIT(IPV4), want);
	chain = ruleset_find(rs, TABLE_MANGLE, "OUTPUT");
	for (how.n_live = 0; how.n_live < chain->n_rules; how.n_live++)
		rules[how.n_live] = &chain->rules[how.n_live];
	chain = ruleset_find(rs, TABLE_NAT, "OUTPUT");
	how.live = rules;
	how.want = chain->rules;
	how.n_want = chain->n_rules;
	how.goes = goes;
	how.before = before;
	how.stays = stays;
	ownership_edit(&how);
	after = carry_out(&how);
	/* New ones never pass each other, else they would come out in another order, rule by rule. */
	for (unsigned j = 0, last = 0; j < how.n_want; j++)
		if (!stays[j]) {
			ck_assert_uint_le(last, before[j]);
			last = before[j];
		}
	ruleset_free(rs);
	return after;
}

#define CHAIN(before, wanted, result) .live = before, .want = wanted, .after = result

static const struct {
	const char *live, *want, *after;
	bool anew, shared_go;
	unsigned places[5]; /* with @undo */
	bool undo;
} cases[] = {
	{ CHAIN("", "ab", "ab") },
	{ CHAIN("XY", "ab", "XYab") },
	{ CHAIN("ab", "ab", "ab") },
	{ CHAIN("XaYbZ", "ab", "XaYbZ") },
	/* the picture of ownership.h */
	{ CHAIN("XaYbcZ", "aedf", "XaedfYZ") },
	{ CHAIN("XaYbcZ", "aecf", "XaeYcfZ") },
	/* none stays: where the old ones stood, behind foreign rules if they did */
	{ CHAIN("aXY", "b", "bXY") },
	{ CHAIN("XaY", "b", "XbY") },
	{ CHAIN("aXbY", "c", "XcY") },
	{ CHAIN("aX", "", "X") },
	/* the very top, unless a wanted one stands before */
	{ CHAIN("XaY", "^ba", "bXaY") },
	{ CHAIN("XY", "^b^ca", "bcXYa") },
	{ CHAIN("bXaY", "^ba", "bXaY") },
	{ CHAIN("XbaY", "^b^ca", "XbcaY") },
	/* doubled, reordered */
	{ CHAIN("aXa", "a", "aX") },
	{ CHAIN("baX", "ab", "abX") },
	{ CHAIN("abcX", "cab", "cabX") },
	/* what nobody can read is ours by where it leads, and equals nothing */
	{ CHAIN("X1a", "a", "Xa") },
	{ CHAIN("1X", "a", "aX") },
	/* shared: as often as wanted; more are left alone, but where all is to go */
	{ CHAIN("nX", "na", "naX") },
	{ CHAIN("nXn", "na", "naXn") },
	{ CHAIN("nXna", "n", "nXn") },
	{ CHAIN("Xn", "a", "Xna") },
	{ CHAIN("nXa", "", "nX") },
	{ CHAIN("nXa", "", "X"), .shared_go = true },
	/* all anew goes where the old ones stood, and what is shared is not there once more */
	{ CHAIN("XaYbZ", "ab", "XaYbZ"), .anew = true },
	{ CHAIN("XnYna", "na", "XnYna"), .anew = true },
	{ CHAIN("XnYb", "nac", "XnacY"), .anew = true },
	/* an undo: behind as many foreign rules as before */
	{ CHAIN("XYb", "ac", "aXYc"), .undo = true, .places = { 0, 2, 2 } },
	{ CHAIN("XYc", "ab1", "XaYb1"), .undo = true, .places = { 1, 2, 2, 2 } },
	{ CHAIN("XaY", "ba", "XbaY"), .undo = true, .places = { 1, 1, 2 } },
	{ CHAIN("XYnnb", "bna", "bXYna"), .undo = true, .shared_go = true, .places = { 0, 2, 2, 2 } },
	{ CHAIN("aXY", "a", "XYa"), .undo = true, .places = { 2, 2 } },
	/* not where somebody has added to them since, or taken away */
	{ CHAIN("ZXaY", "a", "ZXaY"), .undo = true, .places = { 1, 2 } },
	{ CHAIN("X", "a", "Xa"), .undo = true, .places = { 3, 3 } },
	{ CHAIN("XnY", "", "XY"), .undo = true, .shared_go = true },
};

START_TEST(chain_is_edited)
{
	char *after = edit_words((struct chain_edit){ .places = cases[_i].undo ? cases[_i].places : NULL,
						      .anew = cases[_i].anew,
						      .shared_go = cases[_i].shared_go },
				 cases[_i].live, cases[_i].want);

	ck_assert_str_eq(after, cases[_i].after);
	free(after);
}
END_TEST

static void random_word(char *word, unsigned length_max, const char *letters)
{
	unsigned n = (unsigned)rand() % length_max;

	for (unsigned i = 0; i < n; i++)
		word[i] = letters[(unsigned)rand() % strlen(letters)];
	word[n] = '\0';
}

/* The foreign rules of a word, or the others. */
static void pick(char *out, const char *word, bool foreign)
{
	for (; *word; word++)
		if ((*word >= 'A' && *word <= 'Z') == foreign)
			*out++ = *word;
	*out = '\0';
}

/* Any chain becomes the wanted one among the foreign rules, which keep their order. */
START_TEST(random_chains_come_right)
{
	char live[16], want[16], ours[RULES_MAX], before[RULES_MAX], after[RULES_MAX];

	srand((unsigned)_i + 1);
	for (unsigned round = 0; round < rounds(500); round++) {
		char *word;

		random_word(live, 12, "abcdXYZ1");
		random_word(want, 8, "abcde");
		word = edit_words((struct chain_edit){ .places = NULL }, live, want);
		pick(ours, word, false);
		pick(before, live, true);
		pick(after, word, true);
		ck_assert_str_eq(ours, want);
		ck_assert_str_eq(after, before);
		free(word);
	}
}
END_TEST

/* Single rules of built-in chains: table, hook, what they are, and whose. */
static const struct range uid = { 1337, 1337 }, dns = { 53, 53 }, agent = { 15053, 15053 };
static const struct iface lo = { "lo" }, eth0 = { "eth0" };
static const struct prefix host = { IPV4, 32, { 127, 0, 0, 1 } };

static const uint8_t loopback[] = { 127, 0, 0, 1 }, elsewhere[] = { 10, 0, 0, 1 };

#define DST_IS \
	{ \
		.kind = MATCH_DST, .n = 1, .prefixes = &host \
	}
#define TCP \
	{ \
		.kind = MATCH_PROTO, .n = 1, .proto = IPPROTO_TCP \
	}
#define UDP \
	{ \
		.kind = MATCH_PROTO, .n = 1, .proto = IPPROTO_UDP \
	}
#define DPORT(range) \
	{ \
		.kind = MATCH_DPORT, .n = 1, .ranges = &(range) \
	}
#define SPORT(range) \
	{ \
		.kind = MATCH_SPORT, .n = 1, .ranges = &(range) \
	}
#define UID \
	{ \
		.kind = MATCH_UID, .n = 1, .ranges = &uid \
	}
#define OIF(iface) \
	{ \
		.kind = MATCH_OIF, .n = 1, .ifaces = &(iface) \
	}
#define MARK_IS(v) \
	{ \
		.kind = MATCH_MARK, .n = 1, .mark = { v, UINT32_MAX } \
	}
#define NOT_HOST \
	{ \
		.kind = MATCH_DST, .n = 1, .invert = true, .prefixes = &host \
	}

static const struct {
	enum table_id table;
	const char *chain;
	struct match matches[5];
	unsigned n;
	struct target target;
	bool unknown, beside; /* @beside: DNS goes to the agent straight from nat OUTPUT */
	enum rule_owner owner;
} shapes[] = {
	{ TABLE_NAT, "OUTPUT", { TCP }, 1, { .kind = TARGET_JUMP, .chain = "ISTIO_OUTPUT" }, .owner = RULE_OURS },
	{ TABLE_NAT, "OUTPUT", { TCP }, 1, { .kind = TARGET_GOTO, .chain = "ISTIO_OUTPUT" }, .unknown = true, .owner = RULE_OURS },
	{ TABLE_NAT, "DOCKER", { TCP }, 1, { .kind = TARGET_JUMP, .chain = "ISTIO_REDIRECT" }, .owner = RULE_OURS },
	{ TABLE_NAT, "OUTPUT", { TCP }, 1, { .kind = TARGET_JUMP, .chain = "DOCKER" }, .owner = RULE_FOREIGN },
	{ TABLE_MANGLE, "PREROUTING", { TCP, MARK_IS(1337) }, 2, { .kind = TARGET_CONNMARK_SAVE }, .owner = RULE_OURS },
	{ TABLE_MANGLE, "PREROUTING", { TCP, MARK_IS(7) }, 2, { .kind = TARGET_CONNMARK_SAVE }, .owner = RULE_FOREIGN },
	{ TABLE_MANGLE, "PREROUTING", { UDP, MARK_IS(1337) }, 2, { .kind = TARGET_CONNMARK_SAVE }, .owner = RULE_FOREIGN },
	{ TABLE_MANGLE,
	  "OUTPUT",
	  { NOT_HOST, OIF(lo), TCP, UID },
	  4,
	  { .kind = TARGET_MARK, .mark = { 1338, UINT32_MAX } },
	  .owner = RULE_OURS },
	{ TABLE_MANGLE,
	  "OUTPUT",
	  { NOT_HOST, OIF(eth0), TCP, UID },
	  4,
	  { .kind = TARGET_MARK, .mark = { 1338, UINT32_MAX } },
	  .owner = RULE_FOREIGN },
	{ TABLE_NAT, "OUTPUT", { UDP, DPORT(dns) }, 2, { .kind = TARGET_REDIRECT, .port = 15053 }, .owner = RULE_OURS },
	{ TABLE_NAT, "OUTPUT", { UDP, DPORT(dns) }, 2, { .kind = TARGET_REDIRECT, .port = 5353 }, .owner = RULE_FOREIGN },
	{ TABLE_NAT, "OUTPUT", { UDP, DPORT(dns) }, 2, { .kind = TARGET_DNAT, .port = 15053, .addr = loopback }, .owner = RULE_OURS },
	{ TABLE_NAT, "OUTPUT", { UDP, DPORT(dns) }, 2, { .kind = TARGET_DNAT, .port = 15013, .addr = loopback }, .owner = RULE_OURS },
	{ TABLE_NAT, "OUTPUT", { UDP, DPORT(dns) }, 2, { .kind = TARGET_DNAT, .port = 8600, .addr = loopback }, .owner = RULE_FOREIGN },
	{ TABLE_NAT, "OUTPUT", { UDP, DPORT(dns) }, 2, { .kind = TARGET_DNAT, .port = 15053, .addr = elsewhere }, .owner = RULE_FOREIGN },
	{ TABLE_NAT, "POSTROUTING", { UDP, DPORT(agent) }, 2, { .kind = TARGET_SNAT, .addr = loopback }, .owner = RULE_OURS },
	{ TABLE_NAT, "POSTROUTING", { UDP, DPORT(dns) }, 2, { .kind = TARGET_SNAT, .addr = loopback }, .owner = RULE_FOREIGN },
	{ TABLE_RAW,
	  "PREROUTING",
	  { DST_IS, SPORT(dns), UDP },
	  3,
	  { .kind = TARGET_CT_ZONE, .zone = 1 },
	  .beside = true,
	  .owner = RULE_OURS },
	{ TABLE_RAW, "PREROUTING", { DST_IS, SPORT(dns), UDP }, 3, { .kind = TARGET_CT_ZONE, .zone = 1 }, .owner = RULE_FOREIGN },
	{ TABLE_NAT, "OUTPUT", { UDP, DPORT(dns), UID }, 3, { .kind = TARGET_RETURN }, .owner = RULE_FOREIGN },
	{ TABLE_NAT, "OUTPUT", { UDP, DPORT(dns), UID }, 3, { .kind = TARGET_RETURN }, .beside = true, .owner = RULE_OURS },
	{ TABLE_RAW, "OUTPUT", { UDP, DPORT(dns), UID }, 3, { .kind = TARGET_CT_ZONE, .zone = 1 }, .owner = RULE_FOREIGN },
	{ TABLE_RAW, "OUTPUT", { UDP, DPORT(dns), UID }, 3, { .kind = TARGET_CT_ZONE, .zone = 1 }, .beside = true, .owner = RULE_OURS },
	{ TABLE_RAW, "OUTPUT", { UDP, DPORT(dns), UID }, 3, { .kind = TARGET_CT_ZONE, .zone = 9 }, .beside = true, .owner = RULE_FOREIGN },
	{ TABLE_RAW, "OUTPUT", { SPORT(agent), UDP, UID }, 3, { .kind = TARGET_CT_ZONE, .zone = 2 }, .beside = true, .owner = RULE_OURS },
	{ TABLE_RAW, "PREROUTING", { SPORT(dns), UDP }, 2, { .kind = TARGET_CT_ZONE, .zone = 1 }, .beside = true, .owner = RULE_OURS },
	{ TABLE_NAT, "OUTPUT", { OIF(eth0) }, 1, { .kind = TARGET_RETURN }, .owner = RULE_SHARED },
	{ TABLE_NAT, "OUTPUT", { OIF(lo) }, 1, { .kind = TARGET_RETURN }, .owner = RULE_FOREIGN },
	{ TABLE_RAW, "OUTPUT", { OIF(eth0) }, 1, { .kind = TARGET_RETURN }, .owner = RULE_FOREIGN },
};

static void add_rule(struct ruleset *rs, enum table_id table, const char *chain, const struct match *matches,
		     unsigned n, struct target target, bool unknown)
{
	ruleset_append(rs, table, chain,
		       &(struct rule){ .families = FAMILY_BIT(IPV4),
				       .n_matches = (uint8_t)n,
				       .matches = (struct match *)matches,
				       .target = target,
				       .unknown = unknown });
}

START_TEST(owner_of_a_rule)
{
	static const struct match to_agent[] = { UDP, DPORT(dns) }, leave[] = { OIF(eth0) };
	struct ruleset *live = ruleset_new(LAYOUT_IPTABLES, FAMILY_BOTH),
		       *want = ruleset_new(LAYOUT_IPTABLES, FAMILY_BOTH);

	add_rule(live, shapes[_i].table, shapes[_i].chain, shapes[_i].matches, shapes[_i].n, shapes[_i].target,
		 shapes[_i].unknown);
	if (shapes[_i].beside)
		add_rule(live, TABLE_NAT, "OUTPUT", to_agent, 2,
			 (struct target){ .kind = TARGET_REDIRECT, .port = 15053 }, false);
	add_rule(want, TABLE_NAT, "OUTPUT", leave, 1, (struct target){ .kind = TARGET_RETURN }, false);
	ownership_decide(live, want);
	ck_assert_int_eq(ruleset_find(live, shapes[_i].table, shapes[_i].chain)->rules[0].owner, shapes[_i].owner);
	ck_assert_int_eq(ownership_has_ours(live), shapes[_i].owner == RULE_OURS || shapes[_i].beside);
	ruleset_free(live);
	ruleset_free(want);
}
END_TEST

/*
 * UDP 53 in nat OUTPUT, as letters: a b: RETURN of UID 998 or 1000; P: of 1337; g: of GID 500; n: of all but GID 5;
 * R: REDIRECT to the agent; D: DNAT to it; x: something else.  @zone: whose packets raw OUTPUT has zones for; @out: who
 * leaves ISTIO_OUTPUT; @other: the chain of the other family.  @ours: those that are.
 */
static const struct {
	const char *chain, *ours, *zone, *out, *other;
} blocks[] = {
	{ .chain = "a", .ours = "", .zone = "a" }, /* nothing goes to the agent */
	{ .chain = "PR", .ours = "PR" },
	{ .chain = "aR", .ours = "aR" }, /* 1.9: nothing tells the proxy but where it stands */
	{ .chain = "aD", .ours = "aD" },
	{ .chain = "axR", .ours = "R" },
	{ .chain = "xagnRx", .ours = "agnR" },
	{ .chain = "baPgR", .ours = "baPgR" },
	{ .chain = "bagR", .ours = "agR", .zone = "a" },
	{ .chain = "bagR", .ours = "agR", .out = "a" },
	{ .chain = "bRa", .ours = "Ra", .zone = "a" },
	{ .chain = "baxgR", .ours = "aR", .zone = "a" },
	{ .chain = "bR", .ours = "R", .zone = "a" },
	{ .chain = "ag", .ours = "ag", .other = "agR" }, /* no server of this family */
	{ .chain = "bag", .ours = "ag", .zone = "a", .other = "agR" },
	{ .chain = "bagb", .ours = "ag", .zone = "a", .other = "agR" },
	{ .chain = "Pg", .ours = "P", .other = "PR" },
};

static void add_letter(struct ruleset *rs, enum table_id table, const char *chain, unsigned families, char letter)
{
	static const struct range owners[] = { { 998, 998 }, { 1000, 1000 }, { 1337, 1337 }, { 500, 500 }, { 5, 5 } };
	const char *at = strchr("abPgn", letter);
	struct match matches[] = { UDP, DPORT(dns), { .kind = MATCH_UID, .n = 1, .ranges = owners } };
	struct rule rule = { .families = (uint8_t)families, .n_matches = 2, .matches = matches };

	if (at) {
		matches[2].ranges = &owners[at - "abPgn"];
		matches[2].kind = strchr("gn", letter) ? MATCH_GID : MATCH_UID;
		matches[2].invert = letter == 'n';
		rule.n_matches = 3;
	}
	rule.target.kind = table == TABLE_RAW ? TARGET_CT_ZONE :
			   letter == 'R'      ? TARGET_REDIRECT :
			   letter == 'D'      ? TARGET_DNAT :
			   letter == 'x'      ? TARGET_DROP :
						TARGET_RETURN;
	rule.target.zone = 1;
	rule.target.port = 15053;
	rule.target.addr = loopback;
	if (!strcmp(chain, "ISTIO_OUTPUT")) {
		rule.matches = &matches[2];
		rule.n_matches = 1;
	}
	ruleset_append(rs, table, chain, &rule);
}

static void add_letters(struct ruleset *rs, enum table_id table, const char *chain, enum family family, const char *letters)
{
	for (; letters && *letters; letters++)
		add_letter(rs, table, chain, FAMILY_BIT(family), *letters);
}

START_TEST(owners_of_a_block)
{
	struct ruleset *live = ruleset_new(LAYOUT_IPTABLES, FAMILY_BOTH);
	const struct chain *chain;
	char ours[RULES_MAX] = "", *end = ours;

	add_letters(live, TABLE_NAT, "OUTPUT", IPV4, blocks[_i].chain);
	add_letters(live, TABLE_NAT, "OUTPUT", IPV6, blocks[_i].other);
	add_letters(live, TABLE_RAW, "OUTPUT", IPV4, blocks[_i].zone);
	add_letters(live, TABLE_NAT, "ISTIO_OUTPUT", IPV6, blocks[_i].out);
	ownership_decide(live, NULL);
	chain = ruleset_find(live, TABLE_NAT, "OUTPUT");
	for (unsigned i = 0; i < strlen(blocks[_i].chain); i++)
		if (chain->rules[i].owner == RULE_OURS)
			*end++ = blocks[_i].chain[i];
	ck_assert_str_eq(ours, blocks[_i].ours);
	ruleset_free(live);
}
END_TEST

Suite *suite_ownership(void)
{
	Suite *suite = suite_create("ownership");
	TCase *tc = tcase_create("ownership");

	tcase_add_loop_test(tc, chain_is_edited, 0, ARRAY_SIZE(cases));
	tcase_add_loop_test(tc, random_chains_come_right, 0, 10);
	tcase_add_loop_test(tc, owner_of_a_rule, 0, ARRAY_SIZE(shapes));
	tcase_add_loop_test(tc, owners_of_a_block, 0, ARRAY_SIZE(blocks));
	suite_add_tcase(suite, tc);
	return suite;
}
