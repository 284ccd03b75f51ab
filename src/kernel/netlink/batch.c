/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One transaction in one message.  What follows nfnetlink_rcv_batch of the kernel's
 * net/netfilter/nfnetlink.c:
 * - Without BATCH_END everything is acknowledged and nothing happens.
 * - Answers are queued in the order of the messages before sendmsg returns, errors
 *   whether they are asked for or not.  The last message asks for its acknowledgement:
 *   if that comes first, there was no error.  (One for each overruns the receive buffer.)
 * - An error of the transaction as a whole carries the number of BATCH_BEGIN.
 */
#include "netlink/batch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>

#include "util.h"

/* The default rules of both families fit. */
#define BATCH_FIRST_SIZE 32768
#define BATCH_MARK_ROOM 64
#define RECEIVE_ATTEMPTS 3
/* Messages are numbered from 1, BATCH_BEGIN being the first. */
#define FIRST_SEQ 1

static struct nlmsghdr *batch_last(const struct nft_batch *batch)
{
	return (struct nlmsghdr *)(batch->data + batch->last);
}

size_t nft_batch_bytes(const struct nft_batch *batch)
{
	return batch->n ? batch->last + MNL_ALIGN(batch_last(batch)->nlmsg_len) : 0;
}

static struct nlmsghdr *batch_put(struct nft_batch *batch, size_t room, uint16_t type, uint8_t family, uint16_t flags,
				  uint16_t res_id)
{
	size_t used = nft_batch_bytes(batch);
	struct nlmsghdr *nlh;
	struct nfgenmsg *nfg;

	while (used + room > batch->size) {
		batch->size *= 2;
		batch->data = xreallocarray(batch->data, batch->size, 1);
	}
	batch->last = used;
	nlh = mnl_nlmsg_put_header(batch->data + used);
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = FIRST_SEQ + batch->n;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	nfg->res_id = htons(res_id);
	return nlh;
}

static void batch_note(struct nft_batch *batch, const struct rule *rule)
{
	const struct rule **place = array_push(&batch->rules, &batch->n, sizeof(*place));

	*place = rule;
}

void nft_batch_init(struct nft_batch *batch, struct nft_link *link)
{
	struct nlmsghdr *nlh;

	memset(batch, 0, sizeof(*batch));
	batch->link = link;
	batch->size = BATCH_FIRST_SIZE;
	batch->data = xreallocarray(NULL, batch->size, 1);
	nlh = batch_put(batch, BATCH_MARK_ROOM, NFNL_MSG_BATCH_BEGIN, NFPROTO_UNSPEC, 0, NFNL_SUBSYS_NFTABLES);
	mnl_attr_put_u32(nlh, NFNL_BATCH_GENID, htonl(link->generation));
	batch_note(batch, NULL);
}

void nft_batch_release(struct nft_batch *batch)
{
	free(batch->data);
	free(batch->rules);
}

struct nlmsghdr *nft_batch_add(struct nft_batch *batch, size_t room, uint16_t type, uint8_t family, uint16_t flags,
			       const struct rule *rule)
{
	/* And for BATCH_END, so that nothing is allocated any more when the transaction is sent. */
	struct nlmsghdr *nlh = batch_put(batch, room + BATCH_MARK_ROOM, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type),
					 family, flags, 0);

	batch_note(batch, rule);
	return nlh;
}

/*
 * The kernel takes a message of sk_sndbuf - 32 bytes (netlink_sendmsg), by default some
 * 212 kB; SO_SNDBUF is doubled (sk_set_sndbuf) and bounded by net.core.wmem_max, which
 * SO_SNDBUFFORCE is not, but takes CAP_NET_ADMIN in the initial user namespace.
 */
static int raise_limit(const struct nft_batch *batch, int fd, size_t bytes, struct err *err)
{
	int want = bytes < INT32_MAX / 2 ? (int)bytes + 1024 : INT32_MAX / 2, have = 0;
	socklen_t len = sizeof(have);

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &want, sizeof(want)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &want, sizeof(want));
	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &have, &len))
		return err_set(err, STATUS_FAILED, errno, "the size of the send buffer cannot be read: %s", strerror(errno));
	return bytes <= (size_t)have - 32 ? 0 : nft_error_too_long(batch, (size_t)have - 32, err);
}

static int batch_transmit(const struct nft_batch *batch, int fd, size_t bytes, struct err *err)
{
	int rc, on = 1;
	ssize_t sent;

	/* Answers that do not repeat the message, and say which attribute is at fault; older kernels do without. */
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	sent = send(fd, batch->data, bytes, 0);
	if (sent < 0 && errno == EMSGSIZE) {
		rc = raise_limit(batch, fd, bytes, err);
		if (rc)
			return rc;
		sent = send(fd, batch->data, bytes, 0);
	}
	if (sent >= 0)
		return 0;
	if (errno == EPERM || errno == EACCES)
		return nft_error_link(errno, err);
	rc = errno == EINTR ? EAGAIN : errno;
	err_set(err, STATUS_FAILED, rc, "the transaction of %zu bytes cannot be sent to nf_tables: %s", bytes, strerror(rc));
	err_hint(err, rc == ENOBUFS || rc == ENOMEM ? "raise the container's memory limit, or use shorter lists" : "run it again");
	return -rc;
}

const char *nft_attr_str(const struct nlmsghdr *nlh, uint16_t type)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attr) == type && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
			return mnl_attr_get_str(attr);
	return "";
}

uint32_t nft_attr_u32(const struct nlmsghdr *nlh, uint16_t type)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attr) == type && mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
			return ntohl(mnl_attr_get_u32(attr));
	return 0;
}

static int fail_beaten(struct err *err)
{
	return err_set(err, STATUS_BUSY, EAGAIN, "another program changed the nftables rules at the same time");
}

static const struct nlattr *find_attr(const struct nlattr *nest, uint16_t type)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest)
		if (mnl_attr_get_type(attr) == type)
			return attr;
	return NULL;
}

/* The names in the expression of a NEWRULE that the attribute at @offset of the message belongs to. */
static void blame_expr(struct nft_refusal *refusal, const struct nlmsghdr *nlh, uint32_t offset)
{
	const char *at = (const char *)nlh + offset;
	const struct nlattr *list = NULL, *attr, *expr, *data;
	bool compat;

	mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attr) == NFTA_RULE_EXPRESSIONS)
			list = attr;
	if (!list)
		return;
	mnl_attr_for_each_nested(expr, list) {
		if (at < (const char *)expr || at >= (const char *)expr + mnl_attr_get_len(expr))
			continue;
		attr = find_attr(expr, NFTA_EXPR_NAME);
		data = find_attr(expr, NFTA_EXPR_DATA);
		refusal->expr = attr ? mnl_attr_get_str(attr) : NULL;
		compat = refusal->expr && (!strcmp(refusal->expr, "match") || !strcmp(refusal->expr, "target"));
		/* NFTA_MATCH_NAME and NFTA_TARGET_NAME are both 1. */
		attr = compat && data ? find_attr(data, NFTA_MATCH_NAME) : NULL;
		refusal->extension = attr ? mnl_attr_get_str(attr) : NULL;
	}
}

/* Fills in what is known of the message @seq of the batch. */
static void blame(struct nft_refusal *refusal, const struct nft_batch *batch, uint32_t seq, uint32_t offset)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)batch->data;

	if (seq <= FIRST_SEQ || seq >= FIRST_SEQ + batch->n)
		return;
	for (uint32_t i = FIRST_SEQ; i < seq; i++)
		nlh = (const struct nlmsghdr *)((const char *)nlh + MNL_ALIGN(nlh->nlmsg_len));
	refusal->type = NFNL_MSG_TYPE(nlh->nlmsg_type);
	refusal->family = ((const struct nfgenmsg *)mnl_nlmsg_get_payload(nlh))->nfgen_family;
	refusal->table = nft_attr_str(nlh, NFTA_RULE_TABLE);
	if (refusal->type == NFT_MSG_NEWRULE)
		refusal->chain = nft_attr_str(nlh, NFTA_RULE_CHAIN);
	else if (refusal->type == NFT_MSG_NEWCHAIN || refusal->type == NFT_MSG_DELCHAIN)
		refusal->chain = nft_attr_str(nlh, NFTA_CHAIN_NAME);
	refusal->rule = batch->rules[seq - FIRST_SEQ];
	if (refusal->type == NFT_MSG_NEWRULE)
		blame_expr(refusal, nlh, offset);
}

/* NLMSGERR_ATTR_OFFS of an answer (include/uapi/linux/netlink.h), 0 without. */
static uint32_t answer_offset(const struct nlmsghdr *nlh, const struct nlmsgerr *e)
{
	size_t skip = sizeof(*e);
	const struct nlattr *attr;

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return 0;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED)) {
		if (e->msg.nlmsg_len < sizeof(e->msg) || e->msg.nlmsg_len > nlh->nlmsg_len)
			return 0;
		skip += MNL_ALIGN(e->msg.nlmsg_len) - sizeof(e->msg);
	}
	mnl_attr_for_each(attr, nlh, skip)
		if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_OFFS && mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
			return mnl_attr_get_u32(attr);
	return 0;
}

static int fail_refused(const struct nft_batch *batch, const struct nlmsghdr *nlh, const struct nlmsgerr *e, struct err *err)
{
	struct nft_refusal refusal = { .error = -e->error, .table = "", .chain = "" };
	int rc;

	if (refusal.error == ERESTART || refusal.error == EAGAIN || refusal.error == EINTR)
		return fail_beaten(err);
	blame(&refusal, batch, e->msg.nlmsg_seq, answer_offset(nlh, e));
	rc = batch->explain ? batch->explain(&refusal, err) : 0;
	return rc ? rc : nft_error_refused(&refusal, err);
}

/* 0, or -errno with @err.  The first answer tells all; it is there when sendmsg returns. */
static int batch_outcome(const struct nft_batch *batch, struct err *err)
{
	struct nft_link *link = batch->link;
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)link->buffer;
	const struct nlmsgerr *e;
	ssize_t n = -1;

	/* ENOBUFS: there were more answers than could be queued; the first are there. */
	for (unsigned i = 0; i < RECEIVE_ATTEMPTS && n < 0; i++)
		n = recv(mnl_socket_get_fd(link->socket), link->buffer, sizeof(link->buffer), MSG_DONTWAIT);
	if (n < 0 || !mnl_nlmsg_ok(nlh, (int)n) || !nft_answer_is_whole(nlh, (size_t)n) || nlh->nlmsg_type != NLMSG_ERROR ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(*e))
		return err_set(err, STATUS_BUSY, EAGAIN, "the kernel's answer to the transaction got lost");
	e = mnl_nlmsg_get_payload(nlh);
	return e->error ? fail_refused(batch, nlh, e, err) : 0;
}

int nft_batch_send(struct nft_batch *batch, struct err *err)
{
	struct err reopen_err;
	int rc;

	if (batch->n <= 1)
		return 0;
	batch_last(batch)->nlmsg_flags |= NLM_F_ACK;
	batch_put(batch, BATCH_MARK_ROOM, NFNL_MSG_BATCH_END, NFPROTO_UNSPEC, 0, NFNL_SUBSYS_NFTABLES);
	rc = batch_transmit(batch, mnl_socket_get_fd(batch->link->socket), nft_batch_bytes(batch), err);
	if (!rc)
		rc = batch_outcome(batch, err);
	/* More answers may be waiting: to be forgotten with the socket. */
	if (rc && nft_link_reopen(batch->link, &reopen_err))
		*err = reopen_err;
	return rc;
}
