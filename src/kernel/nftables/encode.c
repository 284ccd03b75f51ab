/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules of the native layout as nf_tables' expressions: the same that nft makes of our
 * text (nft --debug=netlink), so that nft prints them like it.
 */
#include "nftables/nftables.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <libnftnl/udata.h>

#include "merge.h"
#include "nft/chain.h"
#include "nft/match.h"
#include "util.h"

/* Of the ports in the headers of TCP and UDP. */
#define SPORT_OFFSET 0
#define DPORT_OFFSET 2

const char *nftables_table_name(enum table_id table)
{
	static const char *const names[TABLES] = {
		[TABLE_MANGLE] = PROXY_STEM "mangle",
		[TABLE_NAT] = PROXY_STEM "nat",
		[TABLE_RAW] = PROXY_STEM "raw",
	};

	return names[table];
}

enum table_id nftables_table_find(const char *stem, const char *name)
{
	enum table_id t = 0;
	size_t len = strlen(stem);

	while (t < TABLES && (strncmp(name, stem, len) != 0 || strcmp(name + len, table_name(t)) != 0))
		t++;
	return t;
}

/* Of a rule for one. */
static enum family rule_family(const struct rule *rule)
{
	return rule->families & FAMILY_BIT(IPV4) ? IPV4 : IPV6;
}

static void add_nfproto(struct nftnl_rule *r, bool invert, enum family family)
{
	uint8_t nfproto = nft_nfproto(family);

	nft_add_meta(r, NFT_META_NFPROTO);
	nft_add_equal(r, invert, &nfproto, sizeof(nfproto));
}

/* What precedes the comparison of a list or item; addresses: all of them. */
static void add_load(struct nftnl_rule *r, const struct match *m)
{
	switch (m->kind) {
	case MATCH_SRC:
	case MATCH_DST:
		nft_add_addr(r, m);
		break;
	case MATCH_IIF:
	case MATCH_OIF:
		nft_add_meta(r, m->kind == MATCH_IIF ? NFT_META_IIFNAME : NFT_META_OIFNAME);
		break;
	case MATCH_SPORT:
	case MATCH_DPORT:
		nft_add_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, m->kind == MATCH_SPORT ? SPORT_OFFSET : DPORT_OFFSET,
				sizeof(uint16_t));
		break;
	default:
		nft_add_meta(r, m->kind == MATCH_UID ? NFT_META_SKUID : NFT_META_SKGID);
		/* A set has no other way to tell nft the order of its keys than userdata. */
		if (m->n > 1 || !match_is_single(m))
			nft_add_hton(r);
	}
}

/* A list of prefixes that is one stretch of addresses is no set either. */
static void add_span(struct nftnl_rule *r, const struct match *m)
{
	enum family family = m->prefixes->family;
	struct span span;
	uint32_t at = 0;

	prefixes_next_span(m->prefixes, m->n, &at, &span);
	add_load(r, m);
	nft_add_range(r, m->invert, span.first, span.last, family_addr_len(family));
}

static void add_port_or_owner(struct nftnl_rule *r, const struct match *m)
{
	bool port = m->kind == MATCH_SPORT || m->kind == MATCH_DPORT;
	struct range range = *m->ranges;
	uint16_t ports[] = { htons((uint16_t)range.lo), htons((uint16_t)range.hi) };
	uint32_t ids[] = { htonl(range.lo), htonl(range.hi) };

	add_load(r, m);
	if (range.lo != range.hi && port)
		nft_add_range(r, m->invert, &ports[0], &ports[1], sizeof(*ports));
	else if (range.lo != range.hi)
		nft_add_range(r, m->invert, &ids[0], &ids[1], sizeof(*ids));
	else if (port)
		nft_add_equal(r, m->invert, &ports[0], sizeof(*ports));
	else
		nft_add_equal(r, m->invert, &range.lo, sizeof(range.lo));
}

/* The register holds a name of 16 bytes; a wildcard compares only what comes before it. */
static void add_iface(struct nftnl_rule *r, const struct match *m)
{
	char name[sizeof(m->ifaces->name)] = "";
	size_t len = strlen(m->ifaces->name);

	memcpy(name, m->ifaces->name, len);
	add_load(r, m);
	nft_add_equal(r, m->invert, name, iface_is_wildcard(m->ifaces) ? (uint32_t)len - 1 : sizeof(name));
}

static void add_ctstate(struct nftnl_rule *r, const struct match *m)
{
	static const uint32_t none;

	nft_add_ct(r, NFT_CT_STATE);
	nft_add_mask(r, &m->ctstates, sizeof(m->ctstates));
	nft_add_equal(r, !m->invert, &none, sizeof(none));
}

static void add_match(struct nftnl_rule *r, const struct match *m)
{
	uint8_t proto = (uint8_t)m->proto;

	switch ((enum match_kind)m->kind) {
	case MATCH_NFPROTO:
		add_nfproto(r, m->invert, m->proto);
		break;
	case MATCH_SRC:
	case MATCH_DST:
		if (m->n == 1)
			nft_add_prefix(r, m);
		else
			add_span(r, m);
		break;
	case MATCH_IIF:
	case MATCH_OIF:
		add_iface(r, m);
		break;
	case MATCH_PROTO:
		nft_add_meta(r, NFT_META_L4PROTO);
		nft_add_equal(r, m->invert, &proto, sizeof(proto));
		break;
	case MATCH_SPORT:
	case MATCH_DPORT:
	case MATCH_UID:
	case MATCH_GID:
		add_port_or_owner(r, m);
		break;
	case MATCH_TCP_FLAGS:
		nft_add_tcp_flags(r, m);
		break;
	case MATCH_CTSTATE:
		add_ctstate(r, m);
		break;
	case MATCH_MARK:
		nft_add_meta(r, NFT_META_MARK);
		nft_add_mark(r, m);
		break;
	case MATCH_CONNMARK:
		nft_add_ct(r, NFT_CT_MARK);
		nft_add_mark(r, m);
		break;
	}
}

static void add_matches(struct nfnl_batch *batch, struct nftnl_rule *r, enum table_id table, const struct rule *rule,
			unsigned *sets)
{
	bool family_known = rule->families == FAMILY_BOTH;
	char set_name[24];

	for (unsigned i = 0; i < rule->n_matches; i++) {
		const struct match *m = &rule->matches[i];

		if (!family_known && m->kind != MATCH_NFPROTO)
			add_nfproto(r, false, rule_family(rule));
		family_known = true;
		if (!nftables_set_needed(m)) {
			add_match(r, m);
			continue;
		}
		/* By a name of our own: the kernel would look for one that it has to make up through the whole transaction. */
		snprintf(set_name, sizeof(set_name), SET_NAME, (*sets)++);
		nftables_put_set(batch, nftables_table_name(table), set_name, *sets, m);
		add_load(r, m);
		nft_add_lookup(r, m->invert, set_name);
	}
	if (!family_known)
		add_nfproto(r, false, rule_family(rule));
}

static void add_redirect(struct nftnl_rule *r, const struct target *t)
{
	uint16_t port = htons(t->port);

	nft_add_immediate(r, &port, sizeof(port));
	nftnl_expr_set_u32(nft_add_expr(r, "redir"), NFTNL_EXPR_REDIR_REG_PROTO_MIN, NFT_REG_1);
}

static void add_set_mark(struct nftnl_rule *r, uint32_t mark)
{
	nft_add_immediate(r, &mark, sizeof(mark));
	nft_add_meta_set(r, NFT_META_MARK);
}

/* Without a listener tproxy ends the rule: the mark and the accept are for packets that go to a proxy. */
static void add_tproxy(struct nftnl_rule *r, const struct rule *rule)
{
	uint16_t port = htons(rule->target.port);
	struct nftnl_expr *e;

	nft_add_immediate(r, &port, sizeof(port));
	e = nft_add_expr(r, "tproxy");
	nftnl_expr_set_u32(e, NFTNL_EXPR_TPROXY_FAMILY,
			   rule->families == FAMILY_BOTH ? NFPROTO_UNSPEC : nft_nfproto(rule_family(rule)));
	nftnl_expr_set_u32(e, NFTNL_EXPR_TPROXY_REG_PORT, NFT_REG_1);
	add_set_mark(r, rule->target.mark.value);
	nft_add_verdict(r, NF_ACCEPT, NULL);
}

static void add_target(struct nftnl_rule *r, const struct rule *rule)
{
	const struct target *t = &rule->target;

	switch ((enum target_kind)t->kind) {
	case TARGET_RETURN:
		nft_add_verdict(r, NFT_RETURN, NULL);
		break;
	case TARGET_ACCEPT:
		nft_add_verdict(r, NF_ACCEPT, NULL);
		break;
	case TARGET_DROP:
		nft_add_verdict(r, NF_DROP, NULL);
		break;
	case TARGET_JUMP:
	case TARGET_GOTO:
		nft_add_verdict(r, t->kind == TARGET_JUMP ? NFT_JUMP : NFT_GOTO, t->chain);
		break;
	case TARGET_REDIRECT:
		add_redirect(r, t);
		break;
	case TARGET_TPROXY:
		add_tproxy(r, rule);
		break;
	case TARGET_MARK:
		add_set_mark(r, t->mark.value);
		break;
	case TARGET_CONNMARK_SAVE:
		nft_add_meta(r, NFT_META_MARK);
		nft_add_ct_set(r, NFT_CT_MARK);
		break;
	case TARGET_CONNMARK_RESTORE:
		nft_add_ct(r, NFT_CT_MARK);
		nft_add_meta_set(r, NFT_META_MARK);
		break;
	case TARGET_CT_ZONE:
		nft_add_immediate(r, &t->zone, sizeof(t->zone));
		nft_add_ct_set(r, NFT_CT_ZONE);
		break;
	case TARGET_NONE:
	case TARGET_DNAT:
	case TARGET_SNAT:
	case TARGET_UNKNOWN:
		break;
	}
}

static void add_comment(struct nftnl_rule *r, const char *comment)
{
	struct nftnl_udata_buf *data = xchecked(nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN));

	if (nftnl_udata_put_strz(data, NFTNL_UDATA_RULE_COMMENT, comment))
		nftnl_rule_set_data(r, NFTNL_RULE_USERDATA, nftnl_udata_buf_data(data), nftnl_udata_buf_len(data));
	nftnl_udata_buf_free(data);
}

struct nftnl_rule *nftables_rule_encode(struct nfnl_batch *batch, enum table_id table, const char *chain,
					const struct rule *rule, unsigned *sets)
{
	struct nftnl_rule *r = xchecked(nftnl_rule_alloc());

	nftnl_rule_set_str(r, NFTNL_RULE_TABLE, nftables_table_name(table));
	nftnl_rule_set_str(r, NFTNL_RULE_CHAIN, chain);
	add_matches(batch, r, table, rule, sets);
	nft_add_expr(r, "counter");
	add_target(r, rule);
	if (rule->comment)
		add_comment(r, rule->comment);
	return r;
}
