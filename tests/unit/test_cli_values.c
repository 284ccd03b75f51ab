/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The values of the options: every type with what it takes and what it refuses. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../src/cli/duration.h"
#include "../../src/cli/values.h"
#include "quote.h"
#include "../../src/cli/resolv.h"
#include "../../src/cli/unique.h"
#include "cli_run.h"
#include "util.h"

Suite *suite_cli_values(void);

/* What an option's text becomes, as the debug dump shows it. */
static const struct {
	const char *line, *name, *value;
} good[] = {
	{ "-p 1", "envoy-port", "1" },
	{ "-p 65535", "envoy-port", "65535" },
	{ "-b '*'", "istio-inbound-ports", "*" },
	{ "-b ' * '", "istio-inbound-ports", "*" },
	{ "-b ,*,", "istio-inbound-ports", "*" },
	{ "-b ''", "istio-inbound-ports", "" },
	{ "-b ' , ,'", "istio-inbound-ports", "" },
	{ "-b 80", "istio-inbound-ports", "80" },
	{ "-b ' 80 ,,8000-8100,\t9000:9001\n,80,443-443,443,'", "istio-inbound-ports", "80,8000-8100,9000-9001,443" },
	{ "-b 1-65535", "istio-inbound-ports", "1-65535" },
	{ "-b '*' -d 15090,15021,", "istio-local-exclude-ports", "15090,15021" },
	{ "-b '*' -d 0,15090,00", "istio-local-exclude-ports", "15090" },
	{ "-o 0", "istio-local-outbound-ports-exclude", "" },
	{ "-p ' 80\n'", "envoy-port", "80" },
	{ "-m ' tproxy '", "istio-inbound-interception-mode", "TPROXY" },
	{ "-n='\ttrue'", "dry-run", "true" },
	{ "--resolv-conf ' /etc/resolv.conf\n'", "resolv-conf", "/etc/resolv.conf" },
	{ "--wait '2s '", "wait", "2000ms" },
	{ "-q 443,80,443", "istio-outbound-ports", "443,80" },
	{ "-o 3306", "istio-local-outbound-ports-exclude", "3306" },
	{ "-i '*'", "istio-service-cidr", "*" },
	{ "-i 10.96.0.2/24", "istio-service-cidr", "10.96.0.0/24" },
	{ "-i 10.0.0.1,10.0.0.1/32,10.0.0.0/8,10.1.2.3/8", "istio-service-cidr", "10.0.0.1/32,10.0.0.0/8" },
	{ "-i 'fd00::1/64, 10.0.0.0/8 ,::1'", "istio-service-cidr", "10.0.0.0/8,fd00::/64,::1/128" },
	{ "-i 0.0.0.0/0,::/0", "istio-service-cidr", "0.0.0.0/0,::/0" },
	{ "-x 1.1.1.1", "istio-service-exclude-cidr", "1.1.1.1/32" },
	{ "--exclude-inbound-cidrs 10.0.0.0/8", "exclude-inbound-cidrs", "10.0.0.0/8" },
	{ "-c 'eth1, net+,eth1'", "istio-exclude-interfaces", "eth1,net+" },
	{ "-c 123456789012345", "istio-exclude-interfaces", "123456789012345" },
	{ "-k eth0", "kube-virt-interfaces", "eth0" },
	{ "-m tproxy", "istio-inbound-interception-mode", "TPROXY" },
	{ "-m Redirect", "istio-inbound-interception-mode", "REDIRECT" },
	{ "-m ''", "istio-inbound-interception-mode", "REDIRECT" },
	{ "-t 0x539f", "istio-inbound-tproxy-mark", "21407" },
	{ "-t 4294967295", "istio-inbound-tproxy-mark", "4294967295" },
	{ "-r 4294967295", "istio-inbound-tproxy-route-table", "4294967295" },
	{ "-r 252", "istio-inbound-tproxy-route-table", "252" },
	{ "-u 0,4294967294,0", "proxy-uid", "0,4294967294" },
	{ "-u root", "proxy-uid", "0" },
	{ "-u root", "proxy-gid", "0" },
	{ "-u 5,games", "proxy-uid", "5" },
	/* a group of the user's name goes before the user's own */
	{ "-u games", "proxy-gid", "60" },
	/* no group of that name */
	{ "-u sync", "proxy-gid", "65534" },
	{ "-u 7,8", "proxy-gid", "7,8" },
	{ "-u 7,8 -g ''", "proxy-gid", "7,8" },
	{ "-u 7 -g root,5", "proxy-gid", "0,5" },
	{ "-u ''", "proxy-uid", "1337" },
	{ "-u ','", "proxy-gid", "1337" },
	{ "--exclude-outbound-uids 1000,2000-2005,root,0-0", "exclude-outbound-uids", "1000,2000-2005,0" },
	{ "--exclude-outbound-gids 0-4294967294", "exclude-outbound-gids", "0-4294967294" },
	{ "--exclude-outbound-ports-for-uids tcp:3306,8000-8100:1000-1005,root", "exclude-outbound-ports-for-uids",
	  "tcp:3306,8000-8100:1000-1005,0" },
	{ "--exclude-outbound-ports-for-uids tcp:1:2 --exclude-outbound-ports-for-uids=udp:3:4 "
	  "--exclude-outbound-ports-for-uids '; tcp:5:6 ;'",
	  "exclude-outbound-ports-for-uids", "tcp:1:2;udp:3:4;tcp:5:6" },
	{ "--bypass-mark 0x10", "bypass-mark", "0x10/0xffffffff" },
	{ "--bypass-mark 16/0xf0", "bypass-mark", "0x10/0xf0" },
	{ "--bypass-mark ''", "bypass-mark", "" },
	{ "--probe-timeout 1m30s", "probe-timeout", "90000ms" },
	{ "--wait 0", "wait", "0ms" },
	{ "--backend nftables", "backend", "nftables" },
	{ "--backend iptables-nft", "backend", "iptables-nft" },
	{ "--backend iptables-legacy", "backend", "iptables-legacy" },
	{ "--native-nftables", "backend", "nftables" },
	{ "--native-nftables --backend=nftables", "backend", "nftables" },
	{ "--native-nftables --backend=auto", "backend", "nftables" },
	{ "--force-iptables-binary nft", "backend", "iptables-nft" },
	{ "--force-iptables-binary legacy", "backend", "iptables-legacy" },
	{ "--force-iptables-binary ''", "backend", "auto" },
	{ "--ipv6 on", "ipv6", "on" },
	{ "--ipv6 off", "ipv6", "off" },
	{ "--dns-zones off", "dns-zones", "off" },
	{ "--long-lists tree", "long-lists", "tree" },
	{ "--long-lists linear", "long-lists", "linear" },
	{ "--color never", "color", "never" },
	{ "-n --family ipv6", "family", "ipv6" },
	{ "show --family ipv4", "family", "ipv4" },
	{ "-n --format nft", "format", "nft" },
	{ "-n --format iptables", "format", "iptables" },
	{ "-n --format mermaid", "format", "mermaid" },
	{ "--log_output_level debug", "log_output_level", "debug" },
	{ "--log_output_level default:warn,other:debug,", "log_output_level", "warn" },
	{ "--log_output_level all:fatal", "log_output_level", "fatal" },
	{ "--log_output_level ''", "log_output_level", "info" },
	{ "--cni-mode --network-namespace /run/netns/pod", "XTABLES_LOCKFILE", "/run/netns/pod" },
	{ "--cni-mode", "XTABLES_LOCKFILE", "/run/xtables.lock" },
};

START_TEST(good_value)
{
	char line[400];
	struct cli_run run;

	snprintf(line, sizeof(line), "istio-init %s", good[_i].line);
	cli_run(&run, line);
	ck_assert_msg(!run.status, "%s: %s", line, run.err.what);
	ck_assert_msg(!strcmp(cli_run_value(&run, good[_i].name), good[_i].value), "%s: %s", line, run.value);
	cli_run_free(&run);
}
END_TEST

/* The whole line of the error. */
static const struct {
	const char *line, *what;
} bad[] = {
	{ "-p 0", "--envoy-port (-p): \"0\": expected a port 1-65535" },
	{ "-p 65536", "--envoy-port (-p): \"65536\": expected a port 1-65535" },
	{ "-p 80-81", "--envoy-port (-p): \"80-81\": expected a port 1-65535" },
	{ "-p ''", "--envoy-port (-p): \"\": expected a port 1-65535" },
	{ "-p +80", "--envoy-port (-p): \"+80\": expected a port 1-65535" },
	{ "-b 0", "--istio-inbound-ports (-b): \"0\": expected a port 1-65535 or a range a-b" },
	{ "-b 80,65536", "--istio-inbound-ports (-b): \"65536\": expected a port 1-65535 or a range a-b" },
	{ "-b 80-", "--istio-inbound-ports (-b): \"80-\": expected a port 1-65535 or a range a-b" },
	{ "-b 90-80", "--istio-inbound-ports (-b): \"90-80\": expected a range a-b with a not above b" },
	{ "-b http", "--istio-inbound-ports (-b): \"http\": expected a port 1-65535 or a range a-b" },
	{ "-b '80 81'", "--istio-inbound-ports (-b): \"80 81\": expected a port 1-65535 or a range a-b" },
	{ "-b '*,80'", "--istio-inbound-ports (-b): \"*,80\": expected '*' alone, or a list without it" },
	{ "-d '*'", "--istio-local-exclude-ports (-d): \"*\": expected a port 1-65535 or a range a-b" },
	{ "-i '10.0.0.0/8,*'", "--istio-service-cidr (-i): \"10.0.0.0/8,*\": expected '*' alone, or a list without it" },
	{ "-i 10.0.0.0/33", "--istio-service-cidr (-i): \"10.0.0.0/33\": expected a prefix length 0-32" },
	{ "-i 1.2.3.4/", "--istio-service-cidr (-i): \"1.2.3.4/\": expected a prefix length 0-32" },
	{ "-i ::/129", "--istio-service-cidr (-i): \"::/129\": expected a prefix length 0-128" },
	{ "-i 10.0.0", "--istio-service-cidr (-i): \"10.0.0\": expected an IPv4 or IPv6 address, or address/length" },
	{ "-x '*'", "--istio-service-exclude-cidr (-x): \"*\": expected CIDRs ('*' is only for what is to be captured)" },
	{ "-u -1", "--proxy-uid (-u): \"-1\": expected a UID 0-4294967294 or a user of /etc/passwd" },
	{ "-u 4294967295", "--proxy-uid (-u): \"4294967295\": expected a UID 0-4294967294 or a user of /etc/passwd" },
	{ "-u 1-2", "--proxy-uid (-u): \"1-2\": expected a UID 0-4294967294 or a user of /etc/passwd" },
	{ "-u no-such-user", "--proxy-uid (-u): \"no-such-user\": expected a UID 0-4294967294 or a user of /etc/passwd" },
	{ "-g no-group", "--proxy-gid (-g): \"no-group\": expected a GID 0-4294967294 or a group of /etc/group" },
	{ "--exclude-outbound-uids 5-4", "--exclude-outbound-uids: \"5-4\": expected a range a-b with a not above b" },
	{ "--exclude-outbound-gids 5-",
	  "--exclude-outbound-gids: \"5-\": expected a GID 0-4294967294, a range a-b or a group of /etc/group" },
	{ "-c 1234567890123456",
	  "--istio-exclude-interfaces (-c): \"1234567890123456\": expected an interface name of at most 15 bytes, more the "
	  "kernel has none (a trailing '+' stands for any rest)" },
	{ "-c 123456789012@if5",
	  "--istio-exclude-interfaces (-c): \"123456789012@if5\": expected an interface name without what ip prints behind "
	  "it: it ends before the '@'" },
	{ "-k 'a b'", "--kube-virt-interfaces (-k): \"a b\": expected an interface name of 1-15 bytes without blanks, control "
		      "characters and / : \" \\ *" },
	{ "-c '*,eth0'", "--istio-exclude-interfaces (-c): \"*\": expected interface names ('+' stands for all of them)" },
	{ "-m redirect2", "--istio-inbound-interception-mode (-m): \"redirect2\": expected REDIRECT or TPROXY" },
	{ "-m TPROXY -t 0x1ffffffff",
	  "--istio-inbound-tproxy-mark (-t): \"0x1ffffffff\": expected a number 0-4294967295, decimal or 0x..." },
	{ "-m TPROXY -t 0",
	  "--istio-inbound-tproxy-mark (-t): \"0\": expected a mark other than 0, which would route every packet" },
	{ "-m TPROXY -t 0x53a", "--istio-inbound-tproxy-mark (-t): \"0x53a\": expected a mark other than 1338, the mark of the "
				"proxy's own outbound packets" },
	{ "-m TPROXY -r 254", "--istio-inbound-tproxy-route-table (-r): \"254\": expected a routing table 1-4294967295 other than "
			      "253, 254 and 255" },
	{ "-m TPROXY -r 0", "--istio-inbound-tproxy-route-table (-r): \"0\": expected a routing table 1-4294967295 other than "
			    "253, 254 and 255" },
	{ "--bypass-mark 0", "--bypass-mark: \"0\": expected a mark other than 0, which packets have that nobody marked" },
	{ "--bypass-mark 1/", "--bypass-mark: \"1/\": expected MARK or MARK/MASK, numbers 0-4294967295, decimal or 0x..." },
	{ "--bypass-mark 0x10/0xf",
	  "--bypass-mark: \"0x10/0xf\": expected a mark that lies in its mask (no packet could have this one)" },
	{ "-m TPROXY --bypass-mark 0x539", "--bypass-mark matches the TPROXY mark 1337: expected a mark of its own" },
	{ "-m TPROXY --bypass-mark 2/2", "--bypass-mark matches 1338, the mark of the proxy's own packets: "
					 "expected a mark of its own" },
	{ "--exclude-outbound-ports-for-uids tcp:80",
	  "--exclude-outbound-ports-for-uids: \"tcp:80\": expected PROTO:PORTS:UIDS, such as "
	  "tcp:3306,8000-8100:1000-1005" },
	{ "--exclude-outbound-ports-for-uids tcp:80:90:1",
	  "--exclude-outbound-ports-for-uids: \"tcp:80:90:1\": expected PROTO:PORTS:UIDS, such as "
	  "tcp:3306,8000-8100:1000-1005" },
	{ "--exclude-outbound-ports-for-uids icmp:80:1", "--exclude-outbound-ports-for-uids: \"icmp\": expected tcp or udp" },
	{ "--exclude-outbound-ports-for-uids tcp:0:1",
	  "--exclude-outbound-ports-for-uids: \"0\": expected PROTO:PORTS:UIDS, such as tcp:3306,8000-8100:1000-1005" },
	{ "--exclude-outbound-ports-for-uids tcp::1", "--exclude-outbound-ports-for-uids: \"\": expected PROTO:PORTS:UIDS, "
						      "such as tcp:3306,8000-8100:1000-1005" },
	{ "--probe-timeout 5x", "--probe-timeout: \"5x\": expected a duration such as 5s, 1m30s or 500ms, at most 1193h" },
	{ "--probe-timeout 0s", "--probe-timeout: \"0s\": expected a duration above 0" },
	{ "--backend nft", "--backend: \"nft\": expected auto|nftables|iptables-nft|iptables-legacy" },
	{ "--backend ''", "--backend: \"\": expected auto|nftables|iptables-nft|iptables-legacy" },
	{ "--backend auto|nftables", "--backend: \"auto|nftables\": expected auto|nftables|iptables-nft|iptables-legacy" },
	{ "--force-iptables-binary x", "--force-iptables-binary: \"x\": expected legacy|nft" },
	{ "--native-nftables --backend=iptables-nft",
	  "--backend and --native-nftables ask for different backends: expected one" },
	{ "--native-nftables --force-iptables-binary=nft",
	  "--native-nftables and --force-iptables-binary ask for different backends: expected one" },
	{ "-n=maybe", "--dry-run (-n): \"maybe\": expected true or false" },
	{ "--dry-run=", "--dry-run (-n): \"\": expected true or false" },
	{ "--log_output_level loud",
	  "--log_output_level: \"loud\": expected [SCOPE:]LEVEL with a level of debug, info, warn, error, fatal, none" },
	{ "--log_target /nowhere/log", "--log_target: cannot open \"/nowhere/log\" for writing: No such file or directory" },
	{ "-x @/nowhere", "--istio-service-exclude-cidr (-x): cannot read the list file \"/nowhere\": "
			  "No such file or directory" },
	{ "-b '80\n-j\tACCEPT\"\\'", "--istio-inbound-ports (-b): \"80\\n-j\\tACCEPT\\\"\\\\\": expected a port 1-65535 "
				     "or a range a-b" },
};

START_TEST(bad_value)
{
	char line[400];
	struct cli_run run;

	snprintf(line, sizeof(line), "istio-init %s", bad[_i].line);
	cli_run(&run, line);
	ck_assert_int_eq(run.status, STATUS_USAGE);
	ck_assert_str_eq(run.err.what, bad[_i].what);
	ck_assert_str_eq(run.err.hint, "");
	cli_run_free(&run);
}
END_TEST

static const struct {
	const char *text;
	long long ms; /* -1: refused */
} durations[] = {
	{ "5s", 5000 },
	{ "1m30s", 90000 },
	{ "500ms", 500 },
	{ "1h2m3.5s", 3723500 },
	{ "5", 5000 },
	{ "1.5", 1500 },
	{ "0", 0 },
	{ "+2s", 2000 },
	{ ".5s", 500 },
	{ "5.s", 5000 },
	{ "1ns", 1 },
	{ "1000000ns", 1 },
	{ "1001us", 2 },
	{ "3\xc2\xb5s", 1 },
	{ "3\xce\xbcs", 1 },
	{ "4294967295ms", 4294967295 },
	{ "1193h", 4294800000 },
	{ "4294967296ms", -1 },
	{ "1194h", -1 },
	{ "99999999999999999999h", -1 },
	{ "18446744073709551616", -1 },
	{ "0.0000000001s", 0 },
	{ "2562047h47m16.854775807s", -1 },
	{ "", -1 },
	{ "s", -1 },
	{ ".s", -1 },
	{ ".", -1 },
	{ "-5s", -1 },
	{ "5x", -1 },
	{ "5s3", -1 },
	{ "3 s", -1 },
	{ " 3s", -1 },
	{ "1e3s", -1 },
	{ "0x5s", -1 },
	{ "++1s", -1 },
};

START_TEST(duration)
{
	uint32_t ms = 0;
	bool ok = duration_parse(durations[_i].text, &ms);

	ck_assert_msg(ok == (durations[_i].ms >= 0), "%s", durations[_i].text);
	if (ok)
		ck_assert_msg(ms == durations[_i].ms, "%s: %u", durations[_i].text, ms);
}
END_TEST

START_TEST(list_file)
{
	char *path = cli_file("# made by hand\n10.0.0.0/8\n\n 10.1.0.0/16 10.2.0.0/16,10.3.0.0/16 # three\n"
			      "10.0.0.0/8\r\n#10.9.0.0/16\nfd00::/8");
	char line[200];
	struct cli_run run;

	snprintf(line, sizeof(line), "istio-init -x 1.1.1.1,@%s,,2.2.2.2", path);
	cli_run(&run, line);
	ck_assert_msg(!run.status, "%s", run.err.what);
	ck_assert_str_eq(cli_run_value(&run, "istio-service-exclude-cidr"),
			 "1.1.1.1/32,10.0.0.0/8,10.1.0.0/16,10.2.0.0/16,10.3.0.0/16,2.2.2.2/32,fd00::/8");
	cli_run_free(&run);
	cli_file_remove(path);
}
END_TEST

START_TEST(list_file_bad)
{
	static const struct {
		const char *content, *what;
	} cases[] = {
		{ "80\n\n# 1\n81 http\n", "\"http\" in line 4 of \"/tmp/istio-init-test-" },
		{ "80,@/etc/passwd", "\"@/etc/passwd\" in line 1 of \"/tmp/istio-init-test-" },
		{ "*\n80", "expected '*' alone, or a list without it" },
	};
	char *path = cli_file(cases[_i].content), line[200];
	struct cli_run run;

	snprintf(line, sizeof(line), "istio-init -b @%s", path);
	cli_run(&run, line);
	ck_assert_int_eq(run.status, STATUS_USAGE);
	ck_assert_msg(strstr(run.err.what, cases[_i].what), "%s", run.err.what);
	cli_run_free(&run);
	cli_file_remove(path);
}
END_TEST

/* A list longer than one argument may be, twice over: the first of each item stays, in order. */
START_TEST(list_long)
{
	enum { ITEMS = 100000, LINE = sizeof("10.255.255.255\n") };
	char *text = malloc(ITEMS * 2 * LINE), *to = text, *path, line[200], cidr[PREFIX_TEXT_MAX];
	const struct prefix_list *list;
	struct cli_run run;

	for (unsigned i = 0; i < ITEMS * 2; i++) {
		unsigned n = i % ITEMS;

		to += sprintf(to, "10.%u.%u.%u\n", n >> 16, n >> 8 & 255, n & 255);
	}
	path = cli_file(text);
	snprintf(line, sizeof(line), "istio-init -x @%s", path);
	cli_run(&run, line);
	ck_assert_msg(!run.status, "%s", run.err.what);
	list = &run.cfg.outbound_cidrs_exclude.of[IPV4];
	ck_assert_uint_eq(list->n, ITEMS);
	for (unsigned i = 0; i < ITEMS; i++) {
		snprintf(line, sizeof(line), "10.%u.%u.%u/32", i >> 16, i >> 8 & 255, i & 255);
		ck_assert_str_eq(prefix_text(&list->items[i], cidr), line);
	}
	cli_run_free(&run);
	cli_file_remove(path);
	free(text);
}
END_TEST

START_TEST(unique)
{
	/* few and many: both ways to find what is twice */
	for (uint32_t n = 0; n < 200; n++) {
		uint32_t items[200], wanted[200], kept = 0, have;

		for (uint32_t i = 0; i < n; i++) {
			items[i] = i * 2654435761u % 37;
			for (have = 0; have < kept && wanted[have] != items[i]; have++)
				;
			if (have == kept)
				wanted[kept++] = items[i];
		}
		ck_assert_uint_eq(items_unique(items, n, sizeof(*items)), kept);
		ck_assert_mem_eq(items, wanted, kept * sizeof(*items));
	}
}
END_TEST

START_TEST(quoted)
{
	static const struct {
		const char *text, *quoted;
	} cases[] = {
		{ "", "\"\"" },
		{ "a b", "\"a b\"" },
		{ "\x01\x7f\r\n\t\"\\", "\"\\x01\\x7f\\r\\n\\t\\\"\\\\\"" },
		{ "123456789012345678901234567890123456789012345678901234567890",
		  "\"123456789012345678901234567890123456789012345678901234567890\"" },
		{ "1234567890123456789012345678901234567890123456789012345678901",
		  "\"123456789012345678901234567890123456789012345678901234567890\"..." },
		{ "\xef\xbb\xbf"
		  "80",
		  "\"\\ufeff80\"" },
		{ "8\xc2\xa0\xe2\x80\x8b\xe2\x80\xae"
		  "0",
		  "\"8\\u00a0\\u200b\\u202e0\"" },
		{ "\xf3\xa0\x80\x81", "\"\\ue0001\"" },
		{ "\xc3\xa4\xf0\x9f\x98\x80", "\"\xc3\xa4\xf0\x9f\x98\x80\"" },
		{ "\xff\xc3", "\"\\xff\\xc3\"" },
		{ "12345678901234567890123456789012345678901234567890123456789\xc3\xa4",
		  "\"12345678901234567890123456789012345678901234567890123456789\"..." },
	};
	char text[QUOTE_MAX], worst[200];

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
		ck_assert_str_eq(quote(cases[i].text, text), cases[i].quoted);
	memset(worst, 1, sizeof(worst) - 1);
	worst[sizeof(worst) - 1] = '\0';
	ck_assert_uint_lt(strlen(quote(worst, text)), sizeof(text));
}
END_TEST

START_TEST(owners)
{
	char *passwd = cli_file("root:x:0:0::/:/bin/sh\n"
				"# comment:x:1:1\n"
				"proxy-user:x:77:88::/:\n"
				"short:x\n"
				"bad:x:1x:2::\n"
				"large:x:4294967295:1::\n"
				"proxy:x:99:100");
	char *group = cli_file("root:x:0:\nproxy:x:1000:root,proxy\nbad:x::\n");
	struct owners o = { .passwd_path = passwd, .group_path = group };
	struct owners none = { .passwd_path = "/nowhere", .group_path = "/nowhere" };
	static const char *const unknown[] = { "", "x", "proxy-", "prox", "short", "bad", "large", "root:x", "proxy\n" };
	uint32_t uid, gid;

	ck_assert(owners_find_user(&o, "proxy-user", &uid, &gid) && uid == 77 && gid == 88);
	ck_assert(owners_find_user(&o, "proxy", &uid, &gid) && uid == 99 && gid == 100);
	ck_assert(owners_find_group(&o, "proxy", &gid) && gid == 1000);
	for (unsigned i = 0; i < ARRAY_SIZE(unknown); i++) {
		ck_assert(!owners_find_user(&o, unknown[i], &uid, &gid));
		ck_assert(!owners_find_group(&o, unknown[i], &gid) || !strcmp(unknown[i], "proxy"));
	}
	ck_assert(!owners_find_user(&none, "root", &uid, &gid));
	ck_assert(!owners_find_group(&none, "root", &gid));
	owners_free(&o);
	owners_free(&none);
	cli_file_remove(passwd);
	cli_file_remove(group);
}
END_TEST

START_TEST(resolv)
{
	char *path = cli_file("# nameserver 1.1.1.1\n;nameserver 1.1.1.2\nsearch a b\n nameserver\t10.0.0.2  # here\r\n"
			      "nameserver fd00::1\nnameserver\nnameserver 10.0.0.2\nnameserver 10.0.0.1\n"
			      "nameservers 1.1.1.3\nnameserver fe80::1%eth0\nnameserver 10.0.0.0/8\nnameserver host\n"
			      "nameserver ::127.0.0.53\nnameserver fe80::1%eth1\nnameserver ::ffff:10.0.0.3\n"
			      "nameserver ::FFFF:a00:1\nnameserver 10.0.0.4%eth0\nnameserver %eth0\n");
	static const struct log_options silent = { .level = LOG_NONE, .fd = 2 };
	static const struct log_options plain = { .level = LOG_INFO, .fd = 2 };
	struct cidr_list servers = { 0 };
	char text[PREFIX_TEXT_MAX];
	struct err err;

	log_setup(&silent);
	ck_assert_int_eq(resolv_read(path, &servers, &err), 0);
	log_setup(&plain);
	ck_assert_uint_eq(servers.of[IPV4].n, 3);
	ck_assert_str_eq(prefix_text(&servers.of[IPV4].items[0], text), "10.0.0.2/32");
	ck_assert_str_eq(prefix_text(&servers.of[IPV4].items[1], text), "10.0.0.1/32");
	ck_assert_str_eq(prefix_text(&servers.of[IPV4].items[2], text), "10.0.0.3/32");
	ck_assert_uint_eq(servers.of[IPV6].n, 3);
	ck_assert_str_eq(prefix_text(&servers.of[IPV6].items[1], text), "fe80::1/128");
	ck_assert_str_eq(prefix_text(&servers.of[IPV6].items[2], text), "::127.0.0.53/128");
	free(servers.of[IPV4].items);
	free(servers.of[IPV6].items);
	cli_file_remove(path);
}
END_TEST

Suite *suite_cli_values(void)
{
	Suite *suite = suite_create("cli_values");
	TCase *tc = tcase_create("values");

	tcase_add_loop_test(tc, good_value, 0, ARRAY_SIZE(good));
	tcase_add_loop_test(tc, bad_value, 0, ARRAY_SIZE(bad));
	tcase_add_loop_test(tc, duration, 0, ARRAY_SIZE(durations));
	tcase_add_test(tc, list_file);
	tcase_add_loop_test(tc, list_file_bad, 0, 3);
	tcase_add_test(tc, list_long);
	tcase_add_test(tc, unique);
	tcase_add_test(tc, quoted);
	tcase_add_test(tc, owners);
	tcase_add_test(tc, resolv);
	suite_add_tcase(suite, tc);
	return suite;
}
