/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "context.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture.h"
#include "engines.h"
#include "foreign.h"
#include "links.h"
#include "log.h"
#include "marks.h"
#include "merge.h"
#include "ownership.h"
#include "system.h"
#include "util.h"

#define CAP_BIT(cap) (1ull << (cap))

/* How often to look where a rival keeps changing what is there. */
#define LOOK_TRIES 10

static int check_privileges(struct context *ctx, struct err *err)
{
	const struct config *cfg = ctx->cfg;
	int rc;

	if (!(ctx->caps & CAP_BIT(CAP_NET_ADMIN))) {
		rc = err_set(err, STATUS_NOPERM, EPERM,
			     "the capability NET_ADMIN is missing: no backend can look at or change rules without it");
		err_hint(err, "add NET_ADMIN to securityContext.capabilities.add of the init container, or run as root; "
			      "--backend=nftables needs no other capability");
		return rc;
	}
	if (cfg->backend == BACKEND_IPTABLES_LEGACY && !(ctx->caps & CAP_BIT(CAP_NET_RAW))) {
		rc = err_set(err, STATUS_NOPERM, EPERM,
			     "the capability NET_RAW is missing: backend iptables-legacy talks to the kernel over a raw socket");
		err_hint(err, "add NET_RAW to securityContext.capabilities.add, or use --backend=nftables, which needs "
			      "only NET_ADMIN");
		return rc;
	}
	return 0;
}

/* A pod's rules in the host's netns cut the node off from its cluster: what may be the host's is taken for it. */
static int check_not_host(const struct config *cfg, struct err *err)
{
	enum netns_place place = cfg->allow_host_netns ? NETNS_POD : netns_place();
	bool sure = place == NETNS_INITIAL;
	int rc = 0;

	if (place == NETNS_POD)
		return 0;
	if (cfg->as_upstream) {
		rc = netns_has_pod_links(err);
		if (rc < 0)
			return rc;
		if (!rc) {
			log_warn("this %s the machine's initial network namespace: all its traffic will be redirected",
				 sure ? "is" : "may be");
			return 0;
		}
	}
	rc = err_set(err, STATUS_NOPERM, EPERM,
		     sure ? "this is the machine's own network namespace, not a pod's: the rules would cut the node off" :
			    "this may be the machine's own network namespace, where the rules would cut the node off: "
			    "/proc/sys/net/core, which tells, is missing, masked or closed");
	err_hint(err, sure ? "name the pod's namespace with --network-namespace, leave sidecar injection off for pods with "
			     "hostNetwork: true, or say --allow-host-netns if it is meant" :
			     "mount /proc and let it be read, or say --allow-host-netns if this is a pod");
	return rc;
}

/*
 * As istio-iptables decides: Envoy listens on IPv6 only in pods of IPv6 alone, or in a mesh of both families; elsewhere
 * redirected IPv6 would meet a closed port.
 */
static bool auto_wants_ipv6(const struct context *ctx)
{
	const struct routes *routes = ctx->live.routes;

	if (!(routes->global & FAMILY_BIT(IPV6)))
		return !routes->global; /* no address yet */
	if (!(routes->global & FAMILY_BIT(IPV4)) || ctx->cfg->dual_stack)
		return true;
	log_warn("the pod has IPv4 and IPv6 addresses: its IPv6 traffic is left alone; --dual-stack (where the proxy listens "
		 "on IPv6) or --ipv6=on captures it");
	return false;
}

static int find_families(struct context *ctx, struct err *err)
{
	const struct routes *routes = ctx->live.routes;
	int rc;

	ctx->families = FAMILY_BIT(IPV4);
	if (ctx->cfg->ipv6 == OFF || (ctx->cfg->ipv6 == AUTO && !auto_wants_ipv6(ctx)))
		return 0;
	if (routes->has_ipv6) {
		ctx->families = FAMILY_BOTH;
		return 0;
	}
	if (ctx->cfg->ipv6 == ON) {
		rc = err_set(err, STATUS_UNSUPPORTED, EAFNOSUPPORT,
			     "--ipv6=on: IPv6 is off in this network namespace (kernel without IPv6, ipv6.disable=1 or "
			     "sysctl net.ipv6.conf.lo.disable_ipv6=1)");
		err_hint(err, "turn IPv6 on, or use --ipv6=auto or --ipv6=off");
		return rc;
	}
	if (routes->global & FAMILY_BIT(IPV6))
		log_warn("the pod has an IPv6 address, but IPv6 is off on lo (net.ipv6.conf.lo.disable_ipv6=1): "
			 "its IPv6 traffic passes by the proxy");
	else
		log_warn("IPv6 is off in this network namespace: only IPv4 rules are built");
	return 0;
}

/* REDIRECT in PREROUTING sends a packet to an address of the interface that it came in by. */
static void warn_of_links(const struct config *cfg)
{
	for (uint32_t i = 0; i < cfg->inner_ifaces.n; i++) {
		const char *name = cfg->inner_ifaces.items[i].name;

		if (!iface_is_wildcard(&cfg->inner_ifaces.items[i]) && netns_link_is_missing(name))
			log_warn("--inner-interfaces: there is no interface %s yet", name);
		else if (netns_link_lacks_ipv4(name))
			log_warn("--inner-interfaces: %s has no IPv4 address of its own: what is redirected from it is lost",
				 name);
	}
	for (uint32_t i = 0; i < cfg->virt_ifaces.n; i++)
		if (netns_link_lacks_ipv4(cfg->virt_ifaces.items[i].name))
			log_warn("--kube-virt-interfaces: %s has no IPv4 address of its own: what is redirected from it is lost",
				 cfg->virt_ifaces.items[i].name);
}

/* --run-validation acts as the proxy and as an application, and answers as a nameserver at port 53. */
static uint64_t needed_caps(const struct config *cfg)
{
	uint64_t proof = CAP_BIT(CAP_SETUID) | CAP_BIT(CAP_SETGID) | CAP_BIT(CAP_NET_BIND_SERVICE);

	return CAP_BIT(CAP_NET_ADMIN) | CAP_BIT(CAP_NET_RAW) | (cfg->run_validation ? proof : 0);
}

int context_open(struct context *ctx, const struct config *cfg, enum intent intent, struct err *err)
{
	int rc = 0;

	memset(ctx, 0, sizeof(*ctx));
	ctx->cfg = cfg;
	ctx->intent = intent;
	if (*cfg->rules) {
		ctx->families = intent == INTENT_SHOW ? FAMILY_BOTH : 0;
		ctx->caps = UINT64_MAX; /* none is missing */
		return 0;
	}
	if (*cfg->netns)
		rc = netns_enter("--network-namespace", cfg->netns, err);
	if (rc)
		return rc;
	ctx->caps = caps_effective();
	if (intent != INTENT_PROBE)
		rc = check_privileges(ctx, err);
	if (!rc && intent >= INTENT_CHANGE)
		rc = check_not_host(cfg, err);
	if (rc)
		return rc;
	caps_keep(needed_caps(cfg));
	/* What is there may be older than what is on now. */
	if (intent == INTENT_SHOW || intent == INTENT_CLEAN)
		ctx->families = FAMILY_BOTH;
	ctx->live.clean = intent == INTENT_CLEAN;
	/* Whoever translates DNS, too, may do it in a table of his own. */
	ctx->live.chains = cfg->redirect_dns && intent != INTENT_CLEAN;
	ctx->live.table =
		intent == INTENT_CLEAN || intent == INTENT_SHOW || cfg->mode == MODE_TPROXY ? cfg->tproxy_table : 0;
	return 0;
}

static void close_engine(struct context *ctx, enum engine_index i)
{
	engine_at(i)->close(ctx->engines[i]);
	ctx->engines[i] = NULL;
}

static void forget(struct context *ctx)
{
	for (enum engine_index i = 0; i < ENGINES; i++)
		close_engine(ctx, i);
	ruleset_free(ctx->known);
	ctx->known = NULL;
	free(ctx->marks);
	ctx->marks = NULL;
	ctx->n_marks = 0;
	for (unsigned i = 0; i < ctx->live.n_others; i++)
		ruleset_free(ctx->live.others[i].rules);
	free(ctx->live.others);
	saved_rules_free(&ctx->saved);
	ruleset_free(ctx->none);
	ctx->none = NULL;
	ctx->live = (struct live){
		.table = ctx->live.table,
		.clean = ctx->live.clean,
		.chains = ctx->live.chains,
	};
}

void context_close(struct context *ctx)
{
	forget(ctx);
}

/* Whether an engine that cannot be read may be left out; the others then have to do. */
static bool may_leave_out(const struct context *ctx, enum engine_index i, int rc, const struct err *err)
{
	enum backend_id named = ctx->cfg->backend;

	if (rc == -EOPNOTSUPP)
		goto debug;
	/* What cannot be looked at may be what is to go, and needs the routes. */
	if (ctx->intent == INTENT_CLEAN)
		return false;
	/* We have NET_ADMIN: a policy keeps us from nf_tables, and legacy is the way around it. */
	if (i == ENGINE_NF_TABLES && named == BACKEND_IPTABLES_LEGACY && (rc == -EPERM || rc == -EACCES))
		goto debug;
	if (i != ENGINE_X_TABLES || named == BACKEND_IPTABLES_LEGACY)
		return false;
	/* The list of tables is closed to other users' namespaces, where xt matches no owner either. */
	if (rc == -EACCES && !geteuid())
		goto debug;
	/* Nobody can tell what legacy tables there are: another backend that was asked for is the way on. */
	if (rc == -ENOENT && named != BACKEND_AUTO) {
		log_warn("cannot look at iptables-legacy: %s", err->what);
		return true;
	}
	if (rc != -EACCES && ctx->caps & CAP_BIT(CAP_NET_RAW))
		return false;
	log_warn("the rules of iptables-legacy cannot be looked at and stay as they are: %s", err->what);
	return true;
debug:
	log_debug("left out: %s", err->what);
	return true;
}

static int read_engine(struct context *ctx, enum engine_index i, struct err *err)
{
	int rc = -EAGAIN;

	for (unsigned k = 0; k < LOOK_TRIES && rc == -EAGAIN; k++) {
		close_engine(ctx, i);
		rc = engine_at(i)->read(&ctx->engines[i], &ctx->live, err);
	}
	ctx->rcs[i] = rc;
	if (!rc)
		return 0;
	close_engine(ctx, i);
	if (ctx->intent == INTENT_CLEAN && i == ENGINE_X_TABLES && !(ctx->caps & CAP_BIT(CAP_NET_RAW)))
		err_hint(err, "nothing was removed: add NET_RAW to securityContext.capabilities.add, or run it as root");
	ctx->errs[i] = *err;
	/* What can be seen is shown first. */
	return ctx->intent == INTENT_SHOW || may_leave_out(ctx, i, rc, err) ? 0 : rc;
}

static bool has_chains(const struct ruleset *rs)
{
	return rs && !ruleset_is_empty(rs);
}

/* What of the options cannot be told from a user's own rules must be known to those who judge these. */
static void decide_owners(struct context *ctx)
{
	bool iptables = has_chains(ctx->live.rules[IPTABLES_NFT]) || has_chains(ctx->live.rules[IPTABLES_LEGACY]);

	if (iptables && ctx->intent != INTENT_SHOW)
		ctx->known = context_wanted(ctx, IPTABLES_NFT, ctx->families, true);
	for (enum backend_index b = 0; b < BACKENDS; b++) {
		if (!ctx->live.rules[b])
			continue;
		ownership_decide(ctx->live.rules[b], ctx->known);
		foreign_note_ends(ctx->live.rules[b], ctx->cfg);
	}
}

static void find_marks(struct context *ctx)
{
	if (ctx->cfg->mode == MODE_TPROXY)
		*(uint32_t *)array_push(&ctx->marks, &ctx->n_marks, sizeof(*ctx->marks)) = ctx->cfg->tproxy_mark;
	for (enum backend_index b = 0; b < BACKENDS; b++)
		if (ctx->live.rules[b])
			marks_add(ctx->live.rules[b], &ctx->marks, &ctx->n_marks);
}

/*
 * Of a pod's addresses the file says nothing: auto takes the families that Istio's rules in it are of, else those that it
 * has a part of, else both, as a dry run.
 */
static void find_saved_families(struct context *ctx)
{
	unsigned ours = ctx->saved.rules->families, has = ctx->saved.families;
	enum tristate ipv6 = ctx->cfg->ipv6;

	ctx->families = ipv6 == ON  ? FAMILY_BOTH :
			ipv6 == OFF ? FAMILY_BIT(IPV4) :
			ours        ? ours :
			has         ? has :
				      FAMILY_BOTH;
	if (ipv6 == AUTO && ctx->families != FAMILY_BOTH && ctx->cfg->command == COMMAND_DIFF)
		log_info("the file has rules of one family: %s is compared; --ipv6=on is for both",
			 family_title(ctx->families & FAMILY_BIT(IPV6) ? IPV6 : IPV4));
}

static int read_saved(struct context *ctx, struct err *err)
{
	enum backend_index index = IPTABLES_LEGACY;
	int rc = saved_rules_read(&ctx->saved, ctx->cfg->rules, err);

	if (rc)
		return rc;
	if (ctx->cfg->backend == BACKEND_IPTABLES_NFT ||
	    (ctx->cfg->backend == BACKEND_AUTO && ctx->saved.backend == IPTABLES_NFT))
		index = IPTABLES_NFT;
	ctx->live.rules[index] = ctx->saved.rules;
	if (ctx->cfg->backend == BACKEND_NFTABLES)
		ctx->live.rules[NFTABLES] = ctx->none = ruleset_new(LAYOUT_NATIVE, 0);
	ctx->live.has_others = ctx->saved.has_others;
	ctx->live.routes = ctx->saved.routes;
	if (!ctx->families) {
		ownership_decide(ctx->saved.rules, NULL);
		find_saved_families(ctx);
	}
	return 0;
}

int context_read(struct context *ctx, struct err *err)
{
	int rc;

	forget(ctx);
	if (*ctx->cfg->rules) {
		rc = read_saved(ctx, err);
		if (rc)
			return rc;
		decide_owners(ctx);
		find_marks(ctx);
		return 0;
	}
	rc = engine_at(ENGINE_ROUTES)->read(&ctx->engines[ENGINE_ROUTES], &ctx->live, err);
	if (!rc && !ctx->families) {
		rc = find_families(ctx, err);
		if (!rc && ctx->intent == INTENT_CHANGE)
			warn_of_links(ctx->cfg);
	}
	for (enum engine_index i = ENGINE_NF_TABLES; i < ENGINES && !rc && ctx->intent != INTENT_PROBE; i++)
		rc = read_engine(ctx, i, err);
	if (rc)
		return rc;
	decide_owners(ctx);
	find_marks(ctx);
	return 0;
}

bool context_translated_dns(const struct context *ctx, unsigned families, struct translator *found)
{
	const struct live *live = &ctx->live;

	*found = (struct translator){ .backend = 0 };
	for (; found->backend < BACKENDS && !found->rule; found->backend += !found->rule)
		found->rule = foreign_dns_rule(live->rules[found->backend], ctx->cfg, families, true);
	for (unsigned i = 0; i < live->n_others && !found->rule; i++) {
		found->other = &live->others[i];
		found->rule = foreign_dns_rule(found->other->rules, ctx->cfg, families, true);
	}
	return found->rule;
}

struct ruleset *context_wanted(const struct context *ctx, enum backend_index backend, unsigned families, bool zones)
{
	struct translator translator;
	bool translated = ctx->cfg->dns_zones == AUTO && context_translated_dns(ctx, families, &translator);
	struct capture_options options = {
		.layout = backend == NFTABLES ? LAYOUT_NATIVE : LAYOUT_IPTABLES,
		.families = families,
		.zones = zones && !translated,
		.dns_front = foreign_dns_rule(ctx->live.rules[backend], ctx->cfg, families, false),
	};

	return capture_build(ctx->cfg, &options);
}

void context_tell_of_routes(const struct context *ctx, const char *what)
{
	struct routes_want want = context_wanted_routes(ctx);

	if (*ctx->cfg->rules && !ctx->live.routes && (want.tproxy || want.inbound6 || ctx->n_marks))
		log_info("the file says nothing of ip rules, routes and addresses: they are %s", what);
}

struct routes_want context_wanted_routes(const struct context *ctx)
{
	struct routes_want want = capture_routes(ctx->cfg, ctx->families);

	/* What is Istio's is then what would go. */
	if (ctx->intent == INTENT_CLEAN || ctx->intent == INTENT_SHOW) {
		want.nothing = true;
		want.inbound6 = false;
		want.tproxy = 0;
	}
	want.marks = ctx->marks;
	want.n_marks = ctx->n_marks;
	return want;
}
