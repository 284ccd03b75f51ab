/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft/error.h"

#include <errno.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "ruleset.h"
#include "util.h"

/* Expressions that may be missing; the others (meta's basics, cmp, immediate, ...) are part of nf_tables. */
static const struct {
	const char *expr;
	struct nft_module module;
} expressions[] = {
	{ "redir", { "nft_redir", "CONFIG_NFT_REDIR" } },
	{ "tproxy", { "nft_tproxy", "CONFIG_NFT_TPROXY" } },
	{ "ct", { "nft_ct", "CONFIG_NFT_CT" } },
	{ "counter", { "nft_counter", "CONFIG_NFT_COUNTER" } },
	{ "match", { "nft_compat", "CONFIG_NFT_COMPAT" } },
	{ "target", { "nft_compat", "CONFIG_NFT_COMPAT" } },
};

/* NULL if it is none that may be missing. */
static const struct nft_module *find_module(const struct nfnl_refusal *r)
{
	for (unsigned i = 0; r->expr && i < ARRAY_SIZE(expressions); i++)
		if (!strcmp(expressions[i].expr, r->expr))
			return &expressions[i].module;
	return NULL;
}

static const char *family_word(uint8_t family)
{
	return family_nft(family == NFPROTO_INET ? FAMILIES : family == NFPROTO_IPV6 ? IPV6 : IPV4);
}

static const char *other_backends(const struct nfnl_refusal *r)
{
	return r->family == NFPROTO_INET ? "--backend=iptables-nft or --backend=iptables-legacy" :
					   "--backend=nftables or --backend=iptables-legacy";
}

/* "the rule of --redirect-dns in chain X, table inet Y" */
#define RULE_FMT "the rule%s%s in chain %s, table %s %s"
#define RULE_ARG(r) \
	origin_of(r) ? " of " : "", origin_of(r) ? origin_of(r) : "", (r)->chain, family_word((r)->family), (r)->table

static const char *origin_of(const struct nfnl_refusal *r)
{
	const struct rule *rule = r->cookie;

	return rule ? rule->origin : NULL;
}

bool nft_sets_zone(const struct nfnl_refusal *r)
{
	const struct rule *rule = r->cookie;

	return r->type == NFT_MSG_NEWRULE && rule && rule->target.kind == TARGET_CT_ZONE;
}

/* Rules that take a part of the kernel that is not there. */
static bool explain_rule(const struct nfnl_refusal *r, const struct nft_module *module, struct err *err)
{
	if (r->type != NFT_MSG_NEWRULE)
		return false;
	if (r->error == EOPNOTSUPP && nft_sets_zone(r)) {
		err_set(err, STATUS_UNSUPPORTED, EOPNOTSUPP,
			"this kernel has no conntrack zones (CONFIG_NF_CONNTRACK_ZONES), which table %s %s needs to capture DNS",
			family_word(r->family), r->table);
		err_hint(err, "use --dns-zones=off");
	} else if (module) {
		err_set(err, STATUS_UNSUPPORTED, EOPNOTSUPP,
			"the kernel refuses " RULE_FMT ": module %s (%s) is not loaded or not built, or too old (%s)",
			RULE_ARG(r), module->name, module->option, strerror(r->error));
		err_hint(err, "run `modprobe %s` on the node, or use %s", module->name, other_backends(r));
	} else {
		err_set(err, STATUS_UNSUPPORTED, EOPNOTSUPP, "the kernel refuses " RULE_FMT ": %s%s%s", RULE_ARG(r),
			r->expr ? r->expr : "", r->expr ? ": " : "", strerror(r->error));
		err_hint(err,
			 "a module may be missing: try `modprobe -a nft_redir nft_ct nft_tproxy nft_compat` on the node, or use %s",
			 other_backends(r));
	}
	err->cause = nft_sets_zone(r) ? CAUSE_ZONES : CAUSE_OTHER;
	return true;
}

/* Chains of NAT in inet tables came with Linux 5.2 (net/netfilter/nft_chain_nat.c). */
static bool explain_chain(const struct nfnl_refusal *r, struct err *err)
{
	if (r->type != NFT_MSG_NEWCHAIN)
		return false;
	err_set(err, STATUS_UNSUPPORTED, EOPNOTSUPP,
		r->family == NFPROTO_INET ?
			"this kernel cannot hold chain %s of table %s %s: inet tables take Linux 5.2 or later, and for NAT the "
			"module nft_chain_nat (CONFIG_NFT_NAT)" :
			"this kernel cannot hold chain %s of table %s %s: module nft_chain_nat (CONFIG_NFT_NAT) is not loaded or "
			"not built",
		r->chain, family_word(r->family), r->table);
	err_hint(err, "run `modprobe nft_chain_nat` on the node, or use %s", other_backends(r));
	return true;
}

static bool explain_table(const struct nfnl_refusal *r, struct err *err)
{
	const char *option = r->family == NFPROTO_INET ? "INET" : r->family == NFPROTO_IPV6 ? "IPV6" : "IPV4";

	/* The first message: it also has to answer for the transaction as a whole. */
	if (r->type != NFT_MSG_NEWTABLE || (r->error != EAFNOSUPPORT && r->error != EOPNOTSUPP))
		return false;
	err_set(err, STATUS_UNSUPPORTED, EOPNOTSUPP,
		"this kernel's nftables has no tables of family %s (CONFIG_NF_TABLES_%s)", family_word(r->family), option);
	err_hint(err, "use %s", other_backends(r));
	return true;
}

static bool explain_set(const struct nfnl_refusal *r, struct err *err)
{
	if (r->type != NFT_MSG_NEWSET && r->type != NFT_MSG_NEWSETELEM)
		return false;
	err_set(err, STATUS_UNSUPPORTED, EOPNOTSUPP,
		"the kernel refuses a set of table %s %s, which holds a list: module nf_tables_set (CONFIG_NF_TABLES_SET) is not "
		"loaded or not built (%s)",
		family_word(r->family), r->table, strerror(r->error));
	err_hint(err, "run `modprobe nf_tables_set` on the node, or use %s", other_backends(r));
	return true;
}

/* Rules inside another one, `jump { ... }`, go only with that (nf_tables_delrule of nf_tables_api.c, Linux 5.9). */
static bool explain_nested(const struct nfnl_refusal *r, struct err *err)
{
	if (r->type != NFT_MSG_DELRULE || r->error != EOPNOTSUPP)
		return false;
	err_set(err, STATUS_FAILED, r->error,
		"a rule of table %s %s that is not Istio's holds others in braces, and one of these leads to a chain of Istio's",
		family_word(r->family), r->table);
	err_hint(err, "find it with `nft list table %s %s` and remove it", family_word(r->family), r->table);
	return true;
}

int nft_explain(const struct nfnl_refusal *r, const struct nft_module *behind, struct err *err)
{
	switch (r->error) {
	case EPERM:
	case EACCES:
		return nfnl_fail(r->error, err);
	case ENOMEM:
	case ENOBUFS:
		err_set(err, STATUS_FAILED, r->error, "the kernel has no memory for the nftables rules");
		err_hint(err, "raise the container's memory limit, or use shorter lists");
		return -r->error;
	case EBUSY:
		if (r->type != NFT_MSG_DELCHAIN)
			break;
		err_set(err, STATUS_FAILED, r->error,
			"chain %s of table %s %s is in use: a map or rule that is not Istio's leads to it", r->chain,
			family_word(r->family), r->table);
		err_hint(err, "find it with `nft list table %s %s` and remove it", family_word(r->family), r->table);
		return -r->error;
	case ENOENT:
	case EINVAL:
	case EOPNOTSUPP:
	case EAFNOSUPPORT:
	case EPROTONOSUPPORT:
	case ERANGE:
	case EOVERFLOW:
		if (explain_nested(r, err) || explain_rule(r, behind ? behind : find_module(r), err) ||
		    explain_chain(r, err) || explain_table(r, err) || explain_set(r, err))
			return -EOPNOTSUPP;
		break;
	}
	err_set(err, STATUS_FAILED, r->error, "the kernel refuses the nftables transaction%s%s: %s",
		*r->table ? ", at table " : "", r->table, strerror(r->error));
	err_hint(err, "run it again, or use --backend=iptables-legacy");
	return -r->error;
}
