/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nf_tables' expressions back to rules of the native layout.  What the encoder would not
 * have written, in one of the ways in which nft writes the same, makes the rule unknown.
 */
#include "nft/decode.h"

#include <netinet/in.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>

#include <libnftnl/expr.h>
#include <libnftnl/udata.h>

#include "nft/expr.h"
#include "util.h"

/* Registers have 16 bytes, or are quarters of those (include/uapi/linux/netfilter/nf_tables.h). */
static struct reg *reg_at(struct decoder *d, const struct nftnl_expr *e, uint16_t attr)
{
	uint32_t number = nftnl_expr_get_u32(e, attr);

	if (number >= NFT_REG_1 && number <= NFT_REG_4)
		return &d->regs[(number - NFT_REG_1) * (NFT_REG_SIZE / NFT_REG32_SIZE)];
	if (number >= NFT_REG32_00 && number < NFT_REG32_00 + REGS)
		return &d->regs[number - NFT_REG32_00];
	decoder_set_unknown(d);
	return &d->regs[REGS];
}

/* A range that has only its lower end must not get lost. */
static int reg_put(struct decoder *d, const struct nftnl_expr *e, uint16_t attr, const struct reg *content)
{
	struct reg *reg = reg_at(d, e, attr);

	if (reg->has_lower)
		decoder_set_unknown(d);
	*reg = *content;
	return 0;
}

static int reg_load(struct decoder *d, const struct nftnl_expr *e, uint16_t attr, enum match_kind kind, uint32_t len)
{
	return reg_put(d, e, attr, &(struct reg){ .holds = REG_FIELD, .kind = (uint8_t)kind, .len = len });
}

/* Of an IPv4 header (RFC 791): iptables-nft from 1.8.10 on tests it instead of meta l4proto. */
#define IPV4_PROTOCOL_OFFSET 9

/* Addresses of the family that the rule has tested, ports of the protocol. */
static int decode_payload(struct decoder *d, const struct nftnl_expr *e)
{
	uint32_t base = nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_BASE), offset = nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET);
	uint32_t len = nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_LEN);
	uint32_t src = decoder_family(d) == IPV4 ? 12 : 8, dst = decoder_family(d) == IPV4 ? 16 : 24;

	if (!nftnl_expr_is_set(e, NFTNL_EXPR_PAYLOAD_DREG))
		return decoder_set_unknown(d);
	if (base == NFT_PAYLOAD_TRANSPORT_HEADER && len == sizeof(uint16_t) && offset <= 2 && offset % 2 == 0)
		return reg_load(d, e, NFTNL_EXPR_PAYLOAD_DREG, offset ? MATCH_DPORT : MATCH_SPORT, len);
	if (base == NFT_PAYLOAD_NETWORK_HEADER && d->rule.families == FAMILY_BIT(IPV4) && offset == IPV4_PROTOCOL_OFFSET && len == 1)
		return reg_load(d, e, NFTNL_EXPR_PAYLOAD_DREG, MATCH_PROTO, len);
	if (base != NFT_PAYLOAD_NETWORK_HEADER || d->rule.families == FAMILY_BOTH || (offset != src && offset != dst) || !len ||
	    len > family_addr_len(decoder_family(d)))
		return decoder_set_unknown(d);
	return reg_load(d, e, NFTNL_EXPR_PAYLOAD_DREG, offset == src ? MATCH_SRC : MATCH_DST, len);
}

static int decode_bitwise(struct decoder *d, const struct nftnl_expr *e)
{
	struct reg *from = reg_at(d, e, NFTNL_EXPR_BITWISE_SREG), reg = *from;
	uint32_t mask_len, xor_len;
	const uint8_t *mask = nftnl_expr_get(e, NFTNL_EXPR_BITWISE_MASK, &mask_len);
	const uint8_t *xor = nftnl_expr_get(e, NFTNL_EXPR_BITWISE_XOR, &xor_len);

	/* Operation 0 is NFT_BITWISE_BOOL. */
	if (nftnl_expr_get_u32(e, NFTNL_EXPR_BITWISE_OP) || reg.holds != REG_FIELD || reg.masked || !mask || !xor ||
	    mask_len != reg.len || xor_len != reg.len || reg.len > REG_BYTES)
		return decoder_set_unknown(d);
	for (uint32_t i = 0; i < xor_len; i++)
		if (xor[i])
			return decoder_set_unknown(d);
	reg.masked = true;
	memcpy(reg.mask, mask, mask_len);
	return reg_put(d, e, NFTNL_EXPR_BITWISE_DREG, &reg);
}

static int decode_byteorder(struct decoder *d, const struct nftnl_expr *e)
{
	struct reg reg = *reg_at(d, e, NFTNL_EXPR_BYTEORDER_SREG);

	if (reg.holds != REG_FIELD || (reg.kind != MATCH_UID && reg.kind != MATCH_GID) ||
	    nftnl_expr_get_u32(e, NFTNL_EXPR_BYTEORDER_OP) != NFT_BYTEORDER_HTON)
		return decoder_set_unknown(d);
	reg.network_order = true;
	return reg_put(d, e, NFTNL_EXPR_BYTEORDER_DREG, &reg);
}

static int decode_cmp(struct decoder *d, const struct nftnl_expr *e)
{
	struct reg *reg = reg_at(d, e, NFTNL_EXPR_CMP_SREG);
	uint32_t op = nftnl_expr_get_u32(e, NFTNL_EXPR_CMP_OP), len;
	const uint8_t *data = nftnl_expr_get(e, NFTNL_EXPR_CMP_DATA, &len);

	if (reg->holds != REG_FIELD || !data || !len || len > REG_BYTES)
		return decoder_set_unknown(d);
	if (op == NFT_CMP_EQ || op == NFT_CMP_NEQ)
		return decoder_test_equal(d, reg, op == NFT_CMP_NEQ, data, len);
	/* The two ends of a range, as nft writes it. */
	if (len != reg->len || (op == NFT_CMP_GTE) == reg->has_lower || (op != NFT_CMP_GTE && op != NFT_CMP_LTE))
		return decoder_set_unknown(d);
	reg->has_lower = op == NFT_CMP_GTE;
	if (op == NFT_CMP_LTE)
		return decoder_test_range(d, reg, false, reg->data, data);
	memcpy(reg->data, data, len);
	return 0;
}

static int decode_range(struct decoder *d, const struct nftnl_expr *e)
{
	struct reg *reg = reg_at(d, e, NFTNL_EXPR_RANGE_SREG);
	uint32_t lo_len, hi_len;
	const uint8_t *lo = nftnl_expr_get(e, NFTNL_EXPR_RANGE_FROM_DATA, &lo_len);
	const uint8_t *hi = nftnl_expr_get(e, NFTNL_EXPR_RANGE_TO_DATA, &hi_len);

	if (reg->holds != REG_FIELD || !lo || !hi || lo_len != reg->len || hi_len != reg->len)
		return decoder_set_unknown(d);
	return decoder_test_range(d, reg, nftnl_expr_get_u32(e, NFTNL_EXPR_RANGE_OP) == NFT_RANGE_NEQ, lo, hi);
}

static int decode_lookup(struct decoder *d, const struct nftnl_expr *e)
{
	struct reg *reg = reg_at(d, e, NFTNL_EXPR_LOOKUP_SREG);
	const char *set = nftnl_expr_get_str(e, NFTNL_EXPR_LOOKUP_SET);
	bool invert = nftnl_expr_get_u32(e, NFTNL_EXPR_LOOKUP_FLAGS) & NFT_LOOKUP_F_INV;
	struct match *m;

	if (reg->holds != REG_FIELD || reg->masked || nftnl_expr_is_set(e, NFTNL_EXPR_LOOKUP_DREG) || !set ||
	    reg->kind < MATCH_SRC || reg->kind > MATCH_GID || reg->kind == MATCH_PROTO)
		return decoder_set_unknown(d);
	m = decoder_push(d, reg->kind, invert);
	if (nftables_key_of(m, decoder_family(d)).len != reg->len ||
	    !nftables_set_decode(d->rs, d->dump, d->table, set, decoder_family(d), reg->network_order, m)) {
		d->rule.n_matches--;
		return decoder_set_unknown(d);
	}
	return 0;
}

static int decode_counter(struct decoder *d, const struct nftnl_expr *e)
{
	d->rule.packets = nftnl_expr_get_u64(e, NFTNL_EXPR_CTR_PACKETS);
	d->rule.bytes = nftnl_expr_get_u64(e, NFTNL_EXPR_CTR_BYTES);
	return 0;
}

/* A rule does one thing. */
static int set_target(struct decoder *d, struct target target)
{
	if (d->rule.target.kind != TARGET_NONE)
		return decoder_set_unknown(d);
	d->rule.target = target;
	return 0;
}

static int decode_verdict(struct decoder *d, const struct nftnl_expr *e)
{
	const char *chain = nftnl_expr_get_str(e, NFTNL_EXPR_IMM_CHAIN);

	switch ((int)nftnl_expr_get_u32(e, NFTNL_EXPR_IMM_VERDICT)) {
	case NFT_RETURN:
		return set_target(d, (struct target){ .kind = TARGET_RETURN });
	case NF_ACCEPT:
		if (d->rule.target.kind == TARGET_TPROXY && !d->tproxy_accepted) {
			d->tproxy_accepted = true;
			return 0;
		}
		return set_target(d, (struct target){ .kind = TARGET_ACCEPT });
	case NF_DROP:
		return set_target(d, (struct target){ .kind = TARGET_DROP });
	case NFT_JUMP:
	case NFT_GOTO:
		if (!chain)
			return decoder_set_unknown(d);
		return set_target(d, (struct target){
			.kind = (int)nftnl_expr_get_u32(e, NFTNL_EXPR_IMM_VERDICT) == NFT_JUMP ? TARGET_JUMP : TARGET_GOTO,
			.chain = ruleset_strdup(d->rs, chain),
		});
	default:
		return decoder_set_unknown(d);
	}
}

static int decode_immediate(struct decoder *d, const struct nftnl_expr *e)
{
	struct reg reg = { .holds = REG_DATA };
	const void *data;

	if (nftnl_expr_get_u32(e, NFTNL_EXPR_IMM_DREG) == NFT_REG_VERDICT)
		return decode_verdict(d, e);
	data = nftnl_expr_get(e, NFTNL_EXPR_IMM_DATA, &reg.len);
	if (!data || reg.len > REG_BYTES)
		return decoder_set_unknown(d);
	memcpy(reg.data, data, reg.len);
	return reg_put(d, e, NFTNL_EXPR_IMM_DREG, &reg);
}

static int decode_set_mark(struct decoder *d, const struct reg *reg)
{
	struct mark mark = { decoder_host_u32(reg->data), UINT32_MAX };

	if (reg->holds == REG_FIELD && reg->kind == MATCH_CONNMARK && !reg->masked)
		return set_target(d, (struct target){ .kind = TARGET_CONNMARK_RESTORE });
	if (reg->holds != REG_DATA || reg->len != sizeof(mark.value))
		return decoder_set_unknown(d);
	if (d->rule.target.kind != TARGET_TPROXY)
		return set_target(d, (struct target){ .kind = TARGET_MARK, .mark = mark });
	if (d->tproxy_marked || d->tproxy_accepted)
		return decoder_set_unknown(d);
	d->tproxy_marked = true;
	d->rule.target.mark = mark;
	return 0;
}

static int decode_meta(struct decoder *d, const struct nftnl_expr *e)
{
	static const struct {
		uint32_t key;
		enum match_kind kind;
		uint32_t len;
	} keys[] = {
		{ NFT_META_NFPROTO, MATCH_NFPROTO, 1 }, { NFT_META_L4PROTO, MATCH_PROTO, 1 },
		{ NFT_META_IIFNAME, MATCH_IIF, 16 },	{ NFT_META_OIFNAME, MATCH_OIF, 16 },
		{ NFT_META_SKUID, MATCH_UID, 4 },	{ NFT_META_SKGID, MATCH_GID, 4 },
		{ NFT_META_MARK, MATCH_MARK, 4 },
	};
	uint32_t key = nftnl_expr_get_u32(e, NFTNL_EXPR_META_KEY);

	if (nftnl_expr_is_set(e, NFTNL_EXPR_META_SREG))
		return key == NFT_META_MARK ? decode_set_mark(d, reg_at(d, e, NFTNL_EXPR_META_SREG)) : decoder_set_unknown(d);
	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].key == key)
			return reg_load(d, e, NFTNL_EXPR_META_DREG, keys[i].kind, keys[i].len);
	return decoder_set_unknown(d);
}

static int decode_set_ct(struct decoder *d, const struct nftnl_expr *e, uint32_t key)
{
	const struct reg *reg = reg_at(d, e, NFTNL_EXPR_CT_SREG);
	uint16_t zone;

	if (key == NFT_CT_MARK && reg->holds == REG_FIELD && reg->kind == MATCH_MARK && !reg->masked)
		return set_target(d, (struct target){ .kind = TARGET_CONNMARK_SAVE });
	if (key != NFT_CT_ZONE || reg->holds != REG_DATA || reg->len != sizeof(zone) ||
	    nftnl_expr_is_set(e, NFTNL_EXPR_CT_DIR))
		return decoder_set_unknown(d);
	memcpy(&zone, reg->data, sizeof(zone));
	return set_target(d, (struct target){ .kind = TARGET_CT_ZONE, .zone = zone });
}

static int decode_ct(struct decoder *d, const struct nftnl_expr *e)
{
	uint32_t key = nftnl_expr_get_u32(e, NFTNL_EXPR_CT_KEY);

	if (nftnl_expr_is_set(e, NFTNL_EXPR_CT_SREG))
		return decode_set_ct(d, e, key);
	if (key != NFT_CT_STATE && key != NFT_CT_MARK)
		return decoder_set_unknown(d);
	return reg_load(d, e, NFTNL_EXPR_CT_DREG, key == NFT_CT_STATE ? MATCH_CTSTATE : MATCH_CONNMARK, sizeof(uint32_t));
}

static int decode_redir(struct decoder *d, const struct nftnl_expr *e)
{
	const struct reg *reg = reg_at(d, e, NFTNL_EXPR_REDIR_REG_PROTO_MIN);

	if (reg->holds != REG_DATA || reg->len != sizeof(uint16_t) ||
	    nftnl_expr_get_u32(e, NFTNL_EXPR_REDIR_FLAGS) & ~(uint32_t)NF_NAT_RANGE_PROTO_SPECIFIED ||
	    (nftnl_expr_is_set(e, NFTNL_EXPR_REDIR_REG_PROTO_MAX) && reg_at(d, e, NFTNL_EXPR_REDIR_REG_PROTO_MAX) != reg))
		return decoder_set_unknown(d);
	return set_target(d, (struct target){ .kind = TARGET_REDIRECT, .port = decoder_net_u16(reg->data) });
}

static int decode_tproxy(struct decoder *d, const struct nftnl_expr *e)
{
	const struct reg *reg = reg_at(d, e, NFTNL_EXPR_TPROXY_REG_PORT);
	uint32_t nfproto = nftnl_expr_get_u32(e, NFTNL_EXPR_TPROXY_FAMILY);
	uint32_t ours = d->rule.families == FAMILY_BOTH ? NFPROTO_UNSPEC : decoder_family(d) == IPV4 ? NFPROTO_IPV4 : NFPROTO_IPV6;

	if (reg->holds != REG_DATA || reg->len != sizeof(uint16_t) || nftnl_expr_is_set(e, NFTNL_EXPR_TPROXY_REG_ADDR) ||
	    nfproto != ours)
		return decoder_set_unknown(d);
	return set_target(d, (struct target){ .kind = TARGET_TPROXY, .port = decoder_net_u16(reg->data) });
}

int decoder_expr(struct nftnl_expr *e, void *data)
{
	static const struct {
		const char *name;
		int (*decode)(struct decoder *d, const struct nftnl_expr *e);
	} kinds[] = {
		{ "meta", decode_meta },	 { "cmp", decode_cmp },		{ "payload", decode_payload },
		{ "counter", decode_counter },	 { "immediate", decode_immediate }, { "lookup", decode_lookup },
		{ "bitwise", decode_bitwise },	 { "byteorder", decode_byteorder }, { "range", decode_range },
		{ "ct", decode_ct },		 { "redir", decode_redir },	{ "tproxy", decode_tproxy },
	};
	const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_NAME);

	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].name, name))
			return kinds[i].decode(data, e);
	return decoder_set_unknown(data);
}

/*
 * Userdata is whatever somebody has put there; nft puts attributes of a byte for the type, one
 * for the length, and the data (libnftnl's src/udata.c, whose parser trusts the lengths).
 */
static void decode_comment(struct decoder *d, const uint8_t *data, uint32_t len)
{
	for (uint32_t at = 0; at + 2 <= len && at + 2 + data[at + 1] <= len; at += 2u + data[at + 1]) {
		uint8_t size = data[at + 1];

		if (data[at] == NFTNL_UDATA_RULE_COMMENT && size && !data[at + 1 + size])
			d->rule.comment = ruleset_strdup(d->rs, (const char *)&data[at + 2]);
	}
}

/* Whether what was read means what the model would take it for. */
static bool rule_is_whole(const struct decoder *d)
{
	bool ports = false, proto = false;

	for (unsigned i = 0; i < REGS; i++)
		if (d->regs[i].has_lower)
			return false;
	for (unsigned i = 0; i < d->rule.n_matches; i++) {
		const struct match *m = &d->matches[i];

		ports |= m->kind == MATCH_SPORT || m->kind == MATCH_DPORT;
		if (m->kind == MATCH_PROTO) {
			if (proto || m->invert || (m->proto != IPPROTO_TCP && m->proto != IPPROTO_UDP))
				return false;
			proto = true;
		}
	}
	return (!ports || proto) && (d->rule.target.kind != TARGET_TPROXY || (d->tproxy_marked && d->tproxy_accepted));
}

void decoder_run(struct decoder *d, const struct nlmsghdr *nlh, int (*decode)(struct nftnl_expr *e, void *data))
{
	struct nftnl_rule *r = xchecked(nftnl_rule_alloc());
	const uint8_t *userdata;
	uint32_t len;

	if (nft_rule_parse(nlh, r)) {
		d->rule.unknown = true;
	} else {
		nftnl_expr_foreach(r, decode, d);
		userdata = nftnl_rule_get_data(r, NFTNL_RULE_USERDATA, &len);
		if (userdata)
			decode_comment(d, userdata, len);
	}
	d->rule.unknown |= !rule_is_whole(d);
	nftnl_rule_free(r);
}

void nftables_rule_decode(struct ruleset *rs, const struct nftables_dump *dump, enum table_id table, const char *chain,
			const struct nlmsghdr *nlh)
{
	struct decoder d = {
		.rs = rs,
		.dump = dump,
		.table = table,
		.rule = { .families = FAMILY_BOTH, .target.kind = TARGET_NONE, .matches = d.matches },
	};

	decoder_run(&d, nlh, decoder_expr);
	ruleset_append(rs, table, chain, &d.rule);
}
