/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules of nf_tables back to the model.  Expressions are read one after the other, as the kernel runs
 * them, through registers:
 *
 *   payload load 2b @ transport header + 2 => reg 1     reg 1 holds a FIELD: MATCH_DPORT
 *   cmp eq reg 1 0x5000                                 a match: MATCH_DPORT 80
 *   immediate reg 1 0x993a                              reg 1 holds DATA
 *   redir proto_min reg 1                               the target: TARGET_REDIRECT 15001
 *
 * Which expressions there are is the backend's to say; what it does not name makes the rule unknown,
 * and so does what neither it nor nft would have written.  All that stands beside it is read all the same.
 */
#ifndef ISTIO_INIT_NFT_DECODE_H
#define ISTIO_INIT_NFT_DECODE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h> /* before libnftnl's headers, which name FILE */

#include <libmnl/libmnl.h>
#include <libnftnl/expr.h>

#include "ruleset.h"

#define NFT_REG_BYTES 16
#define NFT_REGS 16

/* What a register holds. */
struct nft_reg {
	enum { REG_UNKNOWN, REG_DATA, REG_FIELD } holds;
	uint8_t kind; /* FIELD: the match that tests it */
	uint32_t len; /* bytes */
	bool network_order, masked, has_lower;
	uint8_t mask[NFT_REG_BYTES];
	uint8_t data[NFT_REG_BYTES]; /* DATA; of a FIELD the lower end that it was compared with */
};

struct nft_decoder;

/* An expression that the backend knows; @decode: false if the model cannot say what it does. */
struct nft_expr_kind {
	const char *name;
	bool (*decode)(struct nft_decoder *d, const struct nftnl_expr *e);
};

/* To be embedded where a backend has to keep more. */
struct nft_decoder {
	struct ruleset *rs;                /* whose memory items and names become */
	const struct nft_expr_kind *kinds; /* to one without a name, the most frequent first */
	struct rule rule;
	struct match matches[RULE_MATCHES_MAX];
	struct nft_reg regs[NFT_REGS + 1]; /* the last: what is none */
};

/* Begins with a rule for those families that does nothing. */
void nft_decoder_init(struct nft_decoder *d, struct ruleset *rs, unsigned families, const struct nft_expr_kind *kinds);

/* Decodes the rule of a message, expressions and comment, into @d->rule; its matches stay in @d. */
void nft_decoder_run(struct nft_decoder *d, const struct nlmsghdr *nlh);

/* --- for the functions of a table of expressions --- */

/* Expressions that both backends write. */
bool nft_decode_bitwise(struct nft_decoder *d, const struct nftnl_expr *e);
bool nft_decode_cmp(struct nft_decoder *d, const struct nftnl_expr *e);
bool nft_decode_counter(struct nft_decoder *d, const struct nftnl_expr *e);
bool nft_decode_immediate(struct nft_decoder *d, const struct nftnl_expr *e);
bool nft_decode_meta(struct nft_decoder *d, const struct nftnl_expr *e);
bool nft_decode_payload(struct nft_decoder *d, const struct nftnl_expr *e);
bool nft_decode_range(struct nft_decoder *d, const struct nftnl_expr *e);

/* The family of a rule for one. */
static inline enum family nft_decoder_family(const struct nft_decoder *d)
{
	return d->rule.families & FAMILY_BIT(IPV4) ? IPV4 : IPV6;
}

/* The register that attribute @attr (NFTNL_EXPR_...) of the expression names, for reading. */
const struct nft_reg *nft_decoder_reg(struct nft_decoder *d, const struct nftnl_expr *e, uint16_t attr);

/* What it holds from now on: anything; a field of @len bytes that @kind tests. */
bool nft_decoder_put(struct nft_decoder *d, const struct nftnl_expr *e, uint16_t attr, const struct nft_reg *content);
bool nft_decoder_load(struct nft_decoder *d, const struct nftnl_expr *e, uint16_t attr, enum match_kind kind, uint32_t len);

/* A rule does one thing: false if it has a target already. */
bool nft_decoder_set_target(struct nft_decoder *d, struct target target);

/* The next match, to be filled. */
struct match *nft_decoder_push(struct nft_decoder *d, enum match_kind kind, bool invert);

/* Turns a test of what a register holds (a FIELD) into a match; data as the register holds it. */
bool nft_decoder_test_equal(struct nft_decoder *d, const struct nft_reg *reg, bool invert, const uint8_t *data,
			    uint32_t len);
bool nft_decoder_test_range(struct nft_decoder *d, const struct nft_reg *reg, bool invert, const uint8_t *lo,
			    const uint8_t *hi);

/* Bytes of a register: a port, in network order; a mark or owner, in the machine's. */
static inline uint16_t nft_reg_u16(const uint8_t *data)
{
	return (uint16_t)(data[0] << 8 | data[1]);
}

static inline uint32_t nft_reg_u32(const uint8_t *data)
{
	uint32_t value;

	__builtin_memcpy(&value, data, sizeof(value));
	return value;
}

#endif
