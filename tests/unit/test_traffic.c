/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of all packets against the walk of one: random options, packets at the classes' bounds and beside them. */
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../src/traffic/transfer.h"
#include "build_rules.h"
#include "capture.h"
#include "random_config.h"
#include "rounds.h"
#include "traffic.h"
#include "traffic_holds.h"
#include "util.h"

Suite *suite_traffic(void);

#define PACKETS 400

/* A failure names it; ISTIO_INIT_SEED sets it. */
static unsigned seed(void)
{
	const char *given = getenv("ISTIO_INIT_SEED");

	return given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
}

/* Whether the option is that of a rule that the packet meets. */
static bool gives_reason(const struct explanation *e, const char *origin)
{
	for (unsigned i = 0; i < e->n_steps; i++)
		if (e->steps[i].rule.origin && !strcmp(e->steps[i].rule.origin, origin))
			return true;
	return !strcmp(origin, "ISTIO_OUTBOUND_OWNER_GROUPS");
}

static void check_packet(const struct traffic *traffic, const struct ruleset *rs, const struct packet *packet,
			 const char *line)
{
	const struct traffic_class *class = NULL;
	struct explanation e;
	unsigned holding = 0;
	struct err err;

	for (unsigned i = 0; i < traffic->n; i++)
		if (class_holds(&traffic->classes[i], packet)) {
			class = &traffic->classes[i];
			holding++;
		}
	ck_assert_int_eq(explain_packet(&e, rs, packet, &err), 0);
	ck_assert_msg(holding == 1, "%u classes hold %s of %s", holding, packet_words(packet), line);
	ck_assert_msg(class->fate.fate == e.fate && class->fate.port == e.port && class->fate.retargeted == e.retargeted,
		      "%u :%u, but of one packet %u :%u: %s of %s", class->fate.fate, class->fate.port, e.fate, e.port,
		      packet_words(packet), line);
	if (e.fate == FATE_TPROXIED)
		ck_assert_uint_eq(class->fate.mark, e.mark);
	if (class->fate.origin)
		ck_assert_msg(gives_reason(&e, class->fate.origin), "%s: %s of %s", class->fate.origin,
			      packet_words(packet), line);
	explanation_free(&e);
}

static void check_config(const char *line, enum layout layout)
{
	struct config cfg;
	struct capture_options options = { .layout = layout, .zones = true };
	struct ruleset *rs;
	struct traffic traffic;
	struct packet packet;
	struct err err;

	parse_line(&cfg, line);
	options.families = cfg.ipv6 == OFF ? FAMILY_BIT(IPV4) : FAMILY_BOTH;
	rs = capture_build(&cfg, &options);
	ck_assert_msg(!traffic_explain(&traffic, &(struct traffic_rules){ rs, NULL }, &err), "%s: %s", line, err.what);
	ck_assert(traffic.exact);
	for (unsigned i = 0; i < rounds(PACKETS); i++) {
		random_packet(&packet, &traffic);
		check_packet(&traffic, rs, &packet, line);
	}
	traffic_free(&traffic);
	ruleset_free(rs);
}

START_TEST(test_every_option)
{
	unsigned start = seed();

	printf("seed %u\n", start);
	srand(start);
	for (unsigned i = 0; i < N_CONFIG_LINES; i++) {
		check_config(config_lines[i], LAYOUT_IPTABLES);
		check_config(config_lines[i], LAYOUT_NATIVE);
	}
}
END_TEST

START_TEST(test_random_options)
{
	unsigned start = seed();
	uint64_t end = clock_us() + 3000000;

	printf("seed %u\n", start);
	srand(start);
	while (clock_us() < end) {
		auto_free char *line = random_config();

		check_config(line, rand() % 2 ? LAYOUT_IPTABLES : LAYOUT_NATIVE);
	}
}
END_TEST

#define LIST 100

/* The option with addresses of both families at random. */
static char *random_list(const char *option)
{
	char *line = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&line, &len);

	fprintf(out, " %s ::1", option);
	for (unsigned i = 0; i < LIST; i++)
		fprintf(out, ",%d.%d.%d.0/%d,2001:db8:%x::%x/%d", rand() % 224, rand() % 256, rand() % 256,
			20 + rand() % 13, rand() % 65536, rand() % 65536, 40 + rand() % 89);
	fclose(out);
	return line;
}

START_TEST(test_long_lists)
{
	unsigned start = seed();
	auto_free char *in = NULL, *out = NULL, *line = NULL;

	printf("seed %u\n", start);
	srand(start);
	in = random_list("-i");
	out = random_list("-x");
	line = xcalloc(1, strlen(in) + strlen(out) + 64);
	sprintf(line, "--sidecar --long-lists tree%s%s", in, out);
	check_config(line, LAYOUT_IPTABLES);
	check_config(line, LAYOUT_NATIVE);
}
END_TEST

/* Rules as iptables holds them: one for each item of a list. */
static struct ruleset *unroll(const struct ruleset *rs)
{
	struct ruleset *single = ruleset_new(rs->layout, rs->families);
	const struct rule *rule;
	struct chain_iter it;

	for (enum table_id table = 0; table < TABLES; table++)
		for (unsigned i = 0; i < rs->tables[table].n_chains; i++)
			for (enum family f = 0; f < FAMILIES; f++) {
				const struct chain *chain = &rs->tables[table].chains[i];

				chain_iter_init(&it, chain, f);
				while ((rule = chain_iter_next(&it))) {
					struct rule one = *rule;

					one.families = FAMILY_BIT(f);
					ruleset_append(single, table, chain->name, &one);
				}
			}
	return single;
}

static void build_nodes(struct effects *e, uint32_t nodes[2][FAMILIES], const char *line, enum layout layout, bool single)
{
	struct capture_options options = { .layout = layout, .families = FAMILY_BOTH, .zones = !strstr(line, "zones=off") };
	struct guesses guesses = { NULL, 0 };
	bool loop = false, asleep = false;
	struct ruleset *lists, *rs;
	struct config cfg;

	parse_line(&cfg, line);
	lists = capture_build(&cfg, &options);
	rs = single ? unroll(lists) : lists;
	for (enum hook hook = HOOK_PREROUTING; hook <= HOOK_OUTPUT; hook++)
		for (enum family f = 0; f < FAMILIES; f++) {
			uint32_t node = transfer_build(e, rs, hook, f, false, &guesses, &loop, &asleep);

			nodes[hook == HOOK_OUTPUT][f] = effect_map_ends(e, node, OP_USER + 100, 0, effect_without_reason);
		}
	ck_assert(!loop && !e->d.full && !guesses.n);
	if (single)
		ruleset_free(rs);
	ruleset_free(lists);
}

static bool are_equal(const char *a, enum layout layout_a, const char *b, enum layout layout_b, bool single)
{
	uint32_t nodes[2][2][FAMILIES];
	struct effects e;

	effects_init(&e);
	build_nodes(&e, nodes[0], a, layout_a, false);
	build_nodes(&e, nodes[1], b, layout_b, single);
	effects_free(&e);
	return !memcmp(nodes[0], nodes[1], sizeof(nodes[0]));
}

/* Rules that do the same come to the same node, however they are laid out; what a class does not tell counts. */
START_TEST(test_equal_rules)
{
	static const char *const dns = "--sidecar --redirect-dns --capture-all-dns";
	auto_free char *list = random_list("-x"), *linear = NULL, *tree = NULL;

	linear = xcalloc(1, strlen(list) + 64);
	tree = xcalloc(1, strlen(list) + 64);
	sprintf(linear, "--sidecar --long-lists linear%s", list);
	sprintf(tree, "--sidecar --long-lists tree%s", list);
	ck_assert(are_equal(linear, LAYOUT_IPTABLES, tree, LAYOUT_IPTABLES, false));
	ck_assert(are_equal(linear, LAYOUT_IPTABLES, tree, LAYOUT_NATIVE, false));
	ck_assert(are_equal(linear, LAYOUT_IPTABLES, linear, LAYOUT_IPTABLES, true));
	ck_assert(are_equal(dns, LAYOUT_IPTABLES, dns, LAYOUT_IPTABLES, true));
	ck_assert(are_equal("--sidecar -o 80,81", LAYOUT_IPTABLES, "--sidecar -o 80-81", LAYOUT_IPTABLES, false));
	ck_assert(!are_equal("--sidecar -o 80", LAYOUT_IPTABLES, "--sidecar -o 81", LAYOUT_IPTABLES, false));
	ck_assert(are_equal(dns, LAYOUT_IPTABLES, dns, LAYOUT_IPTABLES, false));
	ck_assert(!are_equal(dns, LAYOUT_IPTABLES, "--sidecar --redirect-dns --capture-all-dns --dns-zones=off",
			     LAYOUT_IPTABLES, false));
	ck_assert(!are_equal("--sidecar -m TPROXY", LAYOUT_IPTABLES, "--sidecar -m TPROXY -t 5", LAYOUT_IPTABLES, false));
}
END_TEST

Suite *suite_traffic(void)
{
	Suite *suite = suite_create("traffic");
	TCase *tcase = tcase_create("traffic");

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, test_every_option);
	tcase_add_test(tcase, test_random_options);
	tcase_add_test(tcase, test_long_lists);
	tcase_add_test(tcase, test_equal_rules);
	suite_add_tcase(suite, tcase);
	return suite;
}
