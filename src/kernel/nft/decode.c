/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft/decode.h"

#include <netinet/in.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <libnftnl/expr.h>
#include <libnftnl/udata.h>

#include "nft/expr.h"
#include "nft/match.h"
#include "proto.h"
#include "util.h"

/* Registers have 16 bytes, or are quarters of those (include/uapi/linux/netfilter/nf_tables.h). */
static struct nft_reg *reg_at(struct nft_decoder *d, const struct nftnl_expr *e, uint16_t attr)
{
	uint32_t number = nftnl_expr_get_u32(e, attr);

	if (number >= NFT_REG_1 && number <= NFT_REG_4)
		return &d->regs[(number - NFT_REG_1) * (NFT_REG_SIZE / NFT_REG32_SIZE)];
	if (number >= NFT_REG32_00 && number < NFT_REG32_00 + NFT_REGS)
		return &d->regs[number - NFT_REG32_00];
	d->rule.unknown |= UNKNOWN_TEST;
	return &d->regs[NFT_REGS];
}

const struct nft_reg *nft_decoder_reg(struct nft_decoder *d, const struct nftnl_expr *e, uint16_t attr)
{
	return reg_at(d, e, attr);
}

/* A range that has only its lower end must not get lost. */
bool nft_decoder_put(struct nft_decoder *d, const struct nftnl_expr *e, uint16_t attr, const struct nft_reg *content)
{
	struct nft_reg *reg = reg_at(d, e, attr);

	if (reg->has_lower)
		return false;
	*reg = *content;
	return true;
}

bool nft_decoder_load(struct nft_decoder *d, const struct nftnl_expr *e, uint16_t attr, enum match_kind kind, uint32_t len)
{
	return nft_decoder_put(d, e, attr, &(struct nft_reg){ .holds = REG_FIELD, .kind = (uint8_t)kind, .len = len });
}

/* Of an IPv4 header (RFC 791): iptables-nft from 1.8.10 on tests it instead of meta l4proto. */
#define IPV4_PROTOCOL_OFFSET 9

/* Addresses of the family that the rule has tested, ports of the protocol. */
bool nft_decode_payload(struct nft_decoder *d, const struct nftnl_expr *e)
{
	uint32_t base = nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_BASE),
		 offset = nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET);
	uint32_t len = nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_LEN);
	enum family family = nft_decoder_family(d);
	uint32_t src = nft_addr_offset(MATCH_SRC, family), dst = nft_addr_offset(MATCH_DST, family);

	if (!nftnl_expr_is_set(e, NFTNL_EXPR_PAYLOAD_DREG))
		return false;
	if (base == NFT_PAYLOAD_TRANSPORT_HEADER && len == sizeof(uint16_t) && offset <= 2 && offset % 2 == 0)
		return nft_decoder_load(d, e, NFTNL_EXPR_PAYLOAD_DREG, offset ? MATCH_DPORT : MATCH_SPORT, len);
	if (base == NFT_PAYLOAD_TRANSPORT_HEADER && len == 1 && offset == TCP_FLAGS_OFFSET)
		return nft_decoder_load(d, e, NFTNL_EXPR_PAYLOAD_DREG, MATCH_TCP_FLAGS, len);
	if (base == NFT_PAYLOAD_NETWORK_HEADER && d->rule.families == FAMILY_BIT(IPV4) &&
	    offset == IPV4_PROTOCOL_OFFSET && len == 1)
		return nft_decoder_load(d, e, NFTNL_EXPR_PAYLOAD_DREG, MATCH_PROTO, len);
	if (base != NFT_PAYLOAD_NETWORK_HEADER || d->rule.families == FAMILY_BOTH || (offset != src && offset != dst) ||
	    !len || len > family_addr_len(family))
		return false;
	return nft_decoder_load(d, e, NFTNL_EXPR_PAYLOAD_DREG, offset == src ? MATCH_SRC : MATCH_DST, len);
}

bool nft_decode_bitwise(struct nft_decoder *d, const struct nftnl_expr *e)
{
	struct nft_reg *from = reg_at(d, e, NFTNL_EXPR_BITWISE_SREG), reg = *from;
	uint32_t mask_len, xor_len;
	const uint8_t *mask = nftnl_expr_get(e, NFTNL_EXPR_BITWISE_MASK, &mask_len);
	const uint8_t *xor_with = nftnl_expr_get(e, NFTNL_EXPR_BITWISE_XOR, &xor_len);

	/* Operation 0 is NFT_BITWISE_BOOL. */
	if (nftnl_expr_get_u32(e, NFTNL_EXPR_BITWISE_OP) || reg.holds != REG_FIELD || reg.masked || !mask ||
	    !xor_with || mask_len != reg.len || xor_len != reg.len || reg.len > NFT_REG_BYTES)
		return false;
	for (uint32_t i = 0; i < xor_len; i++)
		if (xor_with[i])
			return false;
	reg.masked = true;
	memcpy(reg.mask, mask, mask_len);
	return nft_decoder_put(d, e, NFTNL_EXPR_BITWISE_DREG, &reg);
}

bool nft_decode_cmp(struct nft_decoder *d, const struct nftnl_expr *e)
{
	struct nft_reg *reg = reg_at(d, e, NFTNL_EXPR_CMP_SREG);
	uint32_t op = nftnl_expr_get_u32(e, NFTNL_EXPR_CMP_OP), len;
	const uint8_t *data = nftnl_expr_get(e, NFTNL_EXPR_CMP_DATA, &len);

	if (reg->holds != REG_FIELD || !data || !len || len > NFT_REG_BYTES)
		return false;
	if (op == NFT_CMP_EQ || op == NFT_CMP_NEQ)
		return nft_decoder_test_equal(d, reg, op == NFT_CMP_NEQ, data, len);
	/* The two ends of a range, as nft writes it. */
	if (len != reg->len || (op == NFT_CMP_GTE) == reg->has_lower || (op != NFT_CMP_GTE && op != NFT_CMP_LTE))
		return false;
	reg->has_lower = op == NFT_CMP_GTE;
	if (op == NFT_CMP_LTE)
		return nft_decoder_test_range(d, reg, false, reg->data, data);
	memcpy(reg->data, data, len);
	return true;
}

bool nft_decode_range(struct nft_decoder *d, const struct nftnl_expr *e)
{
	struct nft_reg *reg = reg_at(d, e, NFTNL_EXPR_RANGE_SREG);
	uint32_t lo_len, hi_len;
	const uint8_t *lo = nftnl_expr_get(e, NFTNL_EXPR_RANGE_FROM_DATA, &lo_len);
	const uint8_t *hi = nftnl_expr_get(e, NFTNL_EXPR_RANGE_TO_DATA, &hi_len);

	if (reg->holds != REG_FIELD || !lo || !hi || lo_len != reg->len || hi_len != reg->len)
		return false;
	return nft_decoder_test_range(d, reg, nftnl_expr_get_u32(e, NFTNL_EXPR_RANGE_OP) == NFT_RANGE_NEQ, lo, hi);
}

bool nft_decode_counter(struct nft_decoder *d, const struct nftnl_expr *e)
{
	d->rule.packets = nftnl_expr_get_u64(e, NFTNL_EXPR_CTR_PACKETS);
	d->rule.bytes = nftnl_expr_get_u64(e, NFTNL_EXPR_CTR_BYTES);
	return true;
}

/* A rule does one thing; of several the chain that it leads to counts, since that says whose the rule is. */
bool nft_decoder_set_target(struct nft_decoder *d, struct target target)
{
	bool first = d->rule.target.kind == TARGET_NONE;

	if (first || target.kind == TARGET_JUMP || target.kind == TARGET_GOTO)
		d->rule.target = target;
	return first;
}

static bool decode_verdict(struct nft_decoder *d, const struct nftnl_expr *e)
{
	const char *chain = nftnl_expr_get_str(e, NFTNL_EXPR_IMM_CHAIN);

	switch ((int)nftnl_expr_get_u32(e, NFTNL_EXPR_IMM_VERDICT)) {
	case NFT_RETURN:
		return nft_decoder_set_target(d, (struct target){ .kind = TARGET_RETURN });
	case NF_ACCEPT:
		return nft_decoder_set_target(d, (struct target){ .kind = TARGET_ACCEPT });
	case NF_DROP:
		return nft_decoder_set_target(d, (struct target){ .kind = TARGET_DROP });
	case NFT_JUMP:
	case NFT_GOTO:
		if (!chain)
			return false;
		return nft_decoder_set_target(d, (struct target){
							 .kind = (int)nftnl_expr_get_u32(e, NFTNL_EXPR_IMM_VERDICT) == NFT_JUMP ?
									 TARGET_JUMP :
									 TARGET_GOTO,
							 .chain = ruleset_strdup(d->rs, chain),
						 });
	default:
		return false;
	}
}

bool nft_decode_immediate(struct nft_decoder *d, const struct nftnl_expr *e)
{
	struct nft_reg reg = { .holds = REG_DATA };
	const void *data;

	if (nftnl_expr_get_u32(e, NFTNL_EXPR_IMM_DREG) == NFT_REG_VERDICT)
		return decode_verdict(d, e);
	data = nftnl_expr_get(e, NFTNL_EXPR_IMM_DATA, &reg.len);
	if (!data || reg.len > NFT_REG_BYTES)
		return false;
	memcpy(reg.data, data, reg.len);
	return nft_decoder_put(d, e, NFTNL_EXPR_IMM_DREG, &reg);
}

static bool decode_set_mark(struct nft_decoder *d, const struct nft_reg *reg)
{
	struct mark mark = { nft_reg_u32(reg->data), UINT32_MAX };

	return reg->holds == REG_DATA && reg->len == sizeof(mark.value) &&
	       nft_decoder_set_target(d, (struct target){ .kind = TARGET_MARK, .mark = mark });
}

bool nft_decode_meta(struct nft_decoder *d, const struct nftnl_expr *e)
{
	static const struct {
		uint32_t key;
		enum match_kind kind;
		uint32_t len;
	} keys[] = {
		{ NFT_META_NFPROTO, MATCH_NFPROTO, 1 }, { NFT_META_L4PROTO, MATCH_PROTO, 1 },
		{ NFT_META_IIFNAME, MATCH_IIF, 16 },    { NFT_META_OIFNAME, MATCH_OIF, 16 },
		{ NFT_META_SKUID, MATCH_UID, 4 },       { NFT_META_SKGID, MATCH_GID, 4 },
		{ NFT_META_MARK, MATCH_MARK, 4 },
	};
	uint32_t key = nftnl_expr_get_u32(e, NFTNL_EXPR_META_KEY);

	if (nftnl_expr_is_set(e, NFTNL_EXPR_META_SREG))
		return key == NFT_META_MARK && decode_set_mark(d, reg_at(d, e, NFTNL_EXPR_META_SREG));
	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].key == key)
			return nft_decoder_load(d, e, NFTNL_EXPR_META_DREG, keys[i].kind, keys[i].len);
	return false;
}

/*
 * Userdata is whatever somebody has put there; nft puts attributes of a byte for the type, one
 * for the length, and the data (libnftnl's src/udata.c, whose parser trusts the lengths).
 */
static void decode_comment(struct nft_decoder *d, const uint8_t *data, uint32_t len)
{
	for (uint32_t at = 0; at + 2 <= len && at + 2 + data[at + 1] <= len; at += 2u + data[at + 1]) {
		uint8_t size = data[at + 1];

		if (data[at] == NFTNL_UDATA_RULE_COMMENT && size && !data[at + 1 + size])
			d->rule.comment = ruleset_strdup(d->rs, (const char *)&data[at + 2]);
	}
}

/* Whether what was read means what the model would take it for. */
static bool rule_is_whole(const struct nft_decoder *d)
{
	const struct match *proto = NULL;

	for (unsigned i = 0; i < NFT_REGS; i++)
		if (d->regs[i].has_lower)
			return false;
	for (unsigned i = 0; i < d->rule.n_matches; i++)
		if (d->matches[i].kind == MATCH_PROTO) {
			if (proto)
				return false;
			proto = &d->matches[i];
		}
	return rule_transport_is_known(&d->rule);
}

void nft_decoder_init(struct nft_decoder *d, struct ruleset *rs, unsigned families, const struct nft_expr_kind *kinds)
{
	d->rs = rs;
	d->kinds = kinds;
	d->rule = (struct rule){ .families = (uint8_t)families, .target.kind = TARGET_NONE, .matches = d->matches };
	memset(d->regs, 0, sizeof(d->regs));
}

/* Expressions that only test, count or tell: all but those that have the attribute @acts, if there is one. */
static const struct {
	const char *name;
	uint16_t acts;
} tests[] = {
	{ "cmp", 0 },
	{ "match", 0 },
	{ "bitwise", 0 },
	{ "byteorder", 0 },
	{ "range", 0 },
	{ "counter", 0 },
	{ "limit", 0 },
	{ "fib", 0 },
	{ "numgen", 0 },
	{ "quota", 0 },
	{ "connlimit", 0 },
	{ "socket", 0 },
	{ "hash", 0 },
	{ "osf", 0 },
	{ "exthdr", 0 },
	{ "rt", 0 },
	{ "xfrm", 0 },
	{ "log", 0 },
	{ "last", 0 },
	{ "meta", NFTNL_EXPR_META_SREG },
	{ "ct", NFTNL_EXPR_CT_SREG },
	{ "payload", NFTNL_EXPR_PAYLOAD_SREG },
	{ "lookup", NFTNL_EXPR_LOOKUP_DREG },
};

/* @e: NULL if libnftnl is not linked with it, or the stand-in for one such. */
static void note_unread(struct nft_decoder *d, const char *name, const struct nftnl_expr *e)
{
	unsigned i = 0;

	while (i < ARRAY_SIZE(tests) && strcmp(tests[i].name, name))
		i++;
	d->rule.unknown |= UNKNOWN_TEST;
	if (i == ARRAY_SIZE(tests) || (e && tests[i].acts && nftnl_expr_is_set(e, tests[i].acts)))
		d->rule.unknown |= UNKNOWN_ACTION;
	if (strcmp(name, "cmp") && strcmp(name, "match") && strcmp(name, "target"))
		rule_note_unread(d->rs, &d->rule, name);
}

static void see_unlinked(const char *name, void *data)
{
	note_unread(data, name, NULL);
}

static int decode_expr(struct nftnl_expr *e, void *data)
{
	struct nft_decoder *d = data;
	const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_NAME);
	const struct nft_expr_kind *kind = d->kinds;

	while (kind->name && strcmp(kind->name, name))
		kind++;
	if (kind->name && kind->decode(d, e))
		return 0;
	note_unread(d, name, e);
	/* What it has left in registers is not known, so that what tests them is not read either. */
	memset(d->regs, 0, sizeof(d->regs));
	return 0;
}

void nft_decoder_run(struct nft_decoder *d, const struct nlmsghdr *nlh)
{
	struct nftnl_rule *r = xchecked(nftnl_rule_alloc());
	const uint8_t *userdata;
	uint32_t len;

	if (nft_rule_parse(nlh, r, see_unlinked, d)) {
		d->rule.unknown = UNKNOWN_TEST | UNKNOWN_ACTION;
	} else {
		nftnl_expr_foreach (r, decode_expr, d)
			;
		userdata = nftnl_rule_get_data(r, NFTNL_RULE_USERDATA, &len);
		if (userdata)
			decode_comment(d, userdata, len);
	}
	if (!rule_is_whole(d))
		d->rule.unknown |= UNKNOWN_TEST;
	if (d->rule.unknown & UNKNOWN_ACTION && d->rule.target.kind == TARGET_NONE)
		d->rule.target.kind = TARGET_UNKNOWN;
	nftnl_rule_free(r);
}
