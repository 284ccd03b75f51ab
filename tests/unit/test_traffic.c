/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of all packets against the walk of one: random options, packets at the classes' bounds and beside them. */
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "build_rules.h"
#include "capture.h"
#include "random_config.h"
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
	for (unsigned i = 0; i < PACKETS; i++) {
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

Suite *suite_traffic(void)
{
	Suite *suite = suite_create("traffic");
	TCase *tcase = tcase_create("traffic");

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, test_every_option);
	tcase_add_test(tcase, test_random_options);
	suite_add_tcase(suite, tcase);
	return suite;
}
