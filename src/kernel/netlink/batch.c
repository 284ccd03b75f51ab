/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One transaction in one write.  Messages are numbered from 1; only the last of those in between
 * asks for an acknowledgement (NLM_F_ACK: one for each would overrun the receive buffer):
 *
 *   1 BATCH_BEGIN generation   2 NEWTABLE   3 NEWCHAIN   ...   9 NEWRULE ACK   10 BATCH_END
 *
 * Errors are answered whether asked for or not, in the order of the messages, and all answers are
 * there when send returns.  So the first tells the outcome (nfnetlink_rcv_batch of the kernel's
 * net/netfilter/nfnetlink.c):
 *
 *   9: 0         all was applied
 *   3: -errno    nothing was, since 3 is refused (others may be, too)
 *   1: -errno    nothing was: the transaction as a whole is refused; -ERESTART: another generation
 *
 * Without BATCH_END everything is acknowledged, and nothing happens.
 */
#include "netlink/batch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "util.h"

/* The default rules of both families fit. */
#define BATCH_FIRST_SIZE 32768
#define BATCH_MARK_ROOM 64
#define FIRST_SEQ 1

/* What a message is for. */
struct nfnl_note {
	const struct nfnl_writer *writer;
	const void *cookie;
};

static struct nlmsghdr *batch_last(const struct nfnl_batch *batch)
{
	return (struct nlmsghdr *)(batch->data + batch->last);
}

size_t nfnl_batch_bytes(const struct nfnl_batch *batch)
{
	return batch->n ? batch->last + MNL_ALIGN(batch_last(batch)->nlmsg_len) : 0;
}

static struct nlmsghdr *batch_put(struct nfnl_batch *batch, size_t room, uint16_t type, uint8_t family, uint16_t flags,
				  uint16_t res_id)
{
	size_t used = nfnl_batch_bytes(batch);
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

static void batch_note(struct nfnl_batch *batch, const void *cookie)
{
	struct nfnl_note *note = array_push(&batch->notes, &batch->n, sizeof(*note));

	*note = (struct nfnl_note){ batch->writer, cookie };
}

void nfnl_batch_init(struct nfnl_batch *batch, struct nfnl *nfnl, unsigned before)
{
	struct nlmsghdr *nlh;

	memset(batch, 0, sizeof(*batch));
	batch->nfnl = nfnl;
	batch->size = BATCH_FIRST_SIZE;
	batch->data = xreallocarray(NULL, batch->size, 1);
	nlh = batch_put(batch, BATCH_MARK_ROOM, NFNL_MSG_BATCH_BEGIN, NFPROTO_UNSPEC, 0, NFNL_SUBSYS_NFTABLES);
	mnl_attr_put_u32(nlh, NFNL_BATCH_GENID, htonl(nfnl->generation + before));
	batch_note(batch, NULL);
}

void nfnl_batch_release(struct nfnl_batch *batch)
{
	free(batch->data);
	free(batch->notes);
}

struct nlmsghdr *nfnl_batch_add(struct nfnl_batch *batch, size_t room, uint16_t type, uint8_t family, uint16_t flags,
				const void *cookie)
{
	/* And for BATCH_END, so that nothing is allocated any more when the transaction is sent. */
	struct nlmsghdr *nlh = batch_put(batch, room + BATCH_MARK_ROOM, NFNL_TYPE(type), family, flags, 0);

	batch_note(batch, cookie);
	return nlh;
}

/* What the transaction has too much of: "rules", "list items and rules". */
static void name_items(const struct nfnl_batch *batch, char *text, size_t size)
{
	size_t len = 0;

	*text = '\0';
	for (unsigned i = 0; i < batch->n; i++) {
		const struct nfnl_writer *writer = batch->notes[i].writer;

		if (writer && !strstr(text, writer->items) && len < size)
			len += (size_t)snprintf(text + len, size - len, "%s%s", len ? " and " : "", writer->items);
	}
}

static int fail_too_long(const struct nfnl_batch *batch, size_t limit, struct err *err)
{
	size_t bytes = nfnl_batch_bytes(batch), fixed = bytes - batch->items_bytes;
	size_t fit = limit > fixed && batch->items_bytes ?
			     (size_t)((double)(limit - fixed) * batch->items / (double)batch->items_bytes) :
			     0;
	char items[64];

	name_items(batch, items, sizeof(items));
	err_set(err, STATUS_UNSUPPORTED, EOPNOTSUPP,
		"%u %s are too many for one nftables transaction in a user namespace: some %zu fit into the send buffer",
		batch->items, items, fit);
	err_hint(err,
		 "raise the node's limit (sysctl net.core.wmem_max=%zu), use shorter lists or wider CIDRs, or run in the "
		 "node's user namespace",
		 bytes / 2 + 1024);
	return -EOPNOTSUPP;
}

/*
 * The kernel takes a message of sk_sndbuf - 32 bytes (netlink_sendmsg), by default some
 * 212 kB; SO_SNDBUF is doubled (sk_set_sndbuf) and bounded by net.core.wmem_max, which
 * SO_SNDBUFFORCE is not, but takes CAP_NET_ADMIN in the initial user namespace.
 */
static int raise_limit(const struct nfnl_batch *batch, int fd, size_t bytes, struct err *err)
{
	int want = bytes < INT32_MAX / 2 ? (int)bytes + 1024 : INT32_MAX / 2, have = 0;
	socklen_t len = sizeof(have);

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &want, sizeof(want)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &want, sizeof(want));
	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &have, &len))
		return err_set(err, STATUS_FAILED, errno, "the size of the send buffer cannot be read: %s",
			       strerror(errno));
	return bytes <= (size_t)have - 32 ? 0 : fail_too_long(batch, (size_t)have - 32, err);
}

static int batch_transmit(const struct nfnl_batch *batch, int fd, size_t bytes, struct err *err)
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
		return nfnl_fail(errno, err);
	rc = errno == EINTR ? EAGAIN : errno;
	err_set(err, STATUS_FAILED, rc, "the transaction of %zu bytes cannot be sent to nf_tables: %s", bytes,
		strerror(rc));
	err_hint(err, rc == ENOBUFS || rc == ENOMEM ? "raise the container's memory limit, or use shorter lists" :
						      "run it again");
	return -rc;
}

static const struct nlattr *find_attr(const struct nlattr *nest, uint16_t type)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested (attr, nest)
		if (mnl_attr_get_type(attr) == type)
			return attr;
	return NULL;
}

/* The expression of a NEWRULE that the attribute at @offset of the message belongs to. */
static void blame_expr(struct nfnl_refusal *refusal, const struct nlmsghdr *nlh, uint32_t offset)
{
	const char *at = (const char *)nlh + offset;
	const struct nlattr *list = NULL, *attr, *expr;

	mnl_attr_for_each (attr, nlh, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attr) == NFTA_RULE_EXPRESSIONS)
			list = attr;
	if (!list)
		return;
	mnl_attr_for_each_nested (expr, list) {
		if (at < (const char *)expr || at >= (const char *)expr + mnl_attr_get_len(expr))
			continue;
		attr = find_attr(expr, NFTA_EXPR_NAME);
		refusal->expr = attr ? mnl_attr_get_str(attr) : NULL;
		refusal->data = find_attr(expr, NFTA_EXPR_DATA);
	}
}

/* Fills in what is known of the message @seq of the batch. */
static void blame(struct nfnl_refusal *refusal, const struct nfnl_batch *batch, uint32_t seq, uint32_t offset)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)batch->data;

	for (uint32_t i = FIRST_SEQ; i < seq; i++)
		nlh = (const struct nlmsghdr *)((const char *)nlh + MNL_ALIGN(nlh->nlmsg_len));
	refusal->type = NFNL_MSG_TYPE(nlh->nlmsg_type);
	refusal->family = ((const struct nfgenmsg *)mnl_nlmsg_get_payload(nlh))->nfgen_family;
	refusal->table = nfnl_attr_str(nlh, NFTA_RULE_TABLE);
	if (refusal->type == NFT_MSG_NEWRULE)
		refusal->chain = nfnl_attr_str(nlh, NFTA_RULE_CHAIN);
	else if (refusal->type == NFT_MSG_NEWCHAIN || refusal->type == NFT_MSG_DELCHAIN)
		refusal->chain = nfnl_attr_str(nlh, NFTA_CHAIN_NAME);
	refusal->cookie = batch->notes[seq - FIRST_SEQ].cookie;
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
	mnl_attr_for_each (attr, nlh, skip)
		if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_OFFS && mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
			return mnl_attr_get_u32(attr);
	return 0;
}

static int fail_refused(const struct nfnl_batch *batch, const struct nlmsghdr *nlh, const struct nlmsgerr *e,
			struct err *err)
{
	struct nfnl_refusal refusal = { .error = -e->error, .table = "", .chain = "" };
	const struct nfnl_writer *writer = batch->writer;
	uint32_t seq = e->msg.nlmsg_seq;

	if (refusal.error == ERESTART || refusal.error == EAGAIN || refusal.error == EINTR)
		return err_set(err, STATUS_BUSY, EAGAIN, "another program changed the nftables rules at the same time");
	if (seq > FIRST_SEQ && seq < FIRST_SEQ + batch->n) {
		blame(&refusal, batch, seq, answer_offset(nlh, e));
		writer = batch->notes[seq - FIRST_SEQ].writer;
	}
	return writer->explain(&refusal, err);
}

/* 0, or -errno with @err. */
static int batch_outcome(struct nfnl_batch *batch, struct err *err)
{
	struct nfnl *nfnl = batch->nfnl;
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)nfnl->buffer;
	const struct nlmsgerr *e;
	/* ENOBUFS, once: there were more answers than could be queued; the first are there. */
	ssize_t n = netlink_receive(&nfnl->link, nfnl->buffer, sizeof(nfnl->buffer), false);

	batch->lost = n < 0 || !netlink_is_whole(nlh, (size_t)n, sizeof(struct nfgenmsg)) || nlh->nlmsg_type != NLMSG_ERROR;
	if (batch->lost)
		return err_set(err, STATUS_BUSY, EAGAIN, "the kernel's answer to the transaction got lost");
	e = mnl_nlmsg_get_payload(nlh);
	return e->error ? fail_refused(batch, nlh, e, err) : 0;
}

int nfnl_batch_send(struct nfnl_batch *batch, struct err *err)
{
	int rc;

	if (batch->n <= 1)
		return 0;
	batch_last(batch)->nlmsg_flags |= NLM_F_ACK;
	batch_put(batch, BATCH_MARK_ROOM, NFNL_MSG_BATCH_END, NFPROTO_UNSPEC, 0, NFNL_SUBSYS_NFTABLES);
	rc = batch_transmit(batch, netlink_fd(&batch->nfnl->link), nfnl_batch_bytes(batch), err);
	if (!rc)
		rc = batch_outcome(batch, err);
	if (rc)
		nfnl_forget_answers(batch->nfnl);
	return rc;
}
