/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading nf_tables: what a dump shows is only whole if no transaction came in between. */
#include "netlink/batch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "netlink/rtnl.h"
#include "util.h"

/* A rival that commits more often than we can read; --wait is the caller's. */
#define READ_ATTEMPTS 20

#define NFT_TYPE(type) ((uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | (type)))

static int link_connect(struct nft_link *link, struct err *err)
{
	/* Not bound: the kernel does it at the first message. */
	link->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	link->dumps = 0;
	return link->socket ? 0 : nft_error_link(errno, err);
}

static void link_disconnect(struct nft_link *link)
{
	if (link->socket)
		mnl_socket_close(link->socket);
	link->socket = NULL;
}

int nft_link_open(struct nft_link **link, struct err *err)
{
	/* Not zeroed: the buffer is large, and most of it never used. */
	struct nft_link *l = xreallocarray(NULL, 1, sizeof(*l));
	int rc = link_connect(l, err);

	l->seq = 0;
	if (rc) {
		free(l);
		return rc;
	}
	*link = l;
	return 0;
}

/* The way to forget what a dump or a transaction still has to say. */
int nft_link_reopen(struct nft_link *link, struct err *err)
{
	link_disconnect(link);
	return link_connect(link, err);
}

void nft_link_close(struct nft_link *link)
{
	if (!link)
		return;
	link_disconnect(link);
	free(link);
}

static struct nlmsghdr *put_request(void *buf, uint16_t type, uint8_t family, uint16_t flags, uint32_t seq)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));

	nlh->nlmsg_type = NFT_TYPE(type);
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = seq;
	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	return nlh;
}

/* The table's attribute is 1 in all of them (include/uapi/linux/netfilter/nf_tables.h). */
static void put_query(struct nlmsghdr *nlh, const struct nft_query *query)
{
	if (query->table)
		mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, query->table);
	if (query->set)
		mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, query->set);
}

static int take_generation(const struct nlmsghdr *nlh, void *data)
{
	*(uint32_t *)data = nft_attr_u32(nlh, NFTA_GEN_ID);
	return MNL_CB_STOP;
}

/* libmnl takes a length from 2 GiB on for a negative one; an error may be any number, and callbacks take a header for granted. */
static bool message_is_whole(const struct nlmsghdr *nlh, size_t left)
{
	size_t payload = mnl_nlmsg_get_payload_len(nlh);

	if (nlh->nlmsg_len > left)
		return false;
	if (nlh->nlmsg_type == NLMSG_ERROR)
		return payload >= sizeof(struct nlmsgerr) && errno_is_known(((const struct nlmsgerr *)mnl_nlmsg_get_payload(nlh))->error);
	return nlh->nlmsg_type < NLMSG_MIN_TYPE || payload >= sizeof(struct nfgenmsg);
}

bool nft_answer_is_whole(const void *answer, size_t len)
{
	const struct nlmsghdr *nlh = answer;

	for (int left = (int)len; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
		if (!message_is_whole(nlh, (size_t)left))
			return false;
	return true;
}

/*
 * Receives the answer to the request @seq; one message, or a dump until its end.
 * 0 or -errno.  Without a port ID of our own to compare: only the kernel can write to us.
 */
static int link_receive(struct nft_link *link, uint32_t seq, mnl_cb_t cb, void *data)
{
	ssize_t n;
	int rc;

	do {
		n = mnl_socket_recvfrom(link->socket, link->buffer, sizeof(link->buffer));
		if (n < 0)
			return -errno;
		if (!nft_answer_is_whole(link->buffer, (size_t)n))
			return -EBADMSG;
		rc = mnl_cb_run(link->buffer, (size_t)n, seq, 0, cb, data);
	} while (rc > MNL_CB_STOP);
	return rc < 0 ? -errno : 0;
}

static int link_fail(struct nft_link *link, int error, struct err *err)
{
	int rc;

	if (error != EINTR && error != ENOENT)
		return nft_error_link(error, err);
	rc = nft_link_reopen(link, err);
	return rc ? rc : err_set(err, STATUS_BUSY, error, "the nftables rules changed while they were read");
}

int nft_link_dump(struct nft_link *link, const struct nft_query *query, mnl_cb_t cb, void *data, struct err *err)
{
	uint32_t generation_seq = link->seq + 1, seq = link->seq + 2;
	_Alignas(struct nlmsghdr) char request[1024];
	struct nlmsghdr *nlh = (struct nlmsghdr *)request;
	size_t len = 0;
	int rc;

	link->seq = seq;
	if (!link->dumps)
		len = put_request(nlh, NFT_MSG_GETGEN, NFPROTO_UNSPEC, 0, generation_seq)->nlmsg_len;
	nlh = put_request(request + len, query->type, query->family, NLM_F_DUMP, seq);
	put_query(nlh, query);
	len += nlh->nlmsg_len;
	if (mnl_socket_sendto(link->socket, request, len) < 0)
		return link_fail(link, errno, err);
	if (!link->dumps) {
		rc = link_receive(link, generation_seq, take_generation, &link->generation);
		if (rc)
			return link_fail(link, -rc, err);
	}
	link->dumps++;
	rc = link_receive(link, seq, cb, data);
	return rc ? link_fail(link, -rc, err) : 0;
}

/* Whether the generation is still the one that was read: 1, 0 or -errno. */
static int link_is_current(struct nft_link *link, struct err *err)
{
	_Alignas(struct nlmsghdr) char request[64];
	struct nlmsghdr *nlh = put_request(request, NFT_MSG_GETGEN, NFPROTO_UNSPEC, 0, ++link->seq);
	uint32_t generation = 0;
	int rc;

	if (mnl_socket_sendto(link->socket, nlh, nlh->nlmsg_len) < 0)
		return link_fail(link, errno, err);
	rc = link_receive(link, link->seq, take_generation, &generation);
	if (rc)
		return link_fail(link, -rc, err);
	return generation == link->generation;
}

int nft_link_read(struct nft_link *link, int (*read)(struct nft_link *link, void *data, struct err *err), void *data,
		  struct err *err)
{
	int rc;

	for (unsigned i = 0; i < READ_ATTEMPTS; i++) {
		link->dumps = 0;
		rc = read(link, data, err);
		/* One dump is whole in itself: the kernel marks it if it is not. */
		if (!rc && link->dumps > 1) {
			rc = link_is_current(link, err);
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
