/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Takes the place of libnftnl's own list of all expressions (src/expr_ops.c there), so that
 * only those that we build or read are linked: a tenth of the program.  libnftnl cannot parse a
 * rule with another one: see nft_rule_parse.  Of libnftnl's struct expr_ops only
 * that it begins with its name is relied upon (1.2.4 to 1.2.9; checked by the unit tests, which
 * build and parse every expression).
 */
#include <string.h>

#include "nft/expr.h"
#include "util.h"

struct expr_ops {
	const char *name;
};

extern struct expr_ops expr_ops_bitwise, expr_ops_byteorder, expr_ops_cmp, expr_ops_counter, expr_ops_ct,
	expr_ops_immediate, expr_ops_lookup, expr_ops_match, expr_ops_meta, expr_ops_payload, expr_ops_range,
	expr_ops_redir, expr_ops_target, expr_ops_tproxy;

struct expr_ops *nftnl_expr_ops_lookup(const char *type);

struct expr_ops *nftnl_expr_ops_lookup(const char *type)
{
	/* The most frequent first. */
	static struct expr_ops *const known[] = {
		&expr_ops_cmp,   &expr_ops_meta,   &expr_ops_immediate, &expr_ops_payload, &expr_ops_counter,
		&expr_ops_match, &expr_ops_target, &expr_ops_bitwise,   &expr_ops_lookup,  &expr_ops_redir,
		&expr_ops_ct,    &expr_ops_range,  &expr_ops_byteorder, &expr_ops_tproxy,
	};

	for (unsigned i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcmp(known[i]->name, type))
			return known[i];
	return NULL;
}

bool nft_expr_is_linked(const char *name)
{
	return nftnl_expr_ops_lookup(name);
}
