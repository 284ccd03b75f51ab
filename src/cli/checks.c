/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What depends on more than one option: contradictions, defaults that come from others, warnings. */
#include "checks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "quote.h"
#include "resolv.h"
#include "unique.h"
#include "util.h"

/* The kernel takes that many owner matches in one rule. */
#define OWNER_GROUPS_MAX 64
#define DEFAULT_PROXY_ID 1337

/* Whether the run makes rules out of the options, to write, print or compare them. */
static bool makes_rules(const struct config *cfg)
{
	return (cfg->command == COMMAND_APPLY && (cfg->dry_run || !cfg->skip_rule_apply)) ||
	       cfg->command == COMMAND_DIFF || (cfg->command == COMMAND_EXPLAIN && !cfg->live && !*cfg->rules);
}

/* The two options of a contradiction that an error is about. */
static void blame(struct parse *p, enum option_id one, enum option_id other)
{
	p->between[0] = one;
	p->between[1] = other;
}

static int check_backend(struct parse *p, struct err *err)
{
	struct settings *s = &p->settings;
	static const enum backend_id of_binary[] = { BACKEND_AUTO, BACKEND_IPTABLES_LEGACY, BACKEND_IPTABLES_NFT };
	const struct {
		enum option_id id;
		enum backend_id backend;
	} wishes[] = {
		{ OPTION_BACKEND, s->cfg.backend },
		{ OPTION_NATIVE_NFTABLES, s->native_nftables ? BACKEND_NFTABLES : BACKEND_AUTO },
		{ OPTION_FORCE_IPTABLES_BINARY, of_binary[s->force_binary] },
	};
	char one[OPTION_NAMES_MAX], other[OPTION_NAMES_MAX];
	enum option_id by = OPTION_BACKEND;

	for (unsigned i = 1; i < ARRAY_SIZE(wishes); i++) {
		if (wishes[i].backend == BACKEND_AUTO || wishes[i].backend == s->cfg.backend)
			continue;
		if (s->cfg.backend != BACKEND_AUTO) {
			blame(p, by, wishes[i].id);
			return err_set(err, STATUS_USAGE, EINVAL, "%s and %s ask for different backends: expected one",
				       option_source(p, &options[by], one),
				       option_source(p, &options[wishes[i].id], other));
		}
		s->cfg.backend = wishes[i].backend;
		by = wishes[i].id;
	}
	return 0;
}

/* Of an admission (src/pod/validate.c) nothing is parsed but what annotations say. */
static bool is_given(const char *text)
{
	return text && *text;
}

/* Options that would be ignored without a word elsewhere. */
static int check_places(struct parse *p, struct err *err)
{
	const struct config *cfg = &p->settings.cfg;
	bool prints = cfg->dry_run && (cfg->command == COMMAND_APPLY || cfg->command == COMMAND_CLEAN);
	const struct {
		enum option_id id;
		bool misplaced;
		const char *where;
	} places[] = {
		{ OPTION_FAMILY, cfg->family != FAMILY_CHOICE_BOTH && !prints && cfg->command != COMMAND_SHOW,
		  "--dry-run and the command show" },
		{ OPTION_FORMAT, cfg->format != FORMAT_BY_BACKEND && !prints, "--dry-run" },
		{ OPTION_OUTPUT,
		  cfg->output != PRINT_TEXT && !(prints && cfg->command == COMMAND_APPLY) &&
			  !(COMMAND_BIT(cfg->command) & (ON_PRINT & ~ON_APPLY)),
		  "--dry-run and the commands show, diff and explain" },
		{ OPTION_COUNTERS, cfg->counters && cfg->command != COMMAND_SHOW, "the command show" },
		{ OPTION_RULES, is_given(cfg->rules) && !(COMMAND_BIT(cfg->command) & ON_LOOK_ONLY),
		  "the commands diff, explain and show" },
		{ OPTION_LIVE, cfg->live && cfg->command != COMMAND_EXPLAIN, "the command explain" },
	};
	char names[OPTION_NAMES_MAX];

	for (unsigned i = 0; i < ARRAY_SIZE(places); i++)
		if (places[i].misplaced)
			return err_set(err, STATUS_USAGE, EINVAL, "%s goes only with %s",
				       option_source(p, &options[places[i].id], names), places[i].where);
	return 0;
}

static int check_output(struct parse *p, struct err *err)
{
	const struct config *cfg = &p->settings.cfg;
	char one[OPTION_NAMES_MAX], other[OPTION_NAMES_MAX];

	if (cfg->output != PRINT_JSON || cfg->format < FORMAT_MERMAID)
		return 0;
	blame(p, OPTION_OUTPUT, OPTION_FORMAT);
	return err_set(err, STATUS_USAGE, EINVAL, "%s and %s ask for a document and a picture: expected one",
		       option_source(p, &options[OPTION_OUTPUT], one), option_source(p, &options[OPTION_FORMAT], other));
}

/* A file is no network namespace, and holds rules of iptables. */
static int check_rules(struct parse *p, struct err *err)
{
	const struct config *cfg = &p->settings.cfg;
	const struct {
		enum option_id id;
		bool given;
	} others[] = {
		{ OPTION_LIVE, cfg->live },
		{ OPTION_NETWORK_NAMESPACE, is_given(cfg->netns) },
		{ OPTION_BACKEND, cfg->backend == BACKEND_NFTABLES && cfg->command == COMMAND_EXPLAIN },
	};
	char one[OPTION_NAMES_MAX], other[OPTION_NAMES_MAX];

	for (unsigned i = 0; i < ARRAY_SIZE(others) && is_given(cfg->rules); i++) {
		if (!others[i].given)
			continue;
		blame(p, OPTION_RULES, others[i].id);
		return err_set(err, STATUS_USAGE, EINVAL,
			       "%s%s does not go with %s: the file's rules are iptables rules of no network namespace",
			       option_source(p, &options[others[i].id], other),
			       others[i].id == OPTION_BACKEND ? " nftables" : "",
			       option_source(p, &options[OPTION_RULES], one));
	}
	return 0;
}

static int check_marks(struct parse *p, struct err *err)
{
	const struct config *cfg = &p->settings.cfg;
	const struct mark *bypass = &cfg->bypass_mark;
	char names[OPTION_NAMES_MAX];

	if (!cfg->has_bypass_mark || cfg->mode != MODE_TPROXY)
		return 0;
	blame(p, OPTION_BYPASS_MARK, OPTION_MODE);
	if ((cfg->tproxy_mark & bypass->mask) == bypass->value)
		return err_set(err, STATUS_USAGE, EINVAL, "%s matches the TPROXY mark %u: expected a mark of its own",
			       option_source(p, &options[OPTION_BYPASS_MARK], names), cfg->tproxy_mark);
	if ((OUTBOUND_MARK & bypass->mask) == bypass->value)
		return err_set(err, STATUS_USAGE, EINVAL,
			       "%s matches %u, the mark of the proxy's own packets: expected a mark of its own",
			       option_source(p, &options[OPTION_BYPASS_MARK], names), OUTBOUND_MARK);
	return 0;
}

/* The UIDs and GIDs of the proxy where they are not given. */
static void fill_proxy_owners(struct parse *p)
{
	struct config *cfg = &p->settings.cfg;
	const char *user = p->settings.envoy_user;
	uint32_t uid = DEFAULT_PROXY_ID, own_gid;
	char quoted[QUOTE_MAX];

	if (!cfg->proxy_uids.n) {
		/* istio-iptables looks up no group: the GID is the same number */
		if (!owners_find_user(&p->owners, user, &uid, &own_gid) && parse_has(p, OPTION_ENVOY_USER) && *user)
			log_warn("ENVOY_USER: there is no user %s in /etc/passwd: the proxy's UID is taken to be %u",
				 quote(user, quoted), DEFAULT_PROXY_ID);
		*(struct range *)array_push(&cfg->proxy_uids.items, &cfg->proxy_uids.n, sizeof(struct range)) =
			(struct range){ uid, uid };
		*(struct range *)array_push(&p->uid_groups.items, &p->uid_groups.n, sizeof(struct range)) =
			(struct range){ uid, uid };
	}
	if (!cfg->proxy_gids.n) {
		free(cfg->proxy_gids.items);
		cfg->proxy_gids = p->uid_groups;
		cfg->proxy_gids.n = items_unique(cfg->proxy_gids.items, cfg->proxy_gids.n, sizeof(struct range));
		p->uid_groups = (struct range_list){ 0 };
	}
}

static int check_owner_groups(const struct config *cfg, struct err *err)
{
	if (cfg->owner_groups.n > OWNER_GROUPS_MAX)
		return err_set(err, STATUS_USAGE, EINVAL, "%s: %u groups: expected at most %u",
			       options[OPTION_OWNER_GROUPS].variable, cfg->owner_groups.n, OWNER_GROUPS_MAX);
	return 0;
}

static void warn_of_owner_groups(const struct config *cfg)
{
	const char *include = options[OPTION_OWNER_GROUPS].variable;
	const char *exclude = options[OPTION_OWNER_GROUPS_EXCLUDE].variable;

	if (!cfg->owner_groups.all && !cfg->owner_groups.n)
		log_warn("%s is empty: nobody's outbound traffic is captured", include);
	if (!cfg->owner_groups.all && cfg->owner_groups_exclude.n)
		log_warn("%s has no effect: %s names the groups that are captured", exclude, include);
}

/*
 * On iptables each port of each owner is a rule.  A million of them takes 1.3 GB of memory (iptables-nft) and half of
 * the 512 MB that the kernel grants a legacy table (XT_MAX_TABLE_SIZE), and was applied and read back.
 */
#define COMBINATIONS_MAX 1000000

static int check_combinations(struct parse *p, struct err *err)
{
	const struct config *cfg = &p->settings.cfg;
	bool printed = cfg->dry_run && cfg->backend == BACKEND_AUTO && cfg->format != FORMAT_NFT;
	char names[OPTION_NAMES_MAX];
	uint64_t total = 0;

	for (uint32_t i = 0; i < cfg->exclude_ports_for_uids.n; i++) {
		const struct port_owner *po = &cfg->exclude_ports_for_uids.items[i];

		total += (uint64_t)po->ports.n * po->uids.n;
	}
	if (total <= COMBINATIONS_MAX || cfg->backend == BACKEND_NFTABLES || (cfg->backend == BACKEND_AUTO && !printed))
		return 0;
	blame(p, OPTION_EXCLUDE_PORTS_FOR_UIDS, OPTION_BACKEND);
	return err_set(err, STATUS_USAGE, EINVAL,
		       "%s: %" PRIu64 " combinations of a port and a UID, each a rule with iptables: expected at most %u, or "
		       "ranges, or --backend=nftables, where they are sets",
		       option_source(p, &options[OPTION_EXCLUDE_PORTS_FOR_UIDS], names), total, COMBINATIONS_MAX);
}

static int fill_dns_servers(struct parse *p, struct err *err)
{
	struct config *cfg = &p->settings.cfg;
	char names[OPTION_NAMES_MAX], quoted[QUOTE_MAX];
	int rc;

	if (cfg->capture_all_dns && !cfg->redirect_dns) {
		if (makes_rules(cfg))
			log_warn("%s has no effect without --redirect-dns",
				 option_source(p, &options[OPTION_CAPTURE_ALL_DNS], names));
		cfg->capture_all_dns = false;
	}
	if (!cfg->redirect_dns || cfg->capture_all_dns || (!makes_rules(cfg) && !cfg->run_validation))
		return 0;
	rc = resolv_read(cfg->resolv_conf, &cfg->dns_servers, err);
	if (rc)
		return rc;
	if (!cfg->dns_servers.of[IPV4].n && !cfg->dns_servers.of[IPV6].n)
		log_warn("there is no nameserver in %s: DNS is not captured (--capture-all-dns needs none)",
			 quote(cfg->resolv_conf, quoted));
	return 0;
}

/* Two kinds of traffic at one listener. */
static void warn_of_equal_ports(const struct parse *p)
{
	const struct config *cfg = &p->settings.cfg;
	const struct {
		enum option_id id;
		uint16_t port;
	} ports[] = {
		{ OPTION_ENVOY_PORT, cfg->proxy_port },
		{ OPTION_INBOUND_CAPTURE_PORT, cfg->inbound_port },
		{ OPTION_INBOUND_TUNNEL_PORT, cfg->tunnel_port },
		{ OPTION_DNS_PORT, cfg->redirect_dns ? cfg->dns_port : 0 },
	};
	char one[OPTION_NAMES_MAX], other[OPTION_NAMES_MAX];

	for (unsigned i = 0; i < ARRAY_SIZE(ports); i++)
		for (unsigned k = 0; k < i; k++) {
			if (ports[i].port != ports[k].port)
				continue;
			log_warn("%s and %s are both %u: the proxy cannot tell what is for which",
				 option_source(p, &options[ports[k].id], one),
				 option_source(p, &options[ports[i].id], other), ports[i].port);
			return;
		}
}

/* The query of a machine behind the pod is in zone 0, its answer in zone 1: as istio-iptables has it. */
static void warn_of_cut_dns(const struct parse *p)
{
	const struct config *cfg = &p->settings.cfg;
	const struct {
		enum option_id id;
		const struct iface_list *list;
	} lists[] = {
		{ OPTION_KUBE_VIRT_INTERFACES, &cfg->virt_ifaces },
		{ OPTION_EXCLUDE_INTERFACES, &cfg->exclude_ifaces },
	};
	char names[OPTION_NAMES_MAX];

	for (unsigned i = 0; i < ARRAY_SIZE(lists); i++)
		if (lists[i].list->n && cfg->redirect_dns && cfg->dns_zones != OFF)
			log_warn("%s with DNS capture: UDP DNS answers for what is masqueraded behind these interfaces are lost; "
				 "--inner-interfaces captures it, --dns-zones=off lets it pass",
				 option_source(p, &options[lists[i].id], names));
}

static void fill_paths(struct config *cfg)
{
	/* as iptables takes an empty variable */
	if (!*cfg->lock_file)
		cfg->lock_file = options[OPTION_LOCK_FILE].text;
	if (cfg->cni_mode && *cfg->netns)
		cfg->lock_file = cfg->netns;
}

static void warn_without_effect(const struct parse *p)
{
	const struct config *cfg = &p->settings.cfg;
	char names[OPTION_NAMES_MAX];

	for (enum option_id id = 0; id < OPTIONS; id++)
		if (options[id].group == GROUP_OLD && parse_has(p, id))
			log_warn("%s has no effect: it is an option of older releases of istio-iptables",
				 option_names(&options[id], names));
	if (cfg->skip_rule_apply && !cfg->run_validation && !cfg->dry_run && cfg->command == COMMAND_APPLY)
		log_warn("%s without --run-validation: there is nothing to do",
			 option_source(p, &options[OPTION_SKIP_RULE_APPLY], names));
	if (!makes_rules(cfg))
		return;
	warn_of_owner_groups(cfg);
	if (parse_has(p, OPTION_LOCAL_EXCLUDE_PORTS) && cfg->inbound_ports_exclude.n && !cfg->inbound_ports.all)
		log_warn("%s has no effect: it goes only with --istio-inbound-ports '*'",
			 option_source(p, &options[OPTION_LOCAL_EXCLUDE_PORTS], names));
	warn_of_cut_dns(p);
	warn_of_equal_ports(p);
	if (cfg->command == COMMAND_APPLY && !config_captures(cfg))
		log_warn("nothing would be captured: neither inbound ports (-b), outbound CIDRs (-i) or ports (-q) nor "
			 "DNS (--redirect-dns) are asked for; --sidecar gives the injector's defaults");
}

int checks_conflicts(struct parse *p, struct err *err)
{
	int rc = check_backend(p, err);

	if (!rc)
		rc = check_places(p, err);
	if (!rc)
		rc = check_output(p, err);
	if (!rc)
		rc = check_rules(p, err);
	if (!rc)
		rc = check_marks(p, err);
	if (!rc)
		rc = check_owner_groups(&p->settings.cfg, err);
	return rc ? rc : check_combinations(p, err);
}

int checks_run(struct parse *p, struct err *err)
{
	int rc = checks_conflicts(p, err);

	if (!rc)
		rc = fill_dns_servers(p, err);
	if (rc)
		return rc;
	fill_proxy_owners(p);
	fill_paths(&p->settings.cfg);
	warn_without_effect(p);
	return 0;
}
