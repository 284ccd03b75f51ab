/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one run is asked to do: the options and variables, parsed into types. */
#ifndef ISTIO_INIT_CONFIG_H
#define ISTIO_INIT_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"
#include "commands.h"
#include "log.h"

enum mode { MODE_REDIRECT, MODE_TPROXY };
enum backend_id { BACKEND_AUTO, BACKEND_NFTABLES, BACKEND_IPTABLES_NFT, BACKEND_IPTABLES_LEGACY };
enum tristate { AUTO, ON, OFF };
enum family_choice { FAMILY_CHOICE_BOTH, FAMILY_CHOICE_IPV4, FAMILY_CHOICE_IPV6 };
enum format { FORMAT_BY_BACKEND, FORMAT_IPTABLES, FORMAT_NFT, FORMAT_MERMAID, FORMAT_DOT };
enum long_lists { LONG_LISTS_AUTO, LONG_LISTS_LINEAR, LONG_LISTS_TREE };
enum jump { JUMP_AUTO, JUMP_APPEND, JUMP_INSERT };
enum output { PRINT_TEXT, PRINT_JSON };
enum color { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

/* The mark that TPROXY mode puts on the proxy's own outbound packets over lo. */
#define OUTBOUND_MARK 1338u
/* Below this rules of one list stay a run of rules on the iptables backends. */
#define LONG_LIST_MIN 64

/* One value of --exclude-outbound-ports-for-uids. */
struct port_owner {
	uint8_t proto; /* IPPROTO_TCP or IPPROTO_UDP */
	struct range_list ports;
	struct range_list uids;
};

struct port_owner_list {
	struct port_owner *items;
	uint32_t n;
};

struct config {
	enum command command;
	enum command topic; /* help: of this command; COMMANDS: of all */
	bool as_upstream;   /* called as istio-iptables: by name or first word */
	char **words;       /* explain: the packet's words; NULL-ended, not owned */

	uint16_t proxy_port, inbound_port, tunnel_port, dns_port, probe_port;
	struct range_list proxy_uids, proxy_gids; /* never empty; single numbers */
	enum mode mode;
	struct range_list inbound_ports, inbound_ports_exclude;
	struct cidr_list outbound_cidrs, outbound_cidrs_exclude;
	struct range_list outbound_ports, outbound_ports_exclude;
	struct iface_list exclude_ifaces, virt_ifaces, inner_ifaces;
	uint32_t tproxy_mark, tproxy_table;
	struct range_list owner_groups, owner_groups_exclude; /* owner_groups.all: '*' */
	struct prefix loopback4;

	bool redirect_dns, capture_all_dns, drop_invalid, dual_stack;
	enum tristate dns_zones;
	const char *resolv_conf;
	struct cidr_list dns_servers; /* from resolv_conf, in its order */

	struct range_list exclude_uids, exclude_gids;
	struct port_owner_list exclude_ports_for_uids;
	struct cidr_list exclude_inbound_cidrs;
	struct mark bypass_mark;
	bool has_bypass_mark;
	bool keep_connections;
	enum long_lists long_lists;
	enum jump jump;
	bool comments;

	bool dry_run, run_validation, skip_rule_apply;
	bool reconcile, force_apply, cleanup_only, cni_mode, allow_host_netns, counters, live, traffic;
	uint32_t probe_timeout_ms, wait_ms;
	enum backend_id backend;
	enum tristate ipv6;
	enum family_choice family;
	enum format format;
	enum output output;
	enum color color;
	const char *netns;     /* to enter first; empty: none */
	const char *rules;     /* a file, "-": standard input, that is read instead of the kernel; empty: none */
	const char *lock_file; /* XTABLES_LOCKFILE, else /run/xtables.lock; with cni_mode the netns */
	struct log_options log;

	struct {
		const char *conf_dir, *bin_dir, *conf; /* conf: empty: none */
		bool watch;
	} cni;
};

/* Whether the options capture anything at all. */
bool config_captures(const struct config *cfg);

/* Frees the lists and zeroes the rest; for tests, and runs under a leak checker. */
void config_free(struct config *cfg);

#endif
