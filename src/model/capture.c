/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order of the rules is istio-iptables' order: deployed meshes rely on it.
 *
 * The native layout holds a list as one set.  Where the iptables layout
 * interleaves the rules of several items, slices do it: of one item there, of
 * all items in the native layout; this is right only as long as no item's
 * rule changes what becomes of another item's packets.
 */
#include "capture.h"

#include "capture_builder.h"
#include "merge.h"
#include "tree.h"

static const char *const chain_names[][OWN_CHAINS] = {
	[LAYOUT_IPTABLES] = {
		[INBOUND] = "ISTIO_INBOUND", [REDIRECT] = "ISTIO_REDIRECT", [IN_REDIRECT] = "ISTIO_IN_REDIRECT",
		[OUTPUT] = "ISTIO_OUTPUT", [OUTPUT_DNS] = "ISTIO_OUTPUT_DNS", [DROP] = "ISTIO_DROP",
		[DIVERT] = "ISTIO_DIVERT", [TPROXY] = "ISTIO_TPROXY",
	},
	[LAYOUT_NATIVE] = {
		[INBOUND] = "istio-inbound", [REDIRECT] = "istio-redirect", [IN_REDIRECT] = "istio-in-redirect",
		[OUTPUT] = "istio-output", [OUTPUT_DNS] = "istio-output-dns", [DROP] = "istio-drop",
		[DIVERT] = "istio-divert", [TPROXY] = "istio-tproxy",
	},
};

const struct iface builder_lo = { "lo" };

/* The proxy's inbound side connects to the application from these. */
const struct prefix builder_inbound_source[FAMILIES] = {
	{ .family = IPV4, .len = 32, .addr = { 127, 0, 0, 6 } },
	{ .family = IPV6, .len = 128, .addr = { [15] = 6 } },
};

const char *builder_chain(const struct builder *b, enum own_chain chain)
{
	return chain_names[b->options.layout][chain];
}

struct match match_ports(struct builder *b, enum match_kind kind, uint16_t first, uint16_t second)
{
	struct range *ports = ruleset_alloc(b->rs, 2 * sizeof(*ports));

	ports[0] = (struct range){ first, first };
	ports[1] = (struct range){ second, second };
	return match_ranges(kind, ports, second ? 2 : 1);
}

/* Whether the match is a list that nothing can be in. */
static bool match_is_empty(const struct match *m)
{
	return !m->n && !m->invert;
}

static bool make_rule(struct builder *b, struct rule *rule, unsigned families, struct target target, unsigned n,
		      const struct match *matches)
{
	unsigned known = b->rs->families;

	for (unsigned i = 0; i < n; i++)
		if (match_is_empty(&matches[i]))
			return false;
	/* A native rule for both families stays one; the base chains let the other family go. */
	if (b->options.layout == LAYOUT_NATIVE && families == FAMILY_BOTH)
		known = FAMILY_BOTH;
	*rule = (struct rule){
		.families = (uint8_t)(families & known),
		.n_matches = (uint8_t)n,
		.matches = (struct match *)matches,
		.target = target,
		.origin = b->origin,
		.comment = b->cfg->comments ? b->origin : NULL,
	};
	return rule->families != 0;
}

void builder_add(struct builder *b, unsigned families, enum table_id table, const char *chain, struct target target,
		 unsigned n, const struct match *matches)
{
	struct rule rule;

	if (make_rule(b, &rule, families, target, n, matches))
		ruleset_append(b->rs, table, chain, &rule);
}

/* In front of all that is in the built-in chain, foreign rules included. */
static void builder_add_top(struct builder *b, unsigned families, enum table_id table, const char *chain,
			    struct target target, unsigned n, const struct match *matches)
{
	struct rule rule;

	if (make_rule(b, &rule, families, target, n, matches)) {
		rule.top = true;
		ruleset_prepend(b->rs, table, chain, &rule);
	}
}
#define ADD_TOP(b, families, table, chain, target, ...) \
	builder_add_top(b, families, table, chain, target, ARRAY_SIZE(((struct match[]){ __VA_ARGS__ })), \
			(struct match[]){ __VA_ARGS__ })

/* Rules inserted at the top one after the other end up in the reverse order. */
static const struct iface *reversed_ifaces(struct builder *b, const struct iface_list *list)
{
	struct iface *items = ruleset_alloc(b->rs, list->n * sizeof(*items));

	for (uint32_t i = 0; i < list->n; i++)
		items[i] = list->items[list->n - 1 - i];
	return items;
}

static const struct prefix *reversed_prefixes(struct builder *b, const struct prefix_list *list)
{
	struct prefix *items = ruleset_alloc(b->rs, list->n * sizeof(*items));

	for (uint32_t i = 0; i < list->n; i++)
		items[i] = list->items[list->n - 1 - i];
	return items;
}

/* Steps 1 and 2. */
static void add_interfaces(struct builder *b)
{
	const struct iface_list *exclude = &b->cfg->exclude_ifaces, *virt = &b->cfg->virt_ifaces;
	struct target leave = { .kind = TARGET_RETURN };

	b->origin = "--istio-exclude-interfaces";
	for (enum table_id table = 0; table < TABLES; table++) {
		if (table != TABLE_NAT && !(table == TABLE_MANGLE && b->cfg->mode == MODE_TPROXY))
			continue;
		ADD(b, FAMILY_BOTH, table, "PREROUTING", leave, match_ifaces(MATCH_IIF, exclude->items, exclude->n));
		ADD(b, FAMILY_BOTH, table, "OUTPUT", leave, match_ifaces(MATCH_OIF, exclude->items, exclude->n));
	}
	b->origin = "--kube-virt-interfaces";
	ADD_TOP(b, FAMILY_BOTH, TABLE_NAT, "PREROUTING", leave, match_ifaces(MATCH_IIF, reversed_ifaces(b, virt), virt->n));
}

static void add_drop_invalid(struct builder *b)
{
	if (!b->cfg->drop_invalid)
		return;
	b->origin = "--drop-invalid";
	ADD(b, FAMILY_BOTH, TABLE_MANGLE, "PREROUTING", jump_to(b, DROP), match_ctstate(CTSTATE_INVALID));
	ADD_ALL(b, TABLE_MANGLE, builder_chain(b, DROP), target_plain(TARGET_DROP));
}

static void add_inbound_exclusions(struct builder *b, enum table_id table)
{
	const struct cidr_list *list = &b->cfg->exclude_inbound_cidrs;

	/* In our own chain, where it cannot be taken for a user's own rule, as that of -k can. */
	b->origin = "--inner-interfaces";
	ADD(b, FAMILY_BOTH, table, builder_chain(b, INBOUND), target_plain(TARGET_RETURN),
	    match_ifaces(MATCH_IIF, b->cfg->inner_ifaces.items, b->cfg->inner_ifaces.n));
	b->origin = "--exclude-inbound-cidrs";
	for (enum family f = 0; f < FAMILIES; f++)
		ADD(b, FAMILY_BIT(f), table, builder_chain(b, INBOUND), target_plain(TARGET_RETURN),
		    match_prefixes(MATCH_SRC, list->of[f].items, list->of[f].n));
}

/* Steps 4 to 6. */
static void add_redirect_chains(struct builder *b)
{
	if (b->cfg->mode == MODE_REDIRECT)
		add_inbound_exclusions(b, TABLE_NAT);
	b->origin = "--inbound-tunnel-port";
	ADD(b, FAMILY_BOTH, TABLE_NAT, builder_chain(b, INBOUND), target_plain(TARGET_RETURN), match_tcp(),
	    match_port(b, MATCH_DPORT, b->cfg->tunnel_port));
	b->origin = "--envoy-port";
	ADD(b, FAMILY_BOTH, TABLE_NAT, builder_chain(b, REDIRECT), target_redirect(b->cfg->proxy_port), match_tcp(),
	    match_start(b));
	b->origin = "--inbound-capture-port";
	ADD(b, FAMILY_BOTH, TABLE_NAT, builder_chain(b, IN_REDIRECT), target_redirect(b->cfg->inbound_port),
	    match_tcp(), match_start(b));
}

/* The three rules of TPROXY that stand in front of mangle ISTIO_INBOUND. */
static void add_tproxy_front(struct builder *b)
{
	struct target leave = { .kind = TARGET_RETURN };
	const char *chain = builder_chain(b, INBOUND);

	b->origin = "--istio-inbound-tproxy-mark: already on its way to the proxy";
	ADD(b, FAMILY_BOTH, TABLE_MANGLE, chain, leave, match_tcp(), match_mark(MATCH_MARK, b->cfg->tproxy_mark));
	b->origin = "the proxy's inbound connection to the application";
	for (enum family f = 0; f < FAMILIES; f++)
		ADD(b, FAMILY_BIT(f), TABLE_MANGLE, chain, leave, match_prefixes(MATCH_SRC, &builder_inbound_source[f], 1),
		    match_ifaces(MATCH_IIF, &builder_lo, 1), match_tcp());
	b->origin = "the application's own connection over lo";
	ADD(b, FAMILY_BOTH, TABLE_MANGLE, chain, leave, match_ifaces(MATCH_IIF, &builder_lo, 1), match_tcp(),
	    match_not(match_mark(MATCH_MARK, OUTBOUND_MARK)));
	add_inbound_exclusions(b, TABLE_MANGLE);
}

static void add_tproxy_chains(struct builder *b)
{
	struct target proxy = target_mark(b->cfg->tproxy_mark);

	proxy.kind = TARGET_TPROXY;
	proxy.port = b->cfg->inbound_port;
	b->origin = "--istio-inbound-tproxy-mark";
	ADD_ALL(b, TABLE_MANGLE, builder_chain(b, DIVERT), target_mark(b->cfg->tproxy_mark));
	ADD_ALL(b, TABLE_MANGLE, builder_chain(b, DIVERT), target_plain(TARGET_ACCEPT));
	b->origin = "--inbound-capture-port";
	for (enum family f = 0; f < FAMILIES; f++) {
		struct match remote = match_not(match_prefixes(MATCH_DST, &b->loopback[f], 1));

		ADD(b, FAMILY_BIT(f), TABLE_MANGLE, builder_chain(b, TPROXY), proxy, remote, match_tcp(), match_start(b));
		/* nft's tproxy lets go where xt's drops: when no proxy listens. */
		if (b->options.layout == LAYOUT_NATIVE)
			ADD(b, FAMILY_BIT(f), TABLE_MANGLE, builder_chain(b, TPROXY), target_plain(TARGET_DROP), remote,
			    match_tcp(), match_start(b));
	}
}

/* The rules that capture what is left, or the ports of one slice. */
static void add_inbound_capture(struct builder *b, const struct match *ports)
{
	bool tproxy = b->cfg->mode == MODE_TPROXY;
	struct match matches[] = { match_tcp(), match_ctstate(CTSTATE_RELATED | CTSTATE_ESTABLISHED), {} };
	struct match plain[] = { match_tcp(), {} };
	unsigned n = ports ? 1 : 0;

	if (ports)
		matches[2] = plain[1] = *ports;
	if (tproxy)
		builder_add(b, FAMILY_BOTH, TABLE_MANGLE, builder_chain(b, INBOUND), jump_to(b, DIVERT), 2 + n, matches);
	builder_add(b, FAMILY_BOTH, tproxy ? TABLE_MANGLE : TABLE_NAT, builder_chain(b, INBOUND),
		    jump_to(b, tproxy ? TPROXY : IN_REDIRECT), 1 + n, plain);
}

static void add_inbound(struct builder *b)
{
	const struct range_list *ports = &b->cfg->inbound_ports, *exclude = &b->cfg->inbound_ports_exclude;
	enum table_id table = b->cfg->mode == MODE_TPROXY ? TABLE_MANGLE : TABLE_NAT;

	if (b->cfg->mode == MODE_TPROXY)
		add_tproxy_front(b);
	if (!ports->n && !ports->all)
		return;
	if (b->cfg->mode == MODE_TPROXY)
		add_tproxy_chains(b);
	b->origin = "--istio-inbound-ports";
	ADD(b, FAMILY_BOTH, table, "PREROUTING", jump_to(b, INBOUND), match_tcp());
	if (ports->all) {
		b->origin = "--istio-local-exclude-ports";
		ADD(b, FAMILY_BOTH, table, builder_chain(b, INBOUND), target_plain(TARGET_RETURN), match_tcp(),
		    match_ranges(MATCH_DPORT, exclude->items, exclude->n));
		b->origin = "--istio-inbound-ports";
		add_inbound_capture(b, NULL);
		return;
	}
	for (uint32_t i = 0, n = slice(b, ports->n); i < ports->n; i += n) {
		struct match some = match_ranges(MATCH_DPORT, ports->items + i, n);

		add_inbound_capture(b, &some);
	}
}

/* The marks that bring the proxy's replies back to it. */
static void add_tproxy_marks(struct builder *b)
{
	const struct range_list *owners[] = { &b->cfg->proxy_uids, &b->cfg->proxy_gids };
	static const enum match_kind kinds[] = { MATCH_UID, MATCH_GID };
	struct match oif_lo = match_ifaces(MATCH_OIF, &builder_lo, 1);

	if (b->cfg->mode != MODE_TPROXY)
		return;
	b->origin = "--istio-inbound-tproxy-mark";
	/*
	 * Only the proxy's own connection to the application needs it.  Beside a second rule set it would see the
	 * mark that this one has put on a client's packet: then the answers would never leave the pod.
	 */
	builder_add(b, FAMILY_BOTH, TABLE_MANGLE, "PREROUTING", target_plain(TARGET_CONNMARK_SAVE),
		    b->options.layout == LAYOUT_NATIVE ? 3 : 2,
		    (struct match[]){ match_tcp(), match_mark(MATCH_MARK, b->cfg->tproxy_mark),
				      match_ifaces(MATCH_IIF, &builder_lo, 1) });
	ADD(b, FAMILY_BOTH, TABLE_MANGLE, "OUTPUT", target_plain(TARGET_RETURN), oif_lo, match_tcp(),
	    match_mark(MATCH_MARK, b->cfg->tproxy_mark));
	for (unsigned o = 0; o < ARRAY_SIZE(owners); o++)
		for (enum family f = 0; f < FAMILIES; f++)
			ADD(b, FAMILY_BIT(f), TABLE_MANGLE, "OUTPUT", target_mark(OUTBOUND_MARK),
			    match_not(match_prefixes(MATCH_DST, &b->loopback[f], 1)), oif_lo, match_tcp(),
			    match_ranges(kinds[o], owners[o]->items, owners[o]->n));
	ADD(b, FAMILY_BOTH, TABLE_MANGLE, "OUTPUT", target_plain(TARGET_CONNMARK_RESTORE), match_tcp(),
	    match_mark(MATCH_CONNMARK, b->cfg->tproxy_mark));
}

/* What comes from behind the interfaces counts as outbound. */
static void add_redirects_from(struct builder *b, const struct iface_list *list)
{
	const struct cidr_list *cidrs = &b->cfg->outbound_cidrs;
	struct match from = match_ifaces(MATCH_IIF, reversed_ifaces(b, list), list->n);

	if (cidrs->all)
		ADD_TOP(b, FAMILY_BOTH, TABLE_NAT, "PREROUTING", jump_to(b, REDIRECT), from);
	for (enum family f = 0; f < FAMILIES; f++)
		ADD_TOP(b, FAMILY_BIT(f), TABLE_NAT, "PREROUTING", jump_to(b, REDIRECT),
			match_prefixes(MATCH_DST, reversed_prefixes(b, &cidrs->of[f]), cidrs->of[f].n), from);
}

/* What virtual machines, and containers, behind the pod's interfaces send. */
void builder_add_virt_redirects(struct builder *b)
{
	const struct iface_list *inner = &b->cfg->inner_ifaces;

	b->origin = "--kube-virt-interfaces";
	add_redirects_from(b, &b->cfg->virt_ifaces);
	b->origin = "--inner-interfaces";
	add_redirects_from(b, inner);
	/* In front of what takes all TCP. */
	if (b->dns)
		ADD_TOP(b, builder_dns_families(b), TABLE_NAT, "PREROUTING", jump_to(b, OUTPUT_DNS),
			match_ifaces(MATCH_IIF, reversed_ifaces(b, inner), inner->n));
}

/* With IPv6 off the native tables, which see both families, leave IPv6 alone. */
static void add_family_guards(struct builder *b)
{
	struct match other = match_not((struct match){ .kind = MATCH_NFPROTO, .n = 1, .proto = IPV4 });
	struct target leave = { .kind = TARGET_RETURN };

	if (b->options.layout != LAYOUT_NATIVE || b->rs->families == FAMILY_BOTH)
		return;
	b->origin = "--ipv6";
	for (enum table_id t = 0; t < TABLES; t++)
		for (enum hook h = 0; h < HOOK_NONE; h++)
			if (ruleset_find(b->rs, t, hook_name(h)))
				ADD_TOP(b, FAMILY_BOTH, t, hook_name(h), leave, other);
}

/* All that a built-in chain holds of ours keeps its order: so all of it goes to the front. */
static void bring_to_front(struct ruleset *rs, enum table_id table, enum hook hook)
{
	const struct chain *chain = ruleset_find(rs, table, hook_name(hook));

	for (unsigned i = 0; chain && i < chain->n_rules; i++)
		chain->rules[i].top = chain->rules[i].front = true;
}

static void place_jumps(struct builder *b)
{
	for (enum table_id t = 0; t < TABLES; t++)
		for (enum hook h = 0; h < HOOK_NONE; h++)
			if (b->cfg->jump == JUMP_INSERT ||
			    (b->cfg->jump == JUMP_AUTO && b->options.dns_front && t == TABLE_NAT && h == HOOK_OUTPUT))
				bring_to_front(b->rs, t, h);
}

struct ruleset *capture_build(const struct config *cfg, const struct capture_options *options)
{
	struct builder b = {
		.cfg = cfg,
		.options = *options,
		.rs = ruleset_new(options->layout, options->families),
		.dns = cfg->redirect_dns &&
		       (cfg->capture_all_dns || cfg->dns_servers.of[IPV4].n || cfg->dns_servers.of[IPV6].n),
	};

	b.loopback = ruleset_alloc(b.rs, FAMILIES * sizeof(*b.loopback));
	b.loopback[IPV4] = cfg->loopback4;
	b.loopback[IPV6] = (struct prefix){ .family = IPV6, .len = 128, .addr = { [15] = 1 } };
	add_interfaces(&b);
	add_drop_invalid(&b);
	add_redirect_chains(&b);
	add_inbound(&b);
	builder_add_output(&b);
	add_tproxy_marks(&b);
	add_family_guards(&b);
	place_jumps(&b);
	if (options->layout == LAYOUT_NATIVE)
		ruleset_normalize(b.rs);
	else if (cfg->long_lists != LONG_LISTS_LINEAR)
		ruleset_grow_trees(b.rs, cfg->long_lists == LONG_LISTS_TREE ? TREE_MIN : LONG_LIST_MIN);
	return b.rs;
}

struct routes_want capture_routes(const struct config *cfg, unsigned families)
{
	bool tproxy = cfg->mode == MODE_TPROXY && (cfg->inbound_ports.n || cfg->inbound_ports.all);

	return (struct routes_want){
		.mark = cfg->tproxy_mark,
		.table = cfg->tproxy_table,
		.inbound6 = families & FAMILY_BIT(IPV6),
		.tproxy = tproxy ? families : 0,
	};
}
