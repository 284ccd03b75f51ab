/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The grammar of the command line, where values come from, and what options mean together. */
#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/cli/values.h"
#include "cli_run.h"
#include "util.h"

Suite *suite_cli(void);

/* Grammar and precedence: the option's value in the end. */
static const struct {
	const char *line, *name, *value;
} given[] = {
	/* ways to write a value */
	{ "istio-init --envoy-port 1", "envoy-port", "1" },
	{ "istio-init --envoy-port=1", "envoy-port", "1" },
	{ "istio-init -p 1", "envoy-port", "1" },
	{ "istio-init -p1", "envoy-port", "1" },
	{ "istio-init -p=1", "envoy-port", "1" },
	{ "istio-init --istio-inbound-ports=", "istio-inbound-ports", "" },
	{ "istio-init -b 80 -b=", "istio-inbound-ports", "" },
	{ "istio-init -b 80 -b ''", "istio-inbound-ports", "" },
	{ "istio-init -p 1 --envoy-port=2 -p3", "envoy-port", "3" },
	{ "istio-init --network-namespace -1", "network-namespace", "-1" },
	{ "istio-init --network-namespace=-n", "network-namespace", "-n" },
	{ "istio-init --network-namespace=--dry-run", "dry-run", "false" },
	{ "istio-init --network-namespace a=b", "network-namespace", "a=b" },
	/* booleans */
	{ "istio-init -n", "dry-run", "true" },
	{ "istio-init --dry-run", "dry-run", "true" },
	{ "istio-init --dry-run=false", "dry-run", "false" },
	{ "istio-init --dry-run=1", "dry-run", "true" },
	{ "istio-init --dry-run=T", "dry-run", "true" },
	{ "istio-init --dry-run=TRUE", "dry-run", "true" },
	{ "istio-init -n=True", "dry-run", "true" },
	{ "istio-init -n -n=F", "dry-run", "false" },
	{ "istio-init -nb '*'", "dry-run", "true" },
	{ "istio-init -nb '*'", "istio-inbound-ports", "*" },
	{ "istio-init -nb80", "istio-inbound-ports", "80" },
	{ "istio-init -nb=80", "istio-inbound-ports", "80" },
	/* precedence: option, alias, variable, default */
	{ "istio-init", "inbound-capture-port", "15006" },
	{ "INBOUND_CAPTURE_PORT=1 istio-init", "inbound-capture-port", "1" },
	{ "INBOUND_CAPTURE_PORT=1 istio-init -z2", "inbound-capture-port", "2" },
	{ "INBOUND_CAPTURE_PORT=1 INBOUND_CAPTURE_PORT=2 istio-init", "inbound-capture-port", "1" },
	{ "REDIRECT_DNS=true CAPTURE_ALL_DNS=1 istio-init", "redirect-dns", "true" },
	{ "REDIRECT_DNS=true ISTIO_META_DNS_CAPTURE=false istio-init", "redirect-dns", "false" },
	{ "ISTIO_META_DNS_CAPTURE=false REDIRECT_DNS=true istio-init", "redirect-dns", "false" },
	{ "ISTIO_META_DNS_CAPTURE=false istio-init --redirect-dns --capture-all-dns", "redirect-dns", "true" },
	{ "INVALID_DROP=true istio-init", "drop-invalid", "true" },
	{ "DROP_INVALID=true istio-init", "drop-invalid", "true" },
	{ "ISTIO_DUAL_STACK=true istio-init", "dual-stack", "true" },
	{ "ENVOY_PORT=1 istio-init", "envoy-port", "15001" },
	{ "PROXY_UID=5 istio-init -u ''", "proxy-uid", "1337" },
	{ "PROXY_UID= istio-init", "proxy-uid", "1337" },
	{ "PROXY_GID= PROXY_UID=9 istio-init", "proxy-gid", "9" },
	{ "ISTIO_INBOUND_PORTS= istio-init --sidecar", "istio-inbound-ports", "" },
	{ "ISTIO_INBOUND_INTERCEPTION_MODE= istio-init", "istio-inbound-interception-mode", "REDIRECT" },
	{ "ISTIO_INIT_WAIT=2 istio-init", "wait", "2000ms" },
	{ "ISTIO_INIT_EXCLUDE_OUTBOUND_PORTS_FOR_UIDS=tcp:1:2;udp:3:4 istio-init", "exclude-outbound-ports-for-uids",
	  "tcp:1:2;udp:3:4" },
	{ "ISTIO_INIT_EXCLUDE_OUTBOUND_PORTS_FOR_UIDS=tcp:1:2 istio-init --exclude-outbound-ports-for-uids=udp:3:4",
	  "exclude-outbound-ports-for-uids", "udp:3:4" },
	{ "XTABLES_LOCKFILE=/x istio-init", "XTABLES_LOCKFILE", "/x" },
	{ "XTABLES_LOCKFILE= istio-init", "XTABLES_LOCKFILE", "/run/xtables.lock" },
	{ "ISTIO_OUTBOUND_OWNER_GROUPS=5,root istio-init", "ISTIO_OUTBOUND_OWNER_GROUPS", "5,0" },
	{ "ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR=127.1.2.3/8 istio-init", "ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR", "127.0.0.0/8" },
	{ "ENVOY_USER=games istio-init", "proxy-uid", "5" },
	{ "ENVOY_USER=games istio-init", "proxy-gid", "5" },
	{ "ENVOY_USER=games istio-init -u 9", "proxy-gid", "9" },
	{ "ENVOY_USER=no-such-user istio-init", "proxy-uid", "1337" },
	{ "ENVOY_USER= istio-init", "proxy-gid", "1337" },
	/* empty where there is no empty value: as if it were not set, the next in line counts */
	{ "INBOUND_CAPTURE_PORT= istio-init", "inbound-capture-port", "15006" },
	{ "ISTIO_META_DNS_CAPTURE= REDIRECT_DNS=true CAPTURE_ALL_DNS=1 istio-init", "redirect-dns", "true" },
	{ "ISTIO_INIT_BACKEND= istio-init", "backend", "auto" },
	{ "ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR= istio-init", "ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR", "127.0.0.1/32" },
	/* the aliases are the proxy's own settings */
	{ "ISTIO_META_DNS_CAPTURE=ALL istio-init", "redirect-dns", "false" },
	{ "ISTIO_META_DNS_CAPTURE=ALL REDIRECT_DNS=true istio-init", "redirect-dns", "false" },
	{ "INVALID_DROP=yes istio-init", "drop-invalid", "false" },
	{ "ISTIO_DUAL_STACK=1.0 istio-init", "dual-stack", "false" },
	/* malformed where it has no effect */
	{ "istio-init -t 0", "istio-inbound-tproxy-mark", "1337" },
	{ "ISTIO_INBOUND_TPROXY_ROUTE_TABLE=main istio-init", "istio-inbound-tproxy-route-table", "133" },
	{ "istio-init -b 80 -d 81,http", "istio-local-exclude-ports", "" },
	/* --sidecar gives defaults, wherever it stands */
	{ "istio-init --sidecar", "istio-inbound-ports", "*" },
	{ "istio-init --sidecar", "istio-service-cidr", "*" },
	{ "istio-init --sidecar", "istio-local-exclude-ports", "15090,15021,15020" },
	{ "ISTIO_INIT_SIDECAR=true istio-init", "istio-inbound-ports", "*" },
	{ "istio-init -b 80 --sidecar", "istio-inbound-ports", "80" },
	{ "istio-init --sidecar -b 80", "istio-inbound-ports", "80" },
	{ "ISTIO_SERVICE_CIDR=10.0.0.0/8 istio-init --sidecar", "istio-service-cidr", "10.0.0.0/8" },
	{ "istio-init -m TPROXY --sidecar", "istio-inbound-interception-mode", "TPROXY" },
	{ "istio-init --sidecar --sidecar=false", "istio-inbound-ports", "" },
	/* off without what they go with */
	{ "istio-init --capture-all-dns", "capture-all-dns", "false" },
};

START_TEST(given_value)
{
	struct cli_run run;

	cli_run(&run, given[_i].line);
	ck_assert_msg(!run.status, "%s: %s", given[_i].line, run.err.what);
	ck_assert_msg(!strcmp(cli_run_value(&run, given[_i].name), given[_i].value), "%s: %s", given[_i].line, run.value);
	cli_run_free(&run);
}
END_TEST

static const struct {
	const char *line;
	enum command command;
	bool as_upstream;
} commands[] = {
	{ "istio-init", COMMAND_APPLY, false },
	{ "istio-init apply", COMMAND_APPLY, false },
	{ "istio-init diff", COMMAND_DIFF, false },
	{ "istio-init -b80 show", COMMAND_SHOW, false },
	{ "istio-init clean -b 80", COMMAND_CLEAN, false },
	{ "istio-init -- clean", COMMAND_CLEAN, false },
	{ "istio-init explain", COMMAND_EXPLAIN, false },
	{ "istio-init help", COMMAND_HELP, false },
	{ "istio-init help clean", COMMAND_HELP, false },
	{ "istio-init version", COMMAND_VERSION, false },
	{ "istio-init clean --help", COMMAND_HELP, false },
	{ "istio-init -nh", COMMAND_HELP, false },
	{ "istio-init --version", COMMAND_VERSION, false },
	{ "istio-init init", COMMAND_APPLY, false },
	{ "istio-init istio-iptables", COMMAND_APPLY, true },
	{ "istio-init istio-iptables -p 15001", COMMAND_APPLY, true },
	{ "istio-init istio-iptables init", COMMAND_APPLY, true },
	{ "istio-init istio-iptables clean", COMMAND_CLEAN, true },
	{ "istio-iptables", COMMAND_APPLY, true },
	{ "/usr/local/sbin/istio-iptables show", COMMAND_SHOW, true },
	{ "/istio-iptables/istio-init", COMMAND_APPLY, false },
	{ "istio-init --cleanup-only", COMMAND_CLEAN, false },
	{ "istio-init --cleanup-only -n --family=ipv4 --format=nft", COMMAND_CLEAN, false },
	{ "istio-init clean --cleanup-only", COMMAND_CLEAN, false },
	{ "CLEANUP_ONLY=true istio-init", COMMAND_CLEAN, false },
	/* help is never kept back by what else is wrong */
	{ "DRY_RUN=maybe istio-init --help", COMMAND_HELP, false },
	{ "istio-init -b http --version", COMMAND_VERSION, false },
};

START_TEST(command)
{
	struct cli_run run;

	cli_run(&run, commands[_i].line);
	ck_assert_msg(!run.status, "%s: %s", commands[_i].line, run.err.what);
	ck_assert_msg(run.cfg.command == commands[_i].command, "%s", commands[_i].line);
	ck_assert_msg(run.cfg.as_upstream == commands[_i].as_upstream, "%s", commands[_i].line);
	cli_run_free(&run);
}
END_TEST

START_TEST(explain_words)
{
	static const char *const words[] = { "out", "proto=tcp", "uid=7", "-x", NULL };
	struct cli_run run;

	cli_run(&run, "istio-init istio-iptables explain out --sidecar proto=tcp uid=7 -- -x");
	ck_assert_int_eq(run.status, 0);
	for (unsigned i = 0; words[i]; i++)
		ck_assert_str_eq(run.cfg.words[i], words[i]);
	ck_assert_ptr_null(run.cfg.words[ARRAY_SIZE(words) - 1]);
	cli_run_free(&run);
}
END_TEST

START_TEST(owner_groups_limit)
{
	char line[1000] = "ISTIO_OUTBOUND_OWNER_GROUPS=0";
	struct cli_run run;

	for (int i = 1; i <= 63 + _i; i++)
		sprintf(line + strlen(line), ",%d,%d", i, i);
	strcat(line, " istio-init");
	cli_run(&run, line);
	ck_assert_int_eq(run.status, _i ? STATUS_USAGE : 0);
	if (_i)
		ck_assert_str_eq(run.err.what, "ISTIO_OUTBOUND_OWNER_GROUPS: 65 groups: expected at most 64");
	cli_run_free(&run);
}
END_TEST

START_TEST(dns_servers)
{
	char *path = cli_file("nameserver 10.0.0.1\nnameserver fd00::1\n"), line[200];
	static const struct {
		const char *options;
		unsigned n;
	} cases[] = {
		{ "--redirect-dns", 1 },
		{ "", 0 },
		{ "--redirect-dns --capture-all-dns", 0 },
		{ "--redirect-dns diff", 1 },
		{ "--redirect-dns explain", 1 },
		{ "--redirect-dns clean", 0 },
		{ "--redirect-dns explain --live", 0 },
		{ "--redirect-dns show", 0 },
		{ "--redirect-dns --skip-rule-apply", 0 },
		{ "--redirect-dns --skip-rule-apply -n", 1 },
	};
	struct cli_run run;

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(line, sizeof(line), "istio-init --resolv-conf=%s %s", path, cases[i].options);
		cli_run(&run, line);
		ck_assert_msg(!run.status, "%s", run.err.what);
		ck_assert_uint_eq(run.cfg.dns_servers.of[IPV4].n, cases[i].n);
		ck_assert_uint_eq(run.cfg.dns_servers.of[IPV6].n, cases[i].n);
		cli_run_free(&run);
	}
	cli_file_remove(path);
	cli_run(&run, "istio-init --redirect-dns --resolv-conf=/nowhere");
	ck_assert_int_eq(run.status, STATUS_FAILED);
	ck_assert_str_eq(run.err.what, "cannot read the DNS servers from \"/nowhere\": No such file or directory");
	ck_assert_str_ne(run.err.hint, "");
	cli_run_free(&run);
}
END_TEST

START_TEST(loopback_as_written)
{
	static const struct {
		const char *cidrs;
		bool loopback;
	} cases[] = {
		{ "127.0.0.1/0", true }, { "0.0.0.0/0", false }, { "10.0.0.0/8,::1", true },
		{ "::/0", false },       { "127.9.9.9", true },  { "10.0.0.0/8", false },
	};
	char line[100];
	struct cli_run run;

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(line, sizeof(line), "istio-init -i %s", cases[i].cidrs);
		cli_run(&run, line);
		ck_assert_int_eq(run.status, 0);
		ck_assert_msg(run.cfg.outbound_cidrs.loopback == cases[i].loopback, "%s", cases[i].cidrs);
		cli_run_free(&run);
	}
}
END_TEST

/* The table keeps its own rules. */
START_TEST(table)
{
	for (unsigned i = 0; i < OPTIONS; i++) {
		const struct option *o = &options[i];
		char own[80] = "ISTIO_INIT_";

		ck_assert_msg(o->name || o->variable, "option %u", i);
		ck_assert_msg((o->type == TYPE_BOOL) == !o->metavar, "%s", o->name);
		for (unsigned j = 0; o->name && j < i; j++)
			ck_assert_msg(!options[j].name || strcmp(o->name, options[j].name), "%s", o->name);
		for (unsigned j = 0; o->letter && j < i; j++)
			ck_assert_msg(o->letter != options[j].letter, "%s", o->name);
		for (unsigned j = 0; o->variable && j < i; j++)
			ck_assert_msg(!options[j].variable || strcmp(o->variable, options[j].variable), "%s", o->variable);
		if (!o->name || !o->variable || strncmp(o->variable, own, strlen(own)) != 0)
			continue;
		for (const char *c = o->name; *c; c++)
			sprintf(own + strlen(own), "%c", *c == '-' ? '_' : toupper((unsigned char)*c));
		ck_assert_str_eq(o->variable, own);
	}
}
END_TEST

Suite *suite_cli(void)
{
	Suite *suite = suite_create("cli");
	TCase *tc = tcase_create("command line");

	tcase_add_loop_test(tc, given_value, 0, ARRAY_SIZE(given));
	tcase_add_loop_test(tc, command, 0, ARRAY_SIZE(commands));
	tcase_add_test(tc, explain_words);
	tcase_add_loop_test(tc, owner_groups_limit, 0, 2);
	tcase_add_test(tc, dns_servers);
	tcase_add_test(tc, loopback_as_written);
	tcase_add_test(tc, table);
	suite_add_tcase(suite, tc);
	return suite;
}
