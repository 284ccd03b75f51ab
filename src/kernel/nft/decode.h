/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the two halves of decoding native rules: expressions, and the tests among them. */
#ifndef ISTIO_INIT_NFTABLES_DECODE_H
#define ISTIO_INIT_NFTABLES_DECODE_H

#include <stdio.h> /* before libnftnl's headers, which name FILE */

#include <libnftnl/expr.h>

#include "nftables/nftables.h"

#define REG_BYTES 16
#define REGS 16

/* What a register holds. */
struct reg {
	enum { REG_UNKNOWN, REG_DATA, REG_FIELD } holds;
	uint8_t kind; /* FIELD: the match that tests it */
	uint32_t len; /* bytes */
	bool network_order, masked, has_lower;
	uint8_t mask[REG_BYTES];
	uint8_t data[REG_BYTES]; /* DATA; of a FIELD the lower end that it was compared with */
};

struct decoder {
	struct ruleset *rs;
	const struct nftables_dump *dump;
	enum table_id table;
	struct rule rule;
	struct match matches[RULE_MATCHES_MAX];
	struct reg regs[REGS + 1]; /* the last: what is none */
	bool tproxy_marked, tproxy_accepted;
};

/* The rule is nothing that the model can express. Returns 0, for callbacks. */
static inline int decoder_set_unknown(struct decoder *d)
{
	d->rule.unknown = true;
	return 0;
}

/* Of a rule for one. */
static inline enum family decoder_family(const struct decoder *d)
{
	return d->rule.families & FAMILY_BIT(IPV4) ? IPV4 : IPV6;
}

/* Decodes the rule of a message into @d->rule: @decode for each expression, comment, and what the whole means. */
void decoder_run(struct decoder *d, const struct nlmsghdr *nlh, int (*decode)(struct nftnl_expr *e, void *data));

/* The expressions of native rules; @data: struct decoder. */
int decoder_expr(struct nftnl_expr *e, void *data);

/* The next match, to be filled. */
struct match *decoder_push(struct decoder *d, uint8_t kind, bool invert);

/* Turns tests of what a register holds (a FIELD) into matches; data as the register holds it. */
int decoder_test_equal(struct decoder *d, const struct reg *reg, bool invert, const uint8_t *data, uint32_t len);
int decoder_test_range(struct decoder *d, const struct reg *reg, bool invert, const uint8_t *lo, const uint8_t *hi);

/* Bytes of a register. */
static inline uint16_t decoder_net_u16(const uint8_t *data)
{
	return (uint16_t)(data[0] << 8 | data[1]);
}

static inline uint32_t decoder_host_u32(const uint8_t *data)
{
	uint32_t value;

	__builtin_memcpy(&value, data, sizeof(value));
	return value;
}

#endif
