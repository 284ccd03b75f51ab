/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is behind the refusal of an xtables extension by nft_compat. */
#include "iptables_nft/iptables_nft.h"

#include <errno.h>
#include <string.h>

#include <linux/netfilter/nf_tables.h>

#include "xt/xt.h"

/* net/netfilter/xt_owner.c: only IDs that are mapped, in a netns of the own user namespace. */
static int fail_owner(const struct nft_refusal *r, struct err *err)
{
	int rc = err_set(err, STATUS_UNSUPPORTED, EOPNOTSUPP,
			 "the kernel refuses the owner match of table %s: a UID or GID of it is not mapped in this user "
			 "namespace, or the network namespace belongs to another one", r->table);

	err_hint(err, "use --backend=nftables, which tests owners without that restriction");
	return rc;
}

int iptables_nft_explain(const struct nft_refusal *r, struct err *err)
{
	const struct xt_extension *ext;
	bool target;

	if (r->type != NFT_MSG_NEWRULE || !r->expr || !r->extension)
		return 0;
	if (r->error == EINVAL && !strcmp(r->extension, "owner"))
		return fail_owner(r, err);
	target = !strcmp(r->expr, "target");
	ext = xt_extension_find(r->extension, target);
	if (r->error != ENOENT || !ext)
		return 0;
	err_set(err, STATUS_UNSUPPORTED, EOPNOTSUPP,
		"this kernel lacks the xtables %s \"%s\" for table %s: module %s (%s), or nft_compat (CONFIG_NFT_COMPAT), is not "
		"loaded or not built", target ? "target" : "match", ext->name, r->table, ext->module, ext->option);
	err_hint(err, "run `modprobe -a nft_compat %s` on the node, or use --backend=nftables", ext->module);
	return -EOPNOTSUPP;
}
