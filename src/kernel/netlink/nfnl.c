/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netlink/nfnl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "util.h"

/* A rival that commits more often than we can read; --wait is the caller's. */
#define READ_ATTEMPTS 20

/* More do not fit into a receive buffer. */
#define ANSWERS_MAX 1000

#define MODPROBE_HINT "run `modprobe nf_tables` on the node, or use --backend=iptables-legacy"

int nfnl_fail(int error, struct err *err)
{
	switch (error) {
	case EPERM: /* whether NET_ADMIN is there was looked at first */
	case EACCES:
		err_set(err, STATUS_NOPERM, error,
			"the kernel refuses access to the nftables rules of this network namespace");
		err_hint(err, HINT_DENIED);
		return -error;
	case EPROTONOSUPPORT: /* from socket */
	case EAFNOSUPPORT:
	case ESOCKTNOSUPPORT:
		err_set(err, STATUS_UNSUPPORTED, EOPNOTSUPP,
			"this kernel has no nfnetlink (module nfnetlink, CONFIG_NETFILTER_NETLINK), so no nftables");
		err_hint(err, MODPROBE_HINT);
		return -EOPNOTSUPP;
	case EINVAL: /* from NFT_MSG_GETGEN: nobody listens to NFNL_SUBSYS_NFTABLES */
	case EOPNOTSUPP:
		err_set(err, STATUS_UNSUPPORTED, EOPNOTSUPP,
			"this kernel has no nftables (module nf_tables, CONFIG_NF_TABLES)");
		err_hint(err, MODPROBE_HINT);
		return -EOPNOTSUPP;
	default:
		err_set(err, STATUS_FAILED, error, "the nftables rules cannot be read: %s", strerror(error));
		err_hint(err, "run it again, or use --backend=iptables-legacy");
		return -error;
	}
}

static int nfnl_connect(struct nfnl *nfnl, struct err *err)
{
	int rc = netlink_open(&nfnl->link, NETLINK_NETFILTER);

	nfnl->dumps = 0;
	return rc ? nfnl_fail(-rc, err) : 0;
}

int nfnl_open(struct nfnl **nfnl, struct err *err)
{
	/* Not zeroed: the buffer is large, and most of it never used. */
	struct nfnl *n = xreallocarray(NULL, 1, sizeof(*n));
	int rc = nfnl_connect(n, err);

	n->link.seq = 0;
	if (rc) {
		free(n);
		return rc;
	}
	*nfnl = n;
	return 0;
}

void nfnl_forget_answers(struct nfnl *nfnl)
{
	for (unsigned i = 0; i < ANSWERS_MAX; i++)
		if (netlink_receive(&nfnl->link, nfnl->buffer, sizeof(nfnl->buffer), false) == -EAGAIN)
			return;
	netlink_close(&nfnl->link);
}

void nfnl_close(struct nfnl *nfnl)
{
	if (!nfnl)
		return;
	netlink_close(&nfnl->link);
	free(nfnl);
}

const char *nfnl_attr_str(const struct nlmsghdr *nlh, uint16_t type)
{
	const struct nlattr *attr;

	mnl_attr_for_each (attr, nlh, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attr) == type && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
			return mnl_attr_get_str(attr);
	return "";
}

uint32_t nfnl_attr_u32(const struct nlmsghdr *nlh, uint16_t type)
{
	const struct nlattr *attr;

	mnl_attr_for_each (attr, nlh, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attr) == type && mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
			return ntohl(mnl_attr_get_u32(attr));
	return 0;
}

static struct nlmsghdr *put_request(struct nfnl *nfnl, void *buf, uint16_t type, uint8_t family, uint16_t flags)
{
	struct nfgenmsg *nfg;
	struct nlmsghdr *nlh = netlink_request(&nfnl->link, buf, NFNL_TYPE(type), flags, &nfg, sizeof(*nfg));

	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	return nlh;
}

/* The table's attribute is 1 in all of them (include/uapi/linux/netfilter/nf_tables.h). */
static void put_query(struct nlmsghdr *nlh, const struct nfnl_query *query)
{
	if (query->table)
		mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, query->table);
	if (query->set)
		mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, query->set);
}

static int receive(struct nfnl *nfnl, uint32_t seq, void (*see)(const struct nlmsghdr *nlh, void *data), void *data)
{
	struct netlink_answers answers = { .seq = seq, .header = sizeof(struct nfgenmsg), .see = see, .data = data };
	int rc = netlink_finish(&nfnl->link, &answers, nfnl->buffer, sizeof(nfnl->buffer));

	return rc ? rc : answers.interrupted ? -EINTR : 0;
}

static void see_generation(const struct nlmsghdr *nlh, void *data)
{
	*(uint32_t *)data = nfnl_attr_u32(nlh, NFTA_GEN_ID);
}

static int dump_fail(int error, struct err *err)
{
	if (error == EINTR || error == ENOENT)
		return err_set(err, STATUS_BUSY, error, "the nftables rules changed while they were read");
	return nfnl_fail(error, err);
}

int nfnl_dump(struct nfnl *nfnl, const struct nfnl_query *query, void (*see)(const struct nlmsghdr *nlh, void *data),
	      void *data, struct err *err)
{
	_Alignas(struct nlmsghdr) char requests[1024];
	uint32_t generation_seq = 0;
	struct nlmsghdr *nlh;
	size_t len = 0;
	int rc = nfnl->link.socket ? 0 : nfnl_connect(nfnl, err);

	if (rc)
		return rc;
	if (!nfnl->dumps) {
		nlh = put_request(nfnl, requests, NFT_MSG_GETGEN, NFPROTO_UNSPEC, 0);
		generation_seq = nlh->nlmsg_seq;
		len = nlh->nlmsg_len;
	}
	nlh = put_request(nfnl, requests + len, query->type, query->family, NLM_F_DUMP);
	put_query(nlh, query);
	rc = netlink_send(&nfnl->link, requests, len + nlh->nlmsg_len);
	if (!rc && !nfnl->dumps)
		rc = receive(nfnl, generation_seq, see_generation, &nfnl->generation);
	if (!rc) {
		nfnl->dumps++;
		rc = receive(nfnl, nfnl->link.seq, see, data);
	}
	return rc ? dump_fail(-rc, err) : 0;
}

/* Whether the generation is still the one that was read: 1, 0 or -errno. */
static int is_current(struct nfnl *nfnl, struct err *err)
{
	_Alignas(struct nlmsghdr) char request[64];
	struct nlmsghdr *nlh = put_request(nfnl, request, NFT_MSG_GETGEN, NFPROTO_UNSPEC, 0);
	uint32_t generation = 0;
	int rc = netlink_send(&nfnl->link, nlh, nlh->nlmsg_len);

	if (!rc)
		rc = receive(nfnl, nfnl->link.seq, see_generation, &generation);
	return rc ? dump_fail(-rc, err) : generation == nfnl->generation;
}

int nfnl_read(struct nfnl *nfnl, int (*read)(struct nfnl *nfnl, void *data, struct err *err), void *data, struct err *err)
{
	int rc;

	for (unsigned i = 0; i < READ_ATTEMPTS; i++) {
		nfnl->dumps = 0;
		rc = read(nfnl, data, err);
		/* One dump is whole in itself: the kernel marks it if it is not. */
		if (!rc && nfnl->dumps > 1) {
			rc = is_current(nfnl, err);
			if (rc > 0)
				return 0;
			if (!rc)
				continue;
		}
		if (rc != -EINTR && rc != -ENOENT)
			return rc;
	}
	return err_set(err, STATUS_BUSY, EAGAIN, "another program keeps changing the nftables rules while they are read");
}
