/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build_rules.h"
#include "capture.h"
#include "explain.h"
#include "rounds.h"
#include "tree.h"
#include "util.h"

Suite *suite_capture(void);

static struct ruleset *build(const struct config *cfg, enum layout layout)
{
	return capture_build(cfg, &(struct capture_options){ .layout = layout, .families = FAMILY_BOTH, .zones = true });
}

#define SYN "--tcp-flags FIN,SYN,RST,ACK SYN"

/* What each option must bring (or, with '!', must not), line by line. */
static const struct {
	const char *line;
	const char *lines[6];
} cases[] = {
	{ "", { "-A ISTIO_INBOUND -p tcp -m tcp --dport 15008 -j RETURN", "!*mangle", "!*raw", "!-A PREROUTING" } },
	{ "-p 1 -z 2 -e 3",
	  { "-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 1", "-A ISTIO_IN_REDIRECT -p tcp -j REDIRECT --to-ports 2",
	    "-A ISTIO_INBOUND -p tcp -m tcp --dport 3 -j RETURN" } },
	{ "-b *", { "-A PREROUTING -p tcp -j ISTIO_INBOUND", "-A ISTIO_INBOUND -p tcp -j ISTIO_IN_REDIRECT" } },
	{ "-b 80,90-95 -d 80",
	  { "-A ISTIO_INBOUND -p tcp -m tcp --dport 80 -j ISTIO_IN_REDIRECT",
	    "-A ISTIO_INBOUND -p tcp -m tcp --dport 90:95 -j ISTIO_IN_REDIRECT",
	    "!-A ISTIO_INBOUND -p tcp -m tcp --dport 80 -j RETURN" } },
	{ "-i 10.1.0.0/16,fd00::/8 -x 10.1.2.0/24",
	  { "-A ISTIO_OUTPUT -d 10.1.2.0/24 -j RETURN", "-A ISTIO_OUTPUT -d 10.1.0.0/16 -j ISTIO_REDIRECT",
	    "-A ISTIO_OUTPUT -d fd00::/8 -j ISTIO_REDIRECT" } },
	{ "-i 127.0.0.1/8", { "!-A ISTIO_OUTPUT -o lo -m owner ! --uid-owner 1337 -j RETURN" } },
	{ "-i * -k a,b",
	  { "-A PREROUTING -i b -j ISTIO_REDIRECT\n-A PREROUTING -i a -j ISTIO_REDIRECT\n"
	    "-A PREROUTING -i b -j RETURN\n-A PREROUTING -i a -j RETURN" } },
	{ "-i 10.0.0.0/8,11.0.0.0/8 -k a,b",
	  { "-A PREROUTING -d 11.0.0.0/8 -i b -j ISTIO_REDIRECT\n-A PREROUTING -d 11.0.0.0/8 -i a -j ISTIO_REDIRECT\n"
	    "-A PREROUTING -d 10.0.0.0/8 -i b -j ISTIO_REDIRECT" } },
	{ "-o 53", { "--dport 53 -j RETURN\n-A ISTIO_OUTPUT -p udp -m udp --dport 53 -j RETURN" } },
	{ "--drop-invalid", { "-A PREROUTING -m conntrack --ctstate INVALID -j ISTIO_DROP" } },
	{ "-m TPROXY -b *",
	  { "-A ISTIO_TPROXY ! -d 127.0.0.1/32 -p tcp -j TPROXY --on-port 15006 --on-ip 0.0.0.0 --tproxy-mark "
	    "0x539/0xffffffff",
	    "-A ISTIO_TPROXY ! -d ::1/128 -p tcp -j TPROXY --on-port 15006 --on-ip :: --tproxy-mark 0x539/0xffffffff",
	    "-A ISTIO_INBOUND -p tcp -m conntrack --ctstate RELATED,ESTABLISHED -j ISTIO_DIVERT" } },
	{ "-m TPROXY", { "-A ISTIO_INBOUND -i lo -p tcp -m mark ! --mark 0x53a -j RETURN", "!ISTIO_DIVERT" } },
	{ "--redirect-dns --capture-all-dns -i *",
	  { "-A ISTIO_OUTPUT_DNS -p udp -m udp --dport 53 -j REDIRECT --to-ports 15053",
	    "-m multiport ! --dports 53,15008", "-A ISTIO_OUTPUT_DNS -p udp -m udp --dport 53 -j CT --zone 2" } },
	{ "--redirect-dns --capture-all-dns --dns-zones off -i *", { "!*raw" } },
	{ "-i * --exclude-outbound-uids 5-9 --exclude-outbound-ports-for-uids udp:53:1-2 --bypass-mark 0x10/0xf0",
	  { "-A ISTIO_OUTPUT -m owner --uid-owner 5-9 -j RETURN",
	    "-A ISTIO_OUTPUT -p udp -m udp --dport 53 -m owner --uid-owner 1-2 -j RETURN",
	    "-A ISTIO_OUTPUT -m mark --mark 0x10/0xf0 -j RETURN" } },
	{ "-i * -b * --redirect-dns --capture-all-dns --keep-connections",
	  { "-A ISTIO_REDIRECT -p tcp -m tcp " SYN " -j REDIRECT --to-ports 15001",
	    "-A ISTIO_IN_REDIRECT -p tcp -m tcp " SYN " -j REDIRECT --to-ports 15006",
	    "-A ISTIO_OUTPUT_DNS -p tcp -m tcp --dport 53 " SYN " -j REDIRECT --to-ports 15053" } },
	{ "-b * -m TPROXY --keep-connections",
	  { "-A ISTIO_TPROXY ! -d 127.0.0.1/32 -p tcp -m tcp " SYN " -j TPROXY --on-port 15006" } },
	{ "-i * -b * -m TPROXY --redirect-dns --capture-all-dns", { "!tcp-flags" } },
	{ "-b * --exclude-inbound-cidrs 10.0.0.0/8 --comments",
	  { "-A ISTIO_INBOUND -s 10.0.0.0/8 -m comment --comment --exclude-inbound-cidrs -j RETURN" } },
};

START_TEST(options_bring_rules)
{
	struct ruleset *rs;
	struct config cfg;
	char *text;

	parse_line(&cfg, cases[_i].line);
	rs = build(&cfg, LAYOUT_IPTABLES);
	text = ruleset_text(rs);
	for (unsigned i = 0; i < ARRAY_SIZE(cases[_i].lines) && cases[_i].lines[i]; i++) {
		const char *line = cases[_i].lines[i];

		if (*line == '!')
			ck_assert_msg(!strstr(text, line + 1), "%s: %s in\n%s", cases[_i].line, line, text);
		else
			ck_assert_msg(strstr(text, line) != NULL, "%s: no %s in\n%s", cases[_i].line, line, text);
	}
	free(text);
	ruleset_free(rs);
}
END_TEST

static void random_packet(struct packet *p)
{
	static const uint16_t ports[] = { 53, 80, 443, 15008, 15053, 15090 };
	static const uint32_t ids[] = { 0, 7, 1000, 1337 };

	memset(p, 0, sizeof(*p));
	p->hook = rand() % 2 ? HOOK_OUTPUT : HOOK_PREROUTING;
	p->family = rand() % 2 ? IPV6 : IPV4;
	p->proto = rand() % 3 ? IPPROTO_TCP : IPPROTO_UDP;
	/* The lists below are of small blocks in a small space, so that half of the addresses hit. */
	p->dst[0] = 10;
	for (unsigned i = 1; i < family_addr_len(p->family); i++)
		p->dst[i] = (uint8_t)(rand() % 4);
	if (p->family == IPV4 && rand() % 6 == 0)
		memcpy(p->dst, (uint8_t[]){ 127, 0, 0, (uint8_t)(1 + rand() % 2) }, 4);
	p->sport = ports[(unsigned)rand() % ARRAY_SIZE(ports)];
	p->dport = ports[(unsigned)rand() % ARRAY_SIZE(ports)];
	p->has_owner = p->hook == HOOK_OUTPUT && rand() % 8;
	p->uid = ids[(unsigned)rand() % ARRAY_SIZE(ids)];
	p->gid = ids[(unsigned)rand() % ARRAY_SIZE(ids)];
	strcpy(p->hook == HOOK_OUTPUT ? p->oif.name : p->iif.name, rand() % 3 ? "eth0" : "lo");
	p->ctstate = rand() % 4 ? CTSTATE_NEW : CTSTATE_ESTABLISHED;
	p->tcp_flags = p->proto == IPPROTO_UDP ? 0 : rand() % 4 ? TCP_SYN : TCP_ACK;
	p->mark = rand() % 4 ? 0 : 1338;
}

static void expect_same_fate(const struct ruleset *a, const struct ruleset *b, const char *line)
{
	struct explanation ea, eb;
	struct packet packet;
	struct err err;
	char dst[ADDR_TEXT_MAX];

	for (unsigned i = 0; i < rounds(400); i++) {
		random_packet(&packet);
		ck_assert_int_eq(explain_packet(&ea, a, &packet, &err), 0);
		ck_assert_int_eq(explain_packet(&eb, b, &packet, &err), 0);
		ck_assert_msg(ea.fate == eb.fate && ea.port == eb.port,
			      "%s: hook %d proto %d dst %s dport %u uid %u gid %u socket %d: %d:%u, %d:%u", line,
			      packet.hook, packet.proto, addr_text(packet.family, packet.dst, dst), packet.dport,
			      packet.uid, packet.gid, packet.has_owner, ea.fate, ea.port, eb.fate, eb.port);
		explanation_free(&ea);
		explanation_free(&eb);
	}
}

static const char *const policies[] = {
	"-i * -b *",
	"-i * -b * -u 0,7 -g 1000,7",
	"-i 10.0.0.0/9,127.0.0.1/32 -u 0,7 -g 7,1000 -b 80,443",
	"-i * --redirect-dns --capture-all-dns -u 1337,0 -g 1000",
	"-i * --redirect-dns --capture-all-dns -g 7,1000 -o 443",
	"-i 127.0.0.1,10.0.0.0/8 --redirect-dns --capture-all-dns -u 7 -g 7,0",
	"-m TPROXY -b * -i * -d 80",
	"-m TPROXY -b 80,443 -i 10.1.0.0/16 -x 10.1.1.0/24 -q 53",
	"-i * -k eth0 -c lo",
	"-b * -i * --exclude-outbound-gids 0-7 --exclude-outbound-ports-for-uids tcp:80,443:7,1000",
	"-i * -b * --redirect-dns --capture-all-dns --keep-connections",
	"-i * -b * -m TPROXY --keep-connections",
	"-b * -d 80,443,15090 --drop-invalid --exclude-inbound-cidrs 0.0.0.0/1",
};

/* Sets for lists, and what stands in for inverted owners, decide as upstream's rules do. */
START_TEST(nftables_layout_means_the_same)
{
	struct ruleset *iptables, *native;
	struct config cfg;

	srand((unsigned)_i);
	parse_line(&cfg, policies[_i]);
	iptables = build(&cfg, LAYOUT_IPTABLES);
	native = build(&cfg, LAYOUT_NATIVE);
	expect_same_fate(iptables, native, policies[_i]);
	ruleset_free(iptables);
	ruleset_free(native);
}
END_TEST

static const struct {
	struct range groups[2];
	uint32_t n;
} group_cases[] = { { { { 7, 7 }, { 1000, 1000 } }, 2 }, { { { 1337, 1337 } }, 1 }, { { { 0, 0 } }, 0 } };

START_TEST(nftables_owner_groups_mean_the_same)
{
	struct ruleset *iptables, *native;
	struct config cfg;

	srand((unsigned)_i);
	parse_line(&cfg, "-i 10.0.0.0/9 -q 53 --redirect-dns --capture-all-dns");
	cfg.owner_groups = (struct range_list){ .items = (struct range *)group_cases[_i].groups, .n = group_cases[_i].n };
	iptables = build(&cfg, LAYOUT_IPTABLES);
	native = build(&cfg, LAYOUT_NATIVE);
	expect_same_fate(iptables, native, "owner groups");
	ruleset_free(iptables);
	ruleset_free(native);
}
END_TEST

/* A list of @n small blocks in the space of random_packet, some in others. */
static void random_cidrs(struct cidr_list *list, uint32_t n)
{
	for (enum family f = 0; f < FAMILIES; f++) {
		list->of[f] = (struct prefix_list){ xcalloc(n, sizeof(struct prefix)), n };
		for (uint32_t i = 0; i < n; i++) {
			char text[PREFIX_TEXT_MAX], word[64];
			struct packet p;

			do
				random_packet(&p);
			while (p.family != f);
			snprintf(word, sizeof(word), "%s/%u", addr_text(f, p.dst, text),
				 f == IPV4 ? 10 + (unsigned)rand() % 23 : 20 + (unsigned)rand() % 109);
			ck_assert(!prefix_parse(word, &list->of[f].items[i], NULL));
		}
	}
}

START_TEST(trees_mean_the_same)
{
	struct ruleset *linear, *tree;
	struct config cfg;

	srand((unsigned)_i);
	parse_line(&cfg, _i % 2 ? "-i * -b * -q 80 -k eth0" : "-b * -m TPROXY -k lo");
	random_cidrs(&cfg.outbound_cidrs_exclude, TREE_MIN + (unsigned)rand() % 60);
	random_cidrs(&cfg.exclude_inbound_cidrs, TREE_MIN + (unsigned)rand() % 60);
	if (!cfg.outbound_cidrs.all)
		random_cidrs(&cfg.outbound_cidrs, TREE_MIN + (unsigned)rand() % 60);
	cfg.long_lists = LONG_LISTS_LINEAR;
	linear = build(&cfg, LAYOUT_IPTABLES);
	cfg.long_lists = LONG_LISTS_TREE;
	tree = build(&cfg, LAYOUT_IPTABLES);
	ck_assert(tree->tables[TABLE_NAT].n_chains > linear->tables[TABLE_NAT].n_chains);
	expect_same_fate(linear, tree, "tree");
	ruleset_free(linear);
	ruleset_free(tree);
	for (enum family f = 0; f < FAMILIES; f++) {
		free(cfg.outbound_cidrs_exclude.of[f].items);
		free(cfg.exclude_inbound_cidrs.of[f].items);
		free(cfg.outbound_cidrs.of[f].items);
	}
}
END_TEST

Suite *suite_capture(void)
{
	Suite *suite = suite_create("capture");
	TCase *tc = tcase_create("capture");

	tcase_add_loop_test(tc, options_bring_rules, 0, ARRAY_SIZE(cases));
	tcase_add_loop_test(tc, nftables_layout_means_the_same, 0, ARRAY_SIZE(policies));
	tcase_add_loop_test(tc, nftables_owner_groups_mean_the_same, 0, ARRAY_SIZE(group_cases));
	tcase_add_loop_test(tc, trees_mean_the_same, 0, 20);
	suite_add_tcase(suite, tc);
	return suite;
}
