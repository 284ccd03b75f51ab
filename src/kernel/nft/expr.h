/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The expressions of nf_tables rules, as both nft backends write them: appended to a
 * rule, through register 1.  Data is copied, in the order that the register holds.
 * Keys, operators and verdicts are those of linux/netfilter/nf_tables.h.
 */
#ifndef ISTIO_INIT_NFT_EXPR_H
#define ISTIO_INIT_NFT_EXPR_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <libmnl/libmnl.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>

/*
 * nftnl_rule_nlmsg_parse for messages that may be malformed: 0 or -1.  In place of an expression that is not linked
 * (nft/expr_ops.c) stands a cmp without attributes, which no decoder takes for a test; @unlinked is told its name.
 */
int nft_rule_parse(const struct nlmsghdr *nlh, struct nftnl_rule *r, void (*unlinked)(const char *name, void *data),
		   void *data);

/* Whether libnftnl is linked with the expression. */
bool nft_expr_is_linked(const char *name);

/* An expression of any kind, without attributes. */
struct nftnl_expr *nft_add_expr(struct nftnl_rule *r, const char *name);

/* Into the register, or out of it. */
void nft_add_meta(struct nftnl_rule *r, uint32_t key);
void nft_add_meta_set(struct nftnl_rule *r, uint32_t key);
void nft_add_ct(struct nftnl_rule *r, uint32_t key);
void nft_add_ct_set(struct nftnl_rule *r, uint32_t key);
void nft_add_payload(struct nftnl_rule *r, uint32_t base, uint32_t offset, uint32_t len);
void nft_add_immediate(struct nftnl_rule *r, const void *data, uint32_t len);

/* register & mask; @len up to 16 */
void nft_add_mask(struct nftnl_rule *r, const void *mask, uint32_t len);
/* 4 bytes from the machine's order to the network's. */
void nft_add_hton(struct nftnl_rule *r);

/* Tests of the register. */
void nft_add_equal(struct nftnl_rule *r, bool invert, const void *data, uint32_t len);
void nft_add_range(struct nftnl_rule *r, bool invert, const void *lo, const void *hi, uint32_t len);
void nft_add_lookup(struct nftnl_rule *r, bool invert, const char *set);

/* @chain: of a jump or goto, else NULL. */
void nft_add_verdict(struct nftnl_rule *r, int verdict, const char *chain);

#endif
