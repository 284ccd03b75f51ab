/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which rules of others may take what the options want. */
#include <check.h>
#include <netinet/in.h>

#include "build_rules.h"
#include "foreign.h"
#include "util.h"

Suite *suite_foreign(void);

static const struct prefix docker = { .family = IPV4, .len = 32, .addr = { 127, 0, 0, 11 } };
static const struct prefix loopback = { .family = IPV4, .len = 8, .addr = { 127 } };
static const struct prefix peer = { .family = IPV4, .len = 32, .addr = { 10, 9, 9, 9 } };
static const struct range dns = { 53, 53 }, low = { 1, 1023 }, high = { 1024, 65535 };
static const struct iface eth0 = { "eth0" };

#define TO(inv, p) \
	{ \
		.kind = MATCH_DST, .invert = inv, .n = 1, .prefixes = &(p) \
	}
#define PORT(inv, r) \
	{ \
		.kind = MATCH_DPORT, .invert = inv, .n = 1, .ranges = &(r) \
	}
#define PROTO(inv, p) \
	{ \
		.kind = MATCH_PROTO, .invert = inv, .n = 1, .proto = p \
	}
#define UDP PROTO(false, IPPROTO_UDP)
#define TCP PROTO(false, IPPROTO_TCP)

#define TRANSLATES 1u /* DNS over UDP */
#define TAKES_DNS 2u  /* of either protocol, in any way */
#define ENDS 4u       /* TCP or DNS that is to be captured, in OUTPUT */
#define ALL (TRANSLATES | TAKES_DNS | ENDS)

/* With 127.0.0.11 for a server, or all of DNS. */
static const struct {
	struct match matches[3];
	uint8_t target, unknown;
	unsigned server, all;
} cases[] = {
	{ { TO(false, docker), UDP, PORT(false, dns) }, TARGET_DNAT, 0, ALL, ALL },
	{ { TO(false, docker), UDP, PORT(false, dns) }, TARGET_REDIRECT, 0, ALL, ALL },
	{ { TO(false, docker), UDP, PORT(false, dns) }, TARGET_ACCEPT, 0, TAKES_DNS | ENDS, TAKES_DNS | ENDS },
	{ { TO(false, docker), UDP, PORT(false, dns) }, TARGET_RETURN, 0, 0, 0 },
	{ { TO(false, docker), UDP, PORT(false, dns) }, TARGET_NONE, 0, 0, 0 },
	{ { TO(false, docker), TCP, PORT(false, dns) }, TARGET_DNAT, 0, TAKES_DNS | ENDS, TAKES_DNS | ENDS },
	{ { TO(false, loopback), UDP, PORT(false, low) }, TARGET_DNAT, 0, ALL, ALL },
	{ { TO(false, loopback), UDP, PORT(false, high) }, TARGET_DNAT, 0, 0, 0 },
	{ { TO(false, loopback), UDP, PORT(true, dns) }, TARGET_DNAT, 0, 0, 0 },
	{ { TO(true, docker), UDP, PORT(false, dns) }, TARGET_DNAT, 0, 0, ALL },
	{ { TO(false, peer), UDP, PORT(false, dns) }, TARGET_DNAT, 0, 0, ALL },
	{ { TO(false, peer), TCP }, TARGET_DNAT, 0, ENDS, TAKES_DNS | ENDS },
	/* What goes to a loopback address is not captured, but for DNS. */
	{ { TO(false, loopback), TCP, PORT(false, high) }, TARGET_DNAT, 0, 0, 0 },
	{ { PROTO(true, IPPROTO_UDP) }, TARGET_DNAT, 0, TAKES_DNS | ENDS, TAKES_DNS | ENDS },
	{ { PROTO(false, IPPROTO_ICMP) }, TARGET_DROP, 0, 0, 0 },
	{ { { .kind = MATCH_OIF, .n = 1, .ifaces = &eth0 } }, TARGET_DROP, 0, TAKES_DNS | ENDS, TAKES_DNS | ENDS },
	/* What cannot be read: tests may hold, whatever is done may be a translation. */
	{ { UDP, PORT(false, dns) }, TARGET_DNAT, UNKNOWN_TEST, ALL, ALL },
	{ { UDP, PORT(false, dns) }, TARGET_NONE, UNKNOWN_TEST, 0, 0 },
	{ { UDP, PORT(false, dns) }, TARGET_NONE, UNKNOWN_TEST | UNKNOWN_ACTION, ALL, ALL },
	{ { UDP, PORT(false, dns) }, TARGET_UNKNOWN, UNKNOWN_ACTION, ALL, ALL },
	{ { UDP, PORT(false, high) }, TARGET_UNKNOWN, UNKNOWN_ACTION, 0, 0 },
};

/* What is found of the case's rule, behind @depth jumps. */
static unsigned find(unsigned i, const struct config *cfg, unsigned depth)
{
	struct ruleset *live = ruleset_new(LAYOUT_IPTABLES, FAMILY_BOTH);
	struct rule rule = { .families = FAMILY_BIT(IPV4), .owner = RULE_FOREIGN };
	static const char *const chains[] = { "OUTPUT", "A", "B" };
	unsigned found = 0;

	for (unsigned d = 0; d < depth; d++) {
		rule.target = (struct target){ .kind = TARGET_JUMP, .chain = chains[d + 1] };
		ruleset_append(live, TABLE_NAT, chains[d], &rule);
	}
	rule.target = (struct target){ .kind = cases[i].target };
	rule.unknown = cases[i].unknown;
	rule.matches = (struct match *)cases[i].matches;
	while (rule.n_matches < ARRAY_SIZE(cases[i].matches) && cases[i].matches[rule.n_matches].n)
		rule.n_matches++;
	ruleset_append(live, TABLE_NAT, chains[depth], &rule);
	foreign_note_ends(live, cfg);
	found |= foreign_dns_rule(live, cfg, FAMILY_BOTH, true) ? TRANSLATES : 0;
	found |= foreign_dns_rule(live, cfg, FAMILY_BOTH, false) ? TAKES_DNS : 0;
	found |= ruleset_find(live, TABLE_NAT, "OUTPUT")->rules->ends ? ENDS : 0;
	/* Not of the other family, nor of what is ours. */
	ck_assert_ptr_null(foreign_dns_rule(live, cfg, FAMILY_BIT(IPV6), false));
	ruleset_chain(live, TABLE_NAT, "OUTPUT")->rules->owner = RULE_OURS;
	ck_assert_ptr_null(foreign_dns_rule(live, cfg, FAMILY_BOTH, false));
	ruleset_free(live);
	return found;
}

START_TEST(rules_that_may_take)
{
	unsigned i = (unsigned)_i;
	struct config cfg;

	for (unsigned depth = 0; depth < 3; depth++) {
		parse_line(&cfg, "-i * --redirect-dns --capture-all-dns");
		ck_assert_uint_eq(find(i, &cfg, depth), cases[i].all);
		cfg.capture_all_dns = false;
		cfg.dns_servers.of[IPV4] = (struct prefix_list){ (struct prefix *)&docker, 1 };
		ck_assert_uint_eq(find(i, &cfg, depth), cases[i].server);
		cfg.redirect_dns = false;
		ck_assert_uint_eq(find(i, &cfg, depth) & (TRANSLATES | TAKES_DNS), 0);
		cfg.dns_servers.of[IPV4] = (struct prefix_list){};
	}
}
END_TEST

/* A chain that leads to itself ends the search, and so does one that is not there. */
START_TEST(circles_end)
{
	static const char *const chains[] = { "OUTPUT", "A" };
	struct rule rule = { .families = FAMILY_BOTH, .owner = RULE_FOREIGN };
	struct ruleset *live = ruleset_new(LAYOUT_IPTABLES, FAMILY_BOTH);
	struct config cfg;
	unsigned n;

	parse_line(&cfg, "-i * --redirect-dns --capture-all-dns");
	rule.target = (struct target){ .kind = TARGET_JUMP, .chain = "A" };
	for (unsigned i = 0; i < ARRAY_SIZE(chains); i++)
		ruleset_append(live, TABLE_NAT, chains[i], &rule);
	rule.target.chain = "NOWHERE";
	ruleset_append(live, TABLE_NAT, "OUTPUT", &rule);
	foreign_note_ends(live, &cfg);
	ck_assert_ptr_null(foreign_dns_rule(live, &cfg, FAMILY_BOTH, false));
	ck_assert_ptr_null(foreign_first_end(ruleset_find(live, TABLE_NAT, "OUTPUT"), IPV4, 2, &n));
	ck_assert_uint_eq(n, 0);
	rule.target = (struct target){ .kind = TARGET_DROP };
	for (unsigned i = 0; i < 2; i++)
		ruleset_append(live, TABLE_NAT, "OUTPUT", &rule);
	foreign_note_ends(live, &cfg);
	ck_assert_ptr_null(foreign_first_end(ruleset_find(live, TABLE_NAT, "OUTPUT"), IPV4, 2, &n));
	ck_assert_ptr_eq(foreign_first_end(ruleset_find(live, TABLE_NAT, "OUTPUT"), IPV4, 4, &n),
			 &ruleset_find(live, TABLE_NAT, "OUTPUT")->rules[2]);
	ck_assert_uint_eq(n, 2);
	ruleset_free(live);
}
END_TEST

Suite *suite_foreign(void)
{
	Suite *suite = suite_create("foreign");
	TCase *tcase = tcase_create("foreign");

	tcase_add_loop_test(tcase, rules_that_may_take, 0, ARRAY_SIZE(cases));
	tcase_add_test(tcase, circles_end);
	suite_add_tcase(suite, tcase);
	return suite;
}
