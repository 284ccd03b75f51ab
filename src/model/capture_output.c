/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Outbound capture: nat OUTPUT and what it leads to, DNS included. */
#include "capture_builder.h"

#define DNS_PORT 53

static const struct target leave = { .kind = TARGET_RETURN };

/* Our own exclusions stand before everything that captures. */
static void add_own_exclusions(struct builder *b)
{
	const struct config *cfg = b->cfg;
	const char *chain = builder_chain(b, OUTPUT);

	b->origin = "--exclude-outbound-uids";
	ADD(b, FAMILY_BOTH, TABLE_NAT, chain, leave, match_ranges(MATCH_UID, cfg->exclude_uids.items, cfg->exclude_uids.n));
	b->origin = "--exclude-outbound-gids";
	ADD(b, FAMILY_BOTH, TABLE_NAT, chain, leave, match_ranges(MATCH_GID, cfg->exclude_gids.items, cfg->exclude_gids.n));
	b->origin = "--exclude-outbound-ports-for-uids";
	for (uint32_t i = 0; i < cfg->exclude_ports_for_uids.n; i++) {
		const struct port_owner *po = &cfg->exclude_ports_for_uids.items[i];

		ADD(b, FAMILY_BOTH, TABLE_NAT, chain, leave, match_proto(po->proto),
		    match_ranges(MATCH_DPORT, po->ports.items, po->ports.n),
		    match_ranges(MATCH_UID, po->uids.items, po->uids.n));
	}
	b->origin = "--bypass-mark";
	if (cfg->has_bypass_mark)
		ADD(b, FAMILY_BOTH, TABLE_NAT, chain, leave,
		    (struct match){ .kind = MATCH_MARK, .n = 1, .mark = cfg->bypass_mark });
}

static void add_port_exclusions(struct builder *b)
{
	const struct range_list *ports = &b->cfg->outbound_ports_exclude;
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP };

	b->origin = "--istio-local-outbound-ports-exclude";
	for (uint32_t i = 0, n = slice(b, ports->n); i < ports->n; i += n)
		for (unsigned p = 0; p < ARRAY_SIZE(protos); p++)
			ADD(b, FAMILY_BOTH, TABLE_NAT, builder_chain(b, OUTPUT), leave, match_proto(protos[p]),
			    match_ranges(MATCH_DPORT, ports->items + i, n));
}

static void add_inbound_source(struct builder *b)
{
	b->origin = "the proxy's inbound connection to the application";
	for (enum family f = 0; f < FAMILIES; f++)
		ADD(b, FAMILY_BIT(f), TABLE_NAT, builder_chain(b, OUTPUT), leave,
		    match_prefixes(MATCH_SRC, &builder_inbound_source[f], 1), match_ifaces(MATCH_OIF, &builder_lo, 1));
}

/* The proxy calling its own pod by an address that is not loopback: back in through the inbound side. */
static void add_owner_to_inbound(struct builder *b, enum match_kind kind, const struct range *ids, uint32_t n)
{
	struct match ports = kind == MATCH_UID && b->dns ? match_ports(b, MATCH_DPORT, DNS_PORT, b->cfg->tunnel_port) :
							   match_port(b, MATCH_DPORT, b->cfg->tunnel_port);

	for (enum family f = 0; f < FAMILIES; f++)
		ADD(b, FAMILY_BIT(f), TABLE_NAT, builder_chain(b, OUTPUT), jump_to(b, IN_REDIRECT),
		    match_not(match_prefixes(MATCH_DST, &b->loopback[f], 1)), match_ifaces(MATCH_OIF, &builder_lo, 1),
		    match_tcp(), match_not(ports), match_ranges(kind, ids, n));
}

/* Everybody else's traffic over lo (but DNS, if that is captured): leave; @others: who is not meant. */
static void add_lo_return(struct builder *b, const struct match *others)
{
	struct match matches[4] = { match_ifaces(MATCH_OIF, &builder_lo, 1) };
	unsigned n = 1;

	if (b->dns) {
		matches[n++] = match_tcp();
		matches[n++] = match_not(match_port(b, MATCH_DPORT, DNS_PORT));
	}
	if (others)
		matches[n++] = match_not(*others);
	builder_add(b, FAMILY_BOTH, TABLE_NAT, builder_chain(b, OUTPUT), leave, n, matches);
}

/* Steps 11 and 12 as istio-iptables has them: three rules an owner. */
static void add_owners_iptables(struct builder *b, enum match_kind kind, const struct range_list *ids)
{
	for (uint32_t i = 0; i < ids->n; i++) {
		struct match owner = match_ranges(kind, &ids->items[i], 1);

		add_owner_to_inbound(b, kind, &ids->items[i], 1);
		if (!b->cfg->outbound_cidrs.loopback)
			add_lo_return(b, &owner);
		ADD(b, FAMILY_BOTH, TABLE_NAT, builder_chain(b, OUTPUT), leave, owner);
	}
}

/*
 * Steps 11 and 12 with sets.  For UIDs A and B, and no loopback address among the included CIDRs, iptables has
 *
 *   1  -o lo ! -d lo --uid-owner A   to the inbound side
 *   2  -o lo ! --uid-owner A         RETURN     B's packets over lo end here, and everybody's but A's
 *   3  --uid-owner A                 RETURN     A's end here
 *   4  -o lo ! -d lo --uid-owner B   to the inbound side     nothing is left to come here
 *   5  -o lo ! --uid-owner B         RETURN     nor here
 *   6  --uid-owner B                 RETURN
 *
 * so with sets it is: 1 for A alone; lo is left for good; then skuid { A, B } return.  With a loopback address there
 * are no rules 2 and 5, and 1 is for the whole set.  With DNS capture TCP port 53 passes rule 2, on to the GIDs.  An
 * unconditional return also serves packets without a socket, which "skuid !=" would not match.
 */
static void add_owners_native(struct builder *b)
{
	const struct range_list *uids = &b->cfg->proxy_uids, *gids = &b->cfg->proxy_gids;
	bool loopback = b->cfg->outbound_cidrs.loopback;

	b->origin = "--proxy-uid";
	add_owner_to_inbound(b, MATCH_UID, uids->items, loopback ? uids->n : 1);
	if (!loopback)
		add_lo_return(b, NULL);
	ADD(b, FAMILY_BOTH, TABLE_NAT, builder_chain(b, OUTPUT), leave, match_ranges(MATCH_UID, uids->items, uids->n));
	b->origin = "--proxy-gid";
	if (loopback || b->dns)
		add_owner_to_inbound(b, MATCH_GID, gids->items, gids->n);
	ADD(b, FAMILY_BOTH, TABLE_NAT, builder_chain(b, OUTPUT), leave, match_ranges(MATCH_GID, gids->items, gids->n));
}

/* Steps 11 and 12. */
static void add_owners(struct builder *b)
{
	if (b->options.layout == LAYOUT_NATIVE) {
		add_owners_native(b);
		return;
	}
	b->origin = "--proxy-uid";
	add_owners_iptables(b, MATCH_UID, &b->cfg->proxy_uids);
	b->origin = "--proxy-gid";
	add_owners_iptables(b, MATCH_GID, &b->cfg->proxy_gids);
}

/*
 * An inverted owner match of iptables also matches a packet without a
 * socket, nft's does not: the native layout asks for the included groups where
 * something is captured (add_capture) instead of returning the others here.
 */
static void add_owner_groups(struct builder *b)
{
	const struct range_list *groups = &b->cfg->owner_groups, *exclude = &b->cfg->owner_groups_exclude;
	const char *chain = builder_chain(b, OUTPUT);

	b->origin = "ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE";
	if (groups->all) {
		ADD(b, FAMILY_BOTH, TABLE_NAT, chain, leave, match_ranges(MATCH_GID, exclude->items, exclude->n));
		return;
	}
	b->origin = "ISTIO_OUTBOUND_OWNER_GROUPS";
	if (!groups->n)
		ADD_ALL(b, TABLE_NAT, chain, leave);
	else if (b->options.layout == LAYOUT_IPTABLES)
		ADD(b, FAMILY_BOTH, TABLE_NAT, chain, leave, match_not(match_ranges(MATCH_GID, groups->items, groups->n)));
}

/* A rule of ISTIO_OUTPUT that leads to capture: @n matches at @matches. */
static void add_capture(struct builder *b, unsigned families, enum own_chain to, unsigned n, const struct match *matches)
{
	const struct range_list *groups = &b->cfg->owner_groups;
	struct match with_groups[4];

	for (unsigned i = 0; i < n; i++)
		with_groups[i] = matches[i];
	if (b->options.layout == LAYOUT_NATIVE && !groups->all && groups->n)
		with_groups[n++] = match_ranges(MATCH_GID, groups->items, groups->n);
	builder_add(b, families, TABLE_NAT, builder_chain(b, OUTPUT), jump_to(b, to), n, with_groups);
}
#define ADD_CAPTURE(b, families, to, ...) \
	add_capture(b, families, to, ARRAY_SIZE(((struct match[]){ __VA_ARGS__ })), (struct match[]){ __VA_ARGS__ })

unsigned builder_dns_families(const struct builder *b)
{
	unsigned families = 0;

	for (enum family f = 0; f < FAMILIES; f++)
		if (b->cfg->capture_all_dns || b->cfg->dns_servers.of[f].n)
			families |= FAMILY_BIT(f);
	return families;
}

/*
 * A rule for DNS packets: to (@kind DST) or from (SRC) each server, or of any, with capture-all; of @from, unless it is
 * NULL, alone.
 */
static void add_dns_rule(struct builder *b, enum table_id table, enum own_chain chain, struct target target,
			 enum match_kind kind, uint8_t proto, const struct match *from)
{
	struct match matches[5] = { match_proto(proto),
				    match_port(b, kind == MATCH_SRC ? MATCH_SPORT : MATCH_DPORT, DNS_PORT) };
	unsigned n = 2;

	if (proto == IPPROTO_TCP)
		matches[n++] = match_start(b);
	if (from)
		matches[n++] = *from;
	if (b->cfg->capture_all_dns) {
		builder_add(b, FAMILY_BOTH, table, builder_chain(b, chain), target, n, matches);
		return;
	}
	for (enum family f = 0; f < FAMILIES; f++) {
		const struct prefix_list *servers = &b->cfg->dns_servers.of[f];

		matches[n] = match_prefixes(kind, servers->items, servers->n);
		builder_add(b, FAMILY_BIT(f), table, builder_chain(b, chain), target, n + 1, matches);
	}
}

static struct target zone(uint16_t id)
{
	return (struct target){ .kind = TARGET_CT_ZONE, .zone = id };
}

/*
 * Where the agent is dead, the kernel answers its queries by ICMP, which is about zone 2.  In zone 0 it finds no
 * connection, keeps the agent's address, and never gets to who asked.  Whatever else ICMP over lo is about is looked up
 * once more, in zone 0, as it comes in.
 */
static void add_refusal_zone(struct builder *b)
{
	static const uint8_t protos[FAMILIES] = { [IPV4] = IPPROTO_ICMP, [IPV6] = IPPROTO_ICMPV6 };

	for (enum family f = 0; f < FAMILIES && b->options.layout == LAYOUT_NATIVE; f++)
		if (b->rs->families & builder_dns_families(b) & FAMILY_BIT(f))
			ADD(b, FAMILY_BOTH, TABLE_RAW, builder_chain(b, OUTPUT_DNS), zone(2),
			    match_ifaces(MATCH_OIF, &builder_lo, 1), match_proto(protos[f]));
}

/*
 * Who is excluded asks the server itself, as the agent does: its answers come in in zone 1, where the connection has to
 * be found.
 */
static void add_excluded_zones(struct builder *b)
{
	const struct config *cfg = b->cfg;
	const char *chain = builder_chain(b, OUTPUT_DNS);
	struct match udp = match_proto(IPPROTO_UDP), dns = match_port(b, MATCH_DPORT, DNS_PORT);

	b->origin = "--exclude-outbound-uids";
	ADD(b, FAMILY_BOTH, TABLE_RAW, chain, zone(1), udp, dns,
	    match_ranges(MATCH_UID, cfg->exclude_uids.items, cfg->exclude_uids.n));
	b->origin = "--exclude-outbound-gids";
	ADD(b, FAMILY_BOTH, TABLE_RAW, chain, zone(1), udp, dns,
	    match_ranges(MATCH_GID, cfg->exclude_gids.items, cfg->exclude_gids.n));
	b->origin = "--exclude-outbound-ports-for-uids";
	for (uint32_t i = 0; i < cfg->exclude_ports_for_uids.n; i++) {
		const struct port_owner *po = &cfg->exclude_ports_for_uids.items[i];
		bool is_dns = false;

		for (uint32_t k = 0; k < po->ports.n && po->proto == IPPROTO_UDP; k++)
			is_dns |= po->ports.items[k].lo <= DNS_PORT && DNS_PORT <= po->ports.items[k].hi;
		if (is_dns)
			ADD(b, FAMILY_BOTH, TABLE_RAW, chain, zone(1), udp, dns,
			    match_ranges(MATCH_UID, po->uids.items, po->uids.n));
	}
	b->origin = "--bypass-mark";
	if (cfg->has_bypass_mark)
		ADD(b, FAMILY_BOTH, TABLE_RAW, chain, zone(1), udp, dns,
		    (struct match){ .kind = MATCH_MARK, .n = 1, .mark = cfg->bypass_mark });
}

/*
 * The agent and an application may use one source port for the same server: zone
 * 1 is the agent's traffic with the servers, zone 2 the applications' with the agent.
 */
static void add_dns_zones(struct builder *b)
{
	const struct range_list *owners[] = { &b->cfg->proxy_uids, &b->cfg->proxy_gids };
	static const enum match_kind kinds[] = { MATCH_UID, MATCH_GID };
	const char *chain = builder_chain(b, OUTPUT_DNS);
	struct match inner = match_ifaces(MATCH_IIF, b->cfg->inner_ifaces.items, b->cfg->inner_ifaces.n);

	b->origin = "--redirect-dns";
	ADD_ALL(b, TABLE_RAW, "OUTPUT", jump_to(b, OUTPUT_DNS));
	add_excluded_zones(b);
	b->origin = "--redirect-dns";
	for (unsigned o = 0; o < ARRAY_SIZE(owners); o++)
		for (uint32_t i = 0, n = slice(b, owners[o]->n); i < owners[o]->n; i += n) {
			struct match owner = match_ranges(kinds[o], owners[o]->items + i, n);

			ADD(b, FAMILY_BOTH, TABLE_RAW, chain, zone(1), match_proto(IPPROTO_UDP),
			    match_port(b, MATCH_DPORT, DNS_PORT), owner);
			ADD(b, FAMILY_BOTH, TABLE_RAW, chain, zone(2), match_proto(IPPROTO_UDP),
			    match_port(b, MATCH_SPORT, b->cfg->dns_port), owner);
		}
	builder_add(b, builder_dns_families(b), TABLE_RAW, "PREROUTING", jump_to(b, INBOUND), 0, NULL);
	add_dns_rule(b, TABLE_RAW, OUTPUT_DNS, zone(2), MATCH_DST, IPPROTO_UDP, NULL);
	add_dns_rule(b, TABLE_RAW, INBOUND, zone(1), MATCH_SRC, IPPROTO_UDP, NULL);
	b->origin = "--inner-interfaces";
	add_dns_rule(b, TABLE_RAW, INBOUND, zone(2), MATCH_DST, IPPROTO_UDP, &inner);
	b->origin = "--redirect-dns";
	add_refusal_zone(b);
}

static void add_dns(struct builder *b)
{
	struct target agent = target_redirect(b->cfg->dns_port);

	if (!b->dns)
		return;
	b->origin = "--redirect-dns";
	add_capture(b, builder_dns_families(b), OUTPUT_DNS, 0, NULL);
	add_dns_rule(b, TABLE_NAT, OUTPUT_DNS, agent, MATCH_DST, IPPROTO_TCP, NULL);
	add_dns_rule(b, TABLE_NAT, OUTPUT_DNS, agent, MATCH_DST, IPPROTO_UDP, NULL);
	if (b->options.zones && b->cfg->dns_zones != OFF)
		add_dns_zones(b);
}

/* Steps 15 and 16. */
static void add_destinations(struct builder *b)
{
	const struct config *cfg = b->cfg;
	const struct cidr_list *include = &cfg->outbound_cidrs, *exclude = &cfg->outbound_cidrs_exclude;
	const char *chain = builder_chain(b, OUTPUT);

	for (enum family f = 0; f < FAMILIES; f++) {
		b->origin = "loopback traffic is never captured";
		ADD(b, FAMILY_BIT(f), TABLE_NAT, chain, leave, match_prefixes(MATCH_DST, &b->loopback[f], 1));
		b->origin = "--istio-service-exclude-cidr";
		ADD(b, FAMILY_BIT(f), TABLE_NAT, chain, leave,
		    match_prefixes(MATCH_DST, exclude->of[f].items, exclude->of[f].n));
	}
	b->origin = "--istio-outbound-ports";
	ADD_CAPTURE(b, FAMILY_BOTH, REDIRECT, match_tcp(),
		    match_ranges(MATCH_DPORT, cfg->outbound_ports.items, cfg->outbound_ports.n));
	b->origin = "--istio-service-cidr";
	if (include->all)
		add_capture(b, FAMILY_BOTH, REDIRECT, 0, NULL);
	for (enum family f = 0; f < FAMILIES; f++)
		ADD_CAPTURE(b, FAMILY_BIT(f), REDIRECT, match_prefixes(MATCH_DST, include->of[f].items, include->of[f].n));
}

void builder_add_output(struct builder *b)
{
	b->origin = "outbound traffic";
	ADD_ALL(b, TABLE_NAT, "OUTPUT", jump_to(b, OUTPUT));
	add_own_exclusions(b);
	add_port_exclusions(b);
	add_inbound_source(b);
	add_owners(b);
	add_owner_groups(b);
	add_dns(b);
	add_destinations(b);
	builder_add_virt_redirects(b);
}
