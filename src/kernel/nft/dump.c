/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft/dump.h"

#include <stdlib.h>
#include <string.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "util.h"

void nft_dump_keep(struct nft_dump *dump, const struct nlmsghdr *nlh)
{
	const struct nlmsghdr **place = array_push(&dump->messages, &dump->n, sizeof(*place));

	*place = memcpy(ruleset_alloc(dump->rs, nlh->nlmsg_len + sizeof(uint32_t)), nlh, nlh->nlmsg_len);
}

void nft_dump_free(struct nft_dump *dump)
{
	free(dump->messages);
	dump->messages = NULL;
	dump->n = 0;
}

uint64_t nft_rule_handle(const struct nlmsghdr *nlh)
{
	const struct nlattr *attr;

	mnl_attr_for_each (attr, nlh, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attr) == NFTA_RULE_HANDLE && mnl_attr_validate(attr, MNL_TYPE_U64) >= 0)
			return mnl_attr_get_u64(attr);
	return 0;
}
