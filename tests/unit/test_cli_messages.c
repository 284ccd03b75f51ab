/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a command line is refused for, or warned of. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "cli_run.h"
#include "util.h"

Suite *suite_cli_messages(void);

static const struct {
	const char *line;
	const char *what; /* the whole line */
} refused[] = {
	{ "istio-init --istio-inbound-port 80",
	  "unknown option \"--istio-inbound-port\"; the nearest is --istio-inbound-ports (-b)" },
	{ "istio-init --dry", "unknown option \"--dry\"; the nearest is --dry-run (-n)" },
	{ "istio-init --dry_run=true", "unknown option \"--dry_run=true\"; the nearest is --dry-run (-n)" },
	{ "istio-init --reconcil", "unknown option \"--reconcil\"; the nearest is --reconcile" },
	{ "istio-init --bakcend=auto", "unknown option \"--bakcend=auto\"; the nearest is --backend" },
	{ "istio-init --Dry-Run", "unknown option \"--Dry-Run\"; the nearest is --dry-run (-n)" },
	{ "istio-init -N", "unknown option \"-N\"; there is --dry-run (-n)" },
	{ "istio-init ---dry-run", "unknown option \"---dry-run\"; the nearest is --dry-run (-n)" },
	{ "istio-init --envoy-port", "--envoy-port (-p) needs a value: PORT" },
	{ "istio-init -n -p", "--envoy-port (-p) needs a value: PORT" },
	{ "istio-init claen", "unknown command \"claen\"; the nearest is \"clean\"" },
	{ "istio-init -b 80 status", "unknown command \"status\"; here it is \"show\"" },
	{ "istio-init verify", "unknown command \"verify\"; here it is --run-validation" },
	{ "istio-init dry-run", "unknown command \"dry-run\"; there is --dry-run (-n)" },
	{ "istio-init --clean", "unknown option \"--clean\"; there is the command \"clean\"" },
	{ "istio-init --netns=/x", "unknown option \"--netns=/x\"; here it is --network-namespace" },
	{ "istio-init traffic.sidecar.istio.io/includeInboundPorts=80",
	  "unknown command \"traffic.sidecar.istio.io/includeInboundPorts=80\"; here it is --istio-inbound-ports (-b)" },
	{ "istio-init help claen", "unknown command \"claen\"; the nearest is \"clean\"" },
	/* what may mean two things */
	{ "istio-init clean diff", "two commands in one call, \"clean\" and \"diff\": expected one" },
	{ "istio-init show -b 80 now clean", "two commands in one call, \"show\" and \"clean\": expected one" },
	{ "istio-init istio-iptables now clean", "two commands in one call, \"apply\" and \"clean\": expected one" },
	{ "istio-init clean -- help", "two commands in one call, \"clean\" and \"help\": expected one" },
	{ "istio-init help clean diff", "two commands in one call, \"help\" and \"diff\": expected one" },
	{ "istio-init -b -i '*'", "--istio-inbound-ports (-b) needs a value, and \"-i\" is an option; an empty value is written "
				  "--istio-inbound-ports=" },
	{ "istio-init --network-namespace --dry-run=true",
	  "--network-namespace needs a value, and \"--dry-run=true\" is an option; an empty value is written "
	  "--network-namespace=" },
	/* the variable is named, not the option */
	{ "INBOUND_CAPTURE_PORT=abc istio-init", "INBOUND_CAPTURE_PORT: \"abc\": expected a port 1-65535" },
	{ "DRY_RUN=maybe istio-init", "DRY_RUN: \"maybe\": expected true or false" },
	{ "CLEANUP_ONLY=maybe istio-init", "CLEANUP_ONLY: \"maybe\": expected true or false" },
	{ "istio-init clean -t 0",
	  "--istio-inbound-tproxy-mark (-t): \"0\": expected a mark other than 0, which would route every packet" },
	{ "istio-init --cleanup-only -r 0",
	  "--istio-inbound-tproxy-route-table (-r): \"0\": expected a routing table 1-4294967295 other than 253, 254 "
	  "and 255" },
	{ "istio-init -b '*' -d http", "--istio-local-exclude-ports (-d): \"http\": expected a port 1-65535 or a range a-b" },
	{ "ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR=10.0.0.0/8 istio-init",
	  "ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR: \"10.0.0.0/8\": expected an IPv4 CIDR within 127.0.0.0/8" },
	{ "ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR=127.0.0.0/7 istio-init",
	  "ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR: \"127.0.0.0/7\": expected an IPv4 CIDR within 127.0.0.0/8" },
	{ "ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR=::1/128 istio-init",
	  "ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR: \"::1/128\": expected an IPv4 CIDR within 127.0.0.0/8" },
	{ "ISTIO_OUTBOUND_OWNER_GROUPS=*,5 istio-init",
	  "ISTIO_OUTBOUND_OWNER_GROUPS: \"*,5\": expected '*' alone, or a list without it" },
	{ "NATIVE_NFTABLES=true istio-init --backend=iptables-legacy",
	  "--backend and NATIVE_NFTABLES ask for different backends: expected one" },
	/* where they would have no effect */
	{ "istio-init --family=ipv4", "--family goes only with --dry-run and the command show" },
	{ "istio-init --format=nft", "--format goes only with --dry-run" },
	{ "istio-init show --format=nft", "--format goes only with --dry-run" },
	{ "ISTIO_INIT_COUNTERS=true istio-init", "ISTIO_INIT_COUNTERS goes only with the command show" },
	{ "istio-init diff --live", "--live goes only with the command explain" },
	{ "istio-init --rules=x", "--rules goes only with the commands diff, explain and show" },
	{ "ISTIO_INIT_RULES=x istio-init clean", "ISTIO_INIT_RULES goes only with the commands diff, explain and show" },
	{ "istio-init explain --rules=x --live",
	  "--live does not go with --rules: the file's rules are iptables rules of no network namespace" },
	{ "istio-init diff --rules=x --network-namespace=y",
	  "--network-namespace does not go with --rules: the file's rules are iptables rules of no network namespace" },
	{ "istio-init explain --rules=x --native-nftables",
	  "--backend nftables does not go with --rules: the file's rules are iptables rules of no network namespace" },
	{ "istio-init diff --cleanup-only", "--cleanup-only means the command clean, but another one is given" },
};

START_TEST(refusal)
{
	struct cli_run run;

	cli_run(&run, refused[_i].line);
	ck_assert_int_eq(run.status, STATUS_USAGE);
	ck_assert_str_eq(run.err.what, refused[_i].what);
	ck_assert_str_eq(run.err.hint, "");
	cli_run_free(&run);
}
END_TEST

#define OPTIONS_HINT "istio-init help lists all options, istio-init help COMMAND those that go with one"
#define COMMANDS_HINT "istio-init help lists the commands"

/* What is like nothing of ours. */
static const struct {
	const char *line, *what, *hint;
} unknown[] = {
	{ "istio-init -nw", "unknown option \"-nw\"", OPTIONS_HINT },
	{ "istio-init --=x -n", "unknown option \"--=x\"", OPTIONS_HINT },
	{ "istio-init --unknown --log_as_json", "unknown option \"--unknown\"", OPTIONS_HINT },
	{ "istio-init 'show me'", "unknown command \"show me\"", COMMANDS_HINT },
	{ "istio-init -b 80 stat", "unknown command \"stat\"", COMMANDS_HINT },
	{ "istio-init --dry-run false", "unknown command \"false\"", "a boolean takes its value behind a '=': --name=false" },
	{ "istio-init -b 80 443", "unknown command \"443\"",
	  "the items of a list are parted by commas, without blanks: 80,443" },
	{ "istio-init -- -b", "unknown command \"-b\"", COMMANDS_HINT },
	{ "istio-init ''", "unknown command \"\"", COMMANDS_HINT },
};

START_TEST(unknown_word)
{
	struct cli_run run;

	cli_run(&run, unknown[_i].line);
	ck_assert_int_eq(run.status, STATUS_USAGE);
	ck_assert_str_eq(run.err.what, unknown[_i].what);
	ck_assert_str_eq(run.err.hint, unknown[_i].hint);
	cli_run_free(&run);
}
END_TEST

#define NOTHING \
	"istio-init: warn: nothing would be captured: neither inbound ports (-b), outbound CIDRs (-i) or " \
	"ports (-q) nor DNS (--redirect-dns) are asked for; --sidecar gives the injector's defaults\n"

/* All that is logged. */
static const struct {
	const char *line, *log;
} warnings[] = {
	{ "istio-init --sidecar", "" },
	{ "istio-init", NOTHING },
	{ "istio-init -n", NOTHING },
	{ "istio-init -b 80", "" },
	{ "istio-init -i 10.0.0.0/8", "" },
	{ "istio-init -q 80", "" },
	{ "istio-init --redirect-dns --capture-all-dns", "" },
	{ "istio-init clean", "" },
	{ "istio-init show", "" },
	{ "istio-init diff", "" },
	{ "istio-init --skip-rule-apply --run-validation", "" },
	{ "istio-init -n --sidecar --run-validation --iptables-probe-port 15006", "" },
	{ "istio-init --skip-rule-apply",
	  "istio-init: warn: --skip-rule-apply without --run-validation: there is nothing to do\n" },
	{ "istio-init --sidecar apply now", "istio-init: warn: ignored \"now\": the command is the first word\n" },
	{ "istio-init --sidecar apply -n false",
	  "istio-init: warn: ignored \"false\": a boolean takes its value behind a '=': --name=false\n" },
	{ "istio-init apply -i 10.0.0.0/8 fd00::/8",
	  "istio-init: warn: ignored \"fd00::/8\": the items of a list are parted by commas, without blanks: 80,443\n" },
	{ "istio-init apply -i '*' -b 80, /etc /usr",
	  "istio-init: warn: ignored \"/etc\" and the words after it: it is a file: a shell puts files in the place of * "
	  "unless it is quoted: '*'\n" },
	{ "istio-init --sidecar --restore-format -f=false --iptables-version 1.8",
	  "istio-init: warn: --restore-format (-f) has no effect: it is an option of older releases of istio-iptables\n"
	  "istio-init: warn: --iptables-version has no effect: it is an option of older releases of istio-iptables\n" },
	{ "ISTIO_INIT_BAKCEND=nftables istio-init --sidecar",
	  "istio-init: warn: unknown variable \"ISTIO_INIT_BAKCEND\"; the nearest is ISTIO_INIT_BACKEND\n" },
	{ "ISTIO_INIT_DRY_RUN=true istio-init --sidecar",
	  "istio-init: warn: unknown variable \"ISTIO_INIT_DRY_RUN\"; the nearest is DRY_RUN\n" },
	{ "ISTIO_INIT_SERVICE_HOST=10.0.0.1 istio-init --sidecar",
	  "istio-init: warn: unknown variable \"ISTIO_INIT_SERVICE_HOST\"\n" },
	{ "ISTIO_INITIAL=1 ISTIO_INIT=2 istio-init --sidecar", "" },
	{ "istio-init --sidecar istio-iptables right now",
	  "istio-init: warn: ignored \"right\" and the words after it: the command is the first word\n" },
	{ "istio-init -b 80 -d 81", "istio-init: warn: --istio-local-exclude-ports (-d) has no effect: it goes only with "
				    "--istio-inbound-ports '*'\n" },
	{ "ISTIO_LOCAL_EXCLUDE_PORTS=81 istio-init -b 80",
	  "istio-init: warn: ISTIO_LOCAL_EXCLUDE_PORTS has no effect: it goes only with --istio-inbound-ports '*'\n" },
	{ "istio-init -b 80 -d 81,http",
	  "istio-init: warn: --istio-local-exclude-ports (-d): \"http\": expected a port 1-65535 or a range a-b; it has no "
	  "effect beside a list of ports to capture, and is ignored\n" },
	{ "ISTIO_INBOUND_TPROXY_MARK=x istio-init --sidecar",
	  "istio-init: warn: ISTIO_INBOUND_TPROXY_MARK: \"x\": expected a number 0-4294967295, decimal or 0x...; it has no "
	  "effect in REDIRECT mode, and is ignored\n" },
	{ "ISTIO_META_DNS_CAPTURE=ALL istio-init --sidecar",
	  "istio-init: warn: ISTIO_META_DNS_CAPTURE: \"ALL\": expected true or false; it counts as false\n" },
	{ "ISTIO_META_DNS_CAPTURE= istio-init --sidecar",
	  "istio-init: warn: ISTIO_META_DNS_CAPTURE is empty: it counts as not set\n" },
	{ "PROBE_TIMEOUT=' ' istio-init --sidecar", "istio-init: warn: PROBE_TIMEOUT is empty: it counts as not set\n" },
	{ "ISTIO_INBOUND_INTERCEPTION_MODE= FORCE_IPTABLES_BINARY= ISTIO_INIT_FORMAT= istio-init --sidecar", "" },
	{ "istio-init --sidecar -o 0",
	  "istio-init: warn: --istio-local-outbound-ports-exclude (-o): 0 is no port: ignored\n" },
	{ "istio-init --sidecar -z 15001",
	  "istio-init: warn: --envoy-port (-p) and --inbound-capture-port (-z) are both 15001: the proxy cannot tell what is "
	  "for which\n" },
	{ "INBOUND_CAPTURE_PORT=15008 istio-init --sidecar",
	  "istio-init: warn: INBOUND_CAPTURE_PORT and --inbound-tunnel-port (-e) are both 15008: the proxy cannot tell what is "
	  "for which\n" },
	{ "istio-init --sidecar --dns-port 15001", "" },
	{ "istio-init clean -z 15001", "" },
	{ "istio-init --sidecar -b 80", "" },
	{ "istio-init --sidecar -d 81", "" },
	{ "istio-init --sidecar --capture-all-dns",
	  "istio-init: warn: --capture-all-dns has no effect without --redirect-dns\n" },
	{ "istio-init --sidecar --redirect-dns --resolv-conf /dev/null",
	  "istio-init: warn: there is no nameserver in \"/dev/null\": DNS is not captured "
	  "(--capture-all-dns needs none)\n" },
	{ "istio-init -q 80 --redirect-dns --resolv-conf /dev/null --log_output_level=error", "" },
	{ "istio-init --redirect-dns --resolv-conf /dev/null",
	  "istio-init: warn: there is no nameserver in \"/dev/null\": DNS is not captured "
	  "(--capture-all-dns needs none)\n" NOTHING },
	{ "ISTIO_OUTBOUND_OWNER_GROUPS= istio-init --sidecar",
	  "istio-init: warn: ISTIO_OUTBOUND_OWNER_GROUPS is empty: nobody's outbound traffic is captured\n" },
	{ "ISTIO_OUTBOUND_OWNER_GROUPS=5 ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE=6 istio-init --sidecar",
	  "istio-init: warn: ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE has no effect: ISTIO_OUTBOUND_OWNER_GROUPS names the "
	  "groups that are captured\n" },
	{ "ENVOY_USER=no-such-user istio-init --sidecar",
	  "istio-init: warn: ENVOY_USER: there is no user \"no-such-user\" in /etc/passwd: the proxy's UID is taken to "
	  "be 1337\n" },
	{ "istio-init --log_output_level=error", "" },
};

START_TEST(warning)
{
	struct cli_run run;

	cli_run(&run, warnings[_i].line);
	ck_assert_msg(!run.status, "%s: %s", warnings[_i].line, run.err.what);
	ck_assert_str_eq(run.log, warnings[_i].log);
	cli_run_free(&run);
}
END_TEST

Suite *suite_cli_messages(void)
{
	Suite *suite = suite_create("cli_messages");
	TCase *tc = tcase_create("messages");

	tcase_add_loop_test(tc, refusal, 0, ARRAY_SIZE(refused));
	tcase_add_loop_test(tc, unknown_word, 0, ARRAY_SIZE(unknown));
	tcase_add_loop_test(tc, warning, 0, ARRAY_SIZE(warnings));
	suite_add_tcase(suite, tc);
	return suite;
}
