/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Comparisons of registers back to matches. */
#include "nft/decode.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter.h>

#include "merge.h"
#include "util.h"

#define CTSTATES (CTSTATE_INVALID | CTSTATE_ESTABLISHED | CTSTATE_RELATED | CTSTATE_NEW)

struct match *nft_decoder_push(struct nft_decoder *d, enum match_kind kind, bool invert)
{
	struct match *m;

	if (d->rule.n_matches == RULE_MATCHES_MAX) {
		d->rule.unknown |= UNKNOWN_TEST;
		d->rule.n_matches--;
	}
	m = &d->matches[d->rule.n_matches++];
	*m = (struct match){ .kind = (uint8_t)kind, .invert = invert, .n = 1 };
	return m;
}

/* Bits that are set at the beginning of a mask of @len bytes; -1 if others are, too. */
static int mask_prefix(const uint8_t *mask, uint32_t len)
{
	uint32_t n = 0;

	while (n < 8 * len && mask[n / 8] & 0x80 >> n % 8)
		n++;
	for (uint32_t i = n; i < 8 * len; i++)
		if (mask[i / 8] & 0x80 >> i % 8)
			return -1;
	return (int)n;
}

static bool test_addr(struct nft_decoder *d, const struct nft_reg *reg, bool invert, const uint8_t *data, uint32_t len)
{
	struct prefix *prefix = ruleset_alloc(d->rs, sizeof(*prefix));
	int bits = reg->masked ? mask_prefix(reg->mask, reg->len) : 8 * (int)reg->len;

	if (len != reg->len || bits < 0)
		return false;
	prefix->family = (uint8_t)nft_decoder_family(d);
	prefix->len = (uint8_t)bits;
	memcpy(prefix->addr, data, len);
	nft_decoder_push(d, reg->kind, invert)->prefixes = prefix;
	return true;
}

static bool test_iface(struct nft_decoder *d, const struct nft_reg *reg, bool invert, const uint8_t *data, uint32_t len)
{
	struct iface *iface = ruleset_alloc(d->rs, sizeof(*iface));
	size_t stem = strnlen((const char *)data, len);

	/* A name to its end, or the beginning of one. */
	if (reg->masked || !stem || stem > sizeof(iface->name) - 1 - (stem == len))
		return false;
	memcpy(iface->name, data, stem);
	if (stem == len)
		iface->name[stem] = '+';
	nft_decoder_push(d, reg->kind, invert)->ifaces = iface;
	return true;
}

/* A port or owner as the register holds it. */
static uint32_t reg_number(const struct nft_reg *reg, const uint8_t *data)
{
	if (reg->len == sizeof(uint16_t))
		return nft_reg_u16(data);
	return reg->network_order ? ntohl(nft_reg_u32(data)) : nft_reg_u32(data);
}

static bool test_numbers(struct nft_decoder *d, const struct nft_reg *reg, bool invert, const uint8_t *lo, const uint8_t *hi)
{
	struct range *range = ruleset_alloc(d->rs, sizeof(*range));

	if (reg->masked)
		return false;
	range->lo = reg_number(reg, lo);
	range->hi = reg_number(reg, hi);
	nft_decoder_push(d, reg->kind, invert)->ranges = range;
	return true;
}

static bool test_nfproto(struct nft_decoder *d, bool invert, uint8_t nfproto)
{
	enum family family = nfproto == NFPROTO_IPV4 ? IPV4 : IPV6;

	if (family == IPV6 && nfproto != NFPROTO_IPV6)
		return false;
	if (invert)
		nft_decoder_push(d, MATCH_NFPROTO, true)->proto = family;
	else
		d->rule.families &= FAMILY_BIT(family);
	return d->rule.families;
}

static bool test_scalar(struct nft_decoder *d, const struct nft_reg *reg, bool invert, const uint8_t *data)
{
	uint32_t mask = reg->masked ? nft_reg_u32(reg->mask) : UINT32_MAX;

	switch (reg->kind) {
	case MATCH_NFPROTO:
		return !reg->masked && test_nfproto(d, invert, *data);
	case MATCH_PROTO:
		if (reg->masked)
			return false;
		nft_decoder_push(d, reg->kind, invert)->proto = *data;
		return true;
	case MATCH_CTSTATE:
		/* One of the states: the rest of the mask is not zero. */
		if (!reg->masked || nft_reg_u32(data) || mask & ~CTSTATES)
			return false;
		nft_decoder_push(d, reg->kind, !invert)->ctstates = mask;
		return true;
	case MATCH_TCP_FLAGS:
		if (!reg->masked || (*reg->mask | *data) & ~TCP_FLAGS_ALL)
			return false;
		nft_decoder_push(d, reg->kind, invert)->mark = (struct mark){ *data, *reg->mask };
		return true;
	default:
		nft_decoder_push(d, reg->kind, invert)->mark = (struct mark){ nft_reg_u32(data), mask };
		return true;
	}
}

bool nft_decoder_test_equal(struct nft_decoder *d, const struct nft_reg *reg, bool invert, const uint8_t *data, uint32_t len)
{
	switch (reg->kind) {
	case MATCH_SRC:
	case MATCH_DST:
		return test_addr(d, reg, invert, data, len);
	case MATCH_IIF:
	case MATCH_OIF:
		return test_iface(d, reg, invert, data, len);
	default:
		if (len != reg->len)
			return false;
		if (reg->kind == MATCH_SPORT || reg->kind == MATCH_DPORT || reg->kind == MATCH_UID || reg->kind == MATCH_GID)
			return test_numbers(d, reg, invert, data, data);
		return test_scalar(d, reg, invert, data);
	}
}

/* A stretch of addresses, as a list of prefixes. */
static bool test_addrs(struct nft_decoder *d, const struct nft_reg *reg, bool invert, const uint8_t *lo, const uint8_t *hi)
{
	struct prefix *items = NULL, *item;
	struct span span = {};
	struct match *m;
	unsigned n = 0;
	bool more;

	if (reg->masked || reg->len != family_addr_len(nft_decoder_family(d)) || memcmp(lo, hi, reg->len) > 0)
		return false;
	memcpy(span.first, lo, reg->len);
	memcpy(span.last, hi, reg->len);
	do {
		item = array_push(&items, &n, sizeof(*item));
		more = span_split(&span, nft_decoder_family(d), item);
	} while (more);
	m = nft_decoder_push(d, reg->kind, invert);
	match_merge(m, memcpy(ruleset_alloc(d->rs, n * sizeof(*items)), items, n * sizeof(*items)), n);
	free(items);
	return true;
}

bool nft_decoder_test_range(struct nft_decoder *d, const struct nft_reg *reg, bool invert, const uint8_t *lo,
			    const uint8_t *hi)
{
	switch (reg->kind) {
	case MATCH_SRC:
	case MATCH_DST:
		return test_addrs(d, reg, invert, lo, hi);
	case MATCH_UID:
	case MATCH_GID:
		return reg->network_order && test_numbers(d, reg, invert, lo, hi);
	case MATCH_SPORT:
	case MATCH_DPORT:
		return test_numbers(d, reg, invert, lo, hi);
	default:
		return false;
	}
}
