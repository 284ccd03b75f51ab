/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft/match.h"

#include <linux/netfilter/nf_tables.h>

uint32_t nft_addr_offset(enum match_kind kind, enum family family)
{
	if (family == IPV4)
		return kind == MATCH_SRC ? 12 : 16;
	return kind == MATCH_SRC ? 8 : 24;
}

static void add_bytes(struct nftnl_rule *r, const struct match *m, uint32_t len)
{
	nft_add_payload(r, NFT_PAYLOAD_NETWORK_HEADER, nft_addr_offset(m->kind, m->prefixes->family), len);
}

void nft_add_addr(struct nftnl_rule *r, const struct match *m)
{
	add_bytes(r, m, family_addr_len(m->prefixes->family));
}

void nft_add_prefix(struct nftnl_rule *r, const struct match *m)
{
	const struct prefix *p = m->prefixes;
	uint32_t len = family_addr_len(p->family);
	uint8_t mask[16] = {};

	/* Whole bytes are compared where they are. */
	if (p->len && p->len % 8 == 0) {
		add_bytes(r, m, p->len / 8u);
		nft_add_equal(r, m->invert, p->addr, p->len / 8u);
		return;
	}
	for (unsigned bit = 0; bit < p->len; bit++)
		mask[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	nft_add_addr(r, m);
	nft_add_mask(r, mask, len);
	nft_add_equal(r, m->invert, p->addr, len);
}

void nft_add_tcp_flags(struct nftnl_rule *r, const struct match *m)
{
	uint8_t mask = (uint8_t)m->mark.mask, value = (uint8_t)m->mark.value;

	nft_add_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, TCP_FLAGS_OFFSET, sizeof(mask));
	nft_add_mask(r, &mask, sizeof(mask));
	nft_add_equal(r, m->invert, &value, sizeof(value));
}

void nft_add_mark(struct nftnl_rule *r, const struct match *m)
{
	if (m->mark.mask != UINT32_MAX)
		nft_add_mask(r, &m->mark.mask, sizeof(m->mark.mask));
	nft_add_equal(r, m->invert, &m->mark.value, sizeof(m->mark.value));
}
