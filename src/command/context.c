/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "context.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>

#include "capture.h"
#include "log.h"
#include "system.h"

#define CAP_BIT(cap) (1ull << (cap))

static int check_privileges(struct run *run, struct err *err)
{
	const struct config *cfg = run->cfg;
	int rc;

	if (!(run->caps & CAP_BIT(CAP_NET_ADMIN))) {
		rc = err_set(err, STATUS_NOPERM, EPERM,
			     "the capability NET_ADMIN is missing: no backend can look at or change rules without it");
		err_hint(err, "add NET_ADMIN to securityContext.capabilities.add of the init container, or run as root; "
			      "--backend=nftables needs no other capability");
		return rc;
	}
	if (cfg->backend == BACKEND_IPTABLES_LEGACY && !(run->caps & CAP_BIT(CAP_NET_RAW))) {
		rc = err_set(err, STATUS_NOPERM, EPERM,
			     "the capability NET_RAW is missing: backend iptables-legacy talks to the kernel over a raw socket");
		err_hint(err, "add NET_RAW to securityContext.capabilities.add, or use --backend=nftables, which needs "
			      "only NET_ADMIN");
		return rc;
	}
	return 0;
}

/* A pod's rules in the host's netns cut the node off from its cluster. */
static int check_not_host(const struct config *cfg, struct err *err)
{
	int rc;

	if (cfg->allow_host_netns || !netns_is_initial())
		return 0;
	if (cfg->as_upstream) {
		rc = netns_has_pod_links(err);
		if (rc < 0)
			return rc;
		if (!rc) {
			log_warn("this is the machine's initial network namespace: all its traffic will be redirected");
			return 0;
		}
	}
	rc = err_set(err, STATUS_NOPERM, EPERM,
		     "this is the machine's own network namespace, not a pod's: the rules would cut the node off");
	err_hint(err, "name the pod's namespace with --network-namespace, leave sidecar injection off for pods with "
		      "hostNetwork: true, or say --allow-host-netns if it is meant");
	return rc;
}

static int find_families(struct run *run, struct err *err)
{
	struct netns_addrs addrs;
	int rc;

	plumbing_addrs(run->plumbing_state, &addrs);
	run->families = FAMILY_BIT(IPV4);
	if (run->cfg->ipv6 == OFF)
		return 0;
	if (run->cfg->ipv6 == ON && !addrs.has_ipv6) {
		rc = err_set(err, STATUS_UNSUPPORTED, EAFNOSUPPORT,
			     "--ipv6=on: IPv6 is off in this network namespace (kernel without IPv6, ipv6.disable=1 or "
			     "sysctl net.ipv6.conf.lo.disable_ipv6=1)");
		err_hint(err, "turn IPv6 on, or use --ipv6=auto or --ipv6=off");
		return rc;
	}
	if (run->cfg->ipv6 == ON || addrs.global & FAMILY_BIT(IPV6) || !addrs.global) {
		if (addrs.has_ipv6)
			run->families = FAMILY_BOTH;
		else if (addrs.global & FAMILY_BIT(IPV6))
			log_warn("the pod has an IPv6 address, but IPv6 is off on lo (net.ipv6.conf.lo.disable_ipv6=1): "
				 "its IPv6 traffic passes by the proxy");
		else
			log_warn("IPv6 is off in this network namespace: only IPv4 rules are built");
	}
	return 0;
}

/* REDIRECT in PREROUTING sends a packet to an address of the interface that it came in by. */
static void warn_of_links(const struct config *cfg)
{
	for (uint32_t i = 0; i < cfg->virt_ifaces.n; i++)
		if (netns_link_lacks_ipv4(cfg->virt_ifaces.items[i].name))
			log_warn("--kube-virt-interfaces: %s has no IPv4 address of its own: what is redirected from it is lost",
				 cfg->virt_ifaces.items[i].name);
}

static struct plumbing wanted_plumbing(const struct run *run)
{
	const struct config *cfg = run->cfg;
	bool tproxy = cfg->mode == MODE_TPROXY && (cfg->inbound_ports.n || cfg->inbound_ports.all);

	if (run->intent == INTENT_CLEAN)
		return (struct plumbing){ .nothing = true, .mark = cfg->tproxy_mark, .table = cfg->tproxy_table };
	return (struct plumbing){
		.lo_up = true,
		.inbound6 = run->families & FAMILY_BIT(IPV6),
		.tproxy = tproxy ? run->families : 0,
		.mark = cfg->tproxy_mark,
		.table = cfg->tproxy_table,
	};
}

/* The probe of --run-validation may have to become the proxy's user. */
static uint64_t needed_caps(const struct config *cfg)
{
	return CAP_BIT(CAP_NET_ADMIN) | CAP_BIT(CAP_NET_RAW) | (cfg->run_validation ? CAP_BIT(CAP_SETUID) : 0);
}

int run_open(struct run *run, const struct config *cfg, enum intent intent, struct err *err)
{
	int rc = 0;

	memset(run, 0, sizeof(*run));
	run->cfg = cfg;
	run->intent = intent;
	if (*cfg->netns)
		rc = netns_enter(cfg->netns, err);
	if (rc)
		return rc;
	run->caps = caps_effective();
	if (intent != INTENT_PROBE)
		rc = check_privileges(run, err);
	if (!rc && intent >= INTENT_CHANGE)
		rc = check_not_host(cfg, err);
	if (rc)
		return rc;
	caps_keep(needed_caps(cfg));
	/* What is there may be older than what is on now. */
	if (intent == INTENT_SHOW || intent == INTENT_CLEAN)
		run->families = FAMILY_BOTH;
	/* Who writes reads under the lock. */
	return intent < INTENT_CHANGE ? run_refresh(run, err) : 0;
}

int run_refresh(struct run *run, struct err *err)
{
	struct plumbing want;
	int rc;

	plumbing_close(run->plumbing_state);
	rc = plumbing_open(&run->plumbing_state, err);
	if (!rc && !run->families) {
		rc = find_families(run, err);
		if (!rc && run->intent == INTENT_CHANGE)
			warn_of_links(run->cfg);
	}
	if (rc || run->intent <= INTENT_SHOW)
		return rc;
	want = wanted_plumbing(run);
	return plumbing_plan(run->plumbing_state, &want, err);
}

void run_close(struct run *run)
{
	plumbing_close(run->plumbing_state);
}

struct ruleset *run_wanted(const struct run *run, enum layout layout, bool zones)
{
	struct capture_options options = {
		.layout = layout,
		.families = run->families,
		.zones = zones,
	};

	return capture_build(run->cfg, &options);
}

unsigned count_rules(const struct ruleset *rs)
{
	unsigned n = 0;

	for (enum table_id t = 0; t < TABLES; t++)
		for (unsigned c = 0; c < rs->tables[t].n_chains; c++) {
			if (rs->layout == LAYOUT_NATIVE) {
				n += rs->tables[t].chains[c].n_rules;
				continue;
			}
			for (enum family f = 0; f < FAMILIES; f++)
				n += chain_count_rules(&rs->tables[t].chains[c], f);
		}
	return n;
}
