/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is behind the refusal of an xtables extension by nft_compat. */
#include "iptables_nft/iptables_nft.h"

#include <errno.h>
#include <string.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>

#include "nft/error.h"
#include "xt/xt.h"

/* net/netfilter/xt_owner.c: only IDs that are mapped, in a netns of the own user namespace. */
static int fail_owner(const struct nfnl_refusal *r, struct err *err)
{
	int rc = err_set(err, STATUS_UNSUPPORTED, EOPNOTSUPP,
			 "the kernel refuses the owner match of table %s: a UID or GID of it is not mapped in this user "
			 "namespace, or the network namespace belongs to another one",
			 r->table);

	err_hint(err, "use --backend=nftables, which tests owners without that restriction");
	return rc;
}

/* The name inside a match or target of nft_compat (NFTA_MATCH_NAME and NFTA_TARGET_NAME are both 1). */
static const char *extension_name(const struct nfnl_refusal *r)
{
	const struct nlattr *attr;

	if (r->type == NFT_MSG_NEWRULE && r->expr && r->data && (!strcmp(r->expr, "match") || !strcmp(r->expr, "target")))
		mnl_attr_for_each_nested (attr, r->data)
			if (mnl_attr_get_type(attr) == NFTA_MATCH_NAME)
				return mnl_attr_get_str(attr);
	return NULL;
}

static int fail_missing(const struct nfnl_refusal *r, const struct xt_extension *ext, struct err *err)
{
	err_set(err, STATUS_UNSUPPORTED, EOPNOTSUPP,
		"this kernel lacks the xtables %s \"%s\" for table %s: module %s (%s), or nft_compat (CONFIG_NFT_COMPAT), is not "
		"loaded or not built",
		ext->target ? "target" : "match", ext->name, r->table, ext->module, ext->option);
	err_hint(err, "run `modprobe -a nft_compat %s` on the node, or use --backend=nftables", ext->module);
	err->cause = nft_sets_zone(r) ? CAUSE_ZONES : CAUSE_OTHER;
	return -EOPNOTSUPP;
}

static int explain(const struct nfnl_refusal *r, struct err *err)
{
	const char *name = extension_name(r);
	const struct xt_extension *ext = name ? xt_extension_find(name, !strcmp(r->expr, "target")) : NULL;

	if (!ext)
		return nft_explain(r, NULL, err);
	if (r->error == EINVAL && !strcmp(name, "owner"))
		return fail_owner(r, err);
	if (r->error == ENOENT)
		return fail_missing(r, ext, err);
	return nft_explain(r, &(struct nft_module){ ext->module, ext->option }, err);
}

const struct nfnl_writer iptables_nft_writer = { .explain = explain, .items = "rules" };
