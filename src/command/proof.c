/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proof.h"

#include <errno.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "capture.h"
#include "explain.h"
#include "links.h"
#include "log.h"
#include "util.h"

#define DNS_PORT 53
#define CLIENT_PORT 40000
/* Somebody who is neither the proxy nor root. */
#define NOBODY 65534
#define APPLICATION 1000

#define REASON_MAX 256

int proof_init(struct validation *v, const struct context *ctx, struct err *err)
{
	const struct config *cfg = ctx->cfg;

	*v = (struct validation){
		.proxy_port = cfg->proxy_port,
		.inbound_port = cfg->inbound_port,
		.probe_port = cfg->probe_port,
		.proxy = { cfg->proxy_uids.items[0].lo, getegid() },
		.timeout_ms = cfg->probe_timeout_ms,
	};
	return validate_may(v, ctx->caps & 1ull << CAP_SETUID, err);
}

/* From 127.0.0.1 or ::1 to 127.0.0.@last or ::@last. */
static struct packet loopback_packet(enum family family, uint8_t last, uint8_t proto, uint16_t dport,
				     const struct owner *owner)
{
	struct packet p = {
		.hook = HOOK_OUTPUT,
		.family = family,
		.proto = proto,
		.sport = CLIENT_PORT,
		.dport = dport,
		.has_owner = true,
		.uid = owner->uid,
		.gid = owner->gid,
		.oif = { "lo" },
		.ctstate = CTSTATE_NEW,
		.tcp_flags = TCP_SYN,
	};
	unsigned end = family_addr_len(family) - 1;

	p.src[0] = p.dst[0] = family == IPV4 ? 127 : 0;
	p.src[end] = 1;
	p.dst[end] = last;
	return p;
}

/* The options but for which the packet would be captured, those apart that make the proxy the proxy; "": none. */
static void name_reasons(const struct explanation *e, char text[REASON_MAX])
{
	size_t len = 0;

	*text = '\0';
	for (unsigned i = 0; i < e->n_reasons && len < REASON_MAX; i++) {
		const char *origin = e->reasons[i].rule.origin;

		if (!origin || (strncmp(origin, "--", 2) && strncmp(origin, "ISTIO_", 6)) || strstr(text, origin) ||
		    !strcmp(origin, "--proxy-uid") || !strcmp(origin, "--proxy-gid"))
			continue;
		len += (size_t)snprintf(text + len, REASON_MAX - len, "%s%s", len ? ", " : "", origin);
	}
}

static int fail_excluded(const char *reasons, const char *what, struct err *err)
{
	int rc = err_set(err, STATUS_USAGE, EINVAL,
			 "%s: nothing captures %s, with which --run-validation proves the rules", reasons, what);

	err_hint(err, "expected values that capture it, or a run without --run-validation; nothing was changed");
	return rc;
}

static int fail_probe(const struct config *cfg, const struct explanation *e, const struct packet *p, struct err *err)
{
	static const struct prefix probed = { .family = IPV4, .len = 32, .addr = { 127, 0, 0, 6 } };
	char reasons[REASON_MAX], what[96];

	name_reasons(e, reasons);
	if (!*reasons && p->family == IPV4 && prefix_contains(&cfg->loopback4, &probed))
		strcpy(reasons, "ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR");
	/* What is left of the packet is its port. */
	if (!*reasons)
		strcpy(reasons, "--iptables-probe-port");
	snprintf(what, sizeof(what), "the connection of UID %u to %s port %u over lo", p->uid,
		 p->family == IPV4 ? "127.0.0.6" : "::6", p->dport);
	return fail_excluded(reasons, what, err);
}

/*
 * Only nat sends it to a listener of ours: what nat lets go, TPROXY's mangle may still take, and gives it to transparent
 * sockets alone.  So it is walked through the rules as they are in REDIRECT mode.
 */
static int check_probe(const struct validation *v, const struct config *cfg, const struct ruleset *rules,
		       enum family family, struct err *err)
{
	struct packet packet = loopback_packet(family, 6, IPPROTO_TCP, v->probe_port, &v->proxy);
	struct config redirect = *cfg;
	struct ruleset *nat;
	struct explanation e;
	int rc;

	redirect.mode = MODE_REDIRECT;
	if (cfg->mode == MODE_TPROXY)
		packet.mark = OUTBOUND_MARK;
	nat = capture_build(&redirect, &(struct capture_options){ .layout = rules->layout, .families = rules->families });
	rc = explain_packet(&e, nat, &packet, err);
	if (!rc && (e.fate != FATE_REDIRECTED || (e.port != v->inbound_port && e.port != v->proxy_port)))
		rc = fail_probe(cfg, &e, &packet, err);
	explanation_free(&e);
	ruleset_free(nat);
	return rc;
}

/* A query of @owner as the rules meet it; false: no way leads to a server. */
static bool make_query(struct packet *packet, const struct validation *v, enum family family, const struct owner *owner)
{
	const struct prefix_list *servers = v->servers[family];
	struct netns_route route;

	*packet = loopback_packet(family, 1, IPPROTO_UDP, DNS_PORT, owner);
	if (!servers)
		return true;
	for (uint32_t i = 0; i < servers->n; i++) {
		memcpy(packet->dst, servers->items[i].addr, sizeof(packet->dst));
		if (!netns_find_route(&route, family, packet->dst, 0))
			continue;
		memcpy(packet->oif.name, route.oif, sizeof(route.oif));
		memcpy(packet->src, route.src, route.has_src ? sizeof(packet->src) : 0);
		return true;
	}
	return false;
}

/* Whether queries of @owner go to the agent, in all families that have a server; else why not. */
static bool asks_agent(const struct validation *v, const struct ruleset *rules, const struct owner *owner,
		       char why[REASON_MAX])
{
	struct packet packet;
	struct explanation e;
	struct err err;
	bool asks = true;

	for (enum family f = 0; f < FAMILIES && asks; f++) {
		if (!(v->families & FAMILY_BIT(f)) || !make_query(&packet, v, f, owner))
			continue;
		asks = !explain_packet(&e, rules, &packet, &err) && e.fate == FATE_REDIRECTED && e.port == v->dns_port;
		name_reasons(&e, why);
		explanation_free(&e);
	}
	return asks;
}

/*
 * Somebody other than the proxy whose queries are captured.  Not to be had by who may not change his user, nor, where
 * it takes a group, his group: then one half of the proof is left.
 */
static int find_app(struct validation *v, const struct context *ctx, const struct ruleset *rules, struct err *err)
{
	const struct range_list *groups = &ctx->cfg->owner_groups;
	const uint32_t uids[] = { geteuid(), NOBODY, APPLICATION };
	const uint32_t gids[] = { getegid(), groups->n ? groups->items[0].lo : NOBODY, APPLICATION };
	bool setuid = ctx->caps & 1ull << CAP_SETUID, setgid = ctx->caps & 1ull << CAP_SETGID;
	char why[REASON_MAX] = "", first[REASON_MAX] = "";

	for (unsigned g = 0; g < (setgid ? ARRAY_SIZE(gids) : 1); g++)
		for (unsigned u = 0; u < (setuid ? ARRAY_SIZE(uids) : 1); u++) {
			struct owner owner = { uids[u], gids[g] };

			if (asks_agent(v, rules, &owner, why)) {
				v->app = owner;
				v->has_app = true;
				return 0;
			}
			if (!*first)
				memcpy(first, why, sizeof(first));
		}
	if (*first)
		return fail_excluded(first, "a DNS query of an application", err);
	log_warn("that the DNS queries of applications are captured is not proved: that takes to act as one of them (the "
		 "capabilities SETUID and SETGID)");
	return 0;
}

int proof_plan(struct validation *v, const struct context *ctx, const struct ruleset *rules, struct err *err)
{
	const struct config *cfg = ctx->cfg;
	int rc = 0;

	v->families = ctx->families;
	for (enum family f = 0; f < FAMILIES && !rc; f++)
		if (v->families & FAMILY_BIT(f))
			rc = check_probe(v, cfg, rules, f, err);
	if (rc || !cfg->redirect_dns ||
	    (!cfg->capture_all_dns && !cfg->dns_servers.of[IPV4].n && !cfg->dns_servers.of[IPV6].n))
		return rc;
	v->dns_port = cfg->dns_port;
	for (enum family f = 0; f < FAMILIES; f++)
		v->servers[f] = cfg->capture_all_dns ? NULL : &cfg->dns_servers.of[f];
	return find_app(v, ctx, rules, err);
}
