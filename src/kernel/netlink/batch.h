/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A transaction of nf_tables in one piece: it is applied as a whole or not at all, and only if
 * nothing changed since the generation that the link read.  Several may write to one.  The
 * kernel's side is net/netfilter/nfnetlink.c; batch.c draws what goes over the wire.
 */
#ifndef ISTIO_INIT_NFNL_BATCH_H
#define ISTIO_INIT_NFNL_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "netlink/nfnl.h"

/* What the kernel said about a transaction that it refused.  Pointers are into the batch. */
struct nfnl_refusal {
	int error;                 /* errno */
	uint16_t type;             /* NFT_MSG_... of the message; 0: the transaction as a whole */
	uint8_t family;            /* NFPROTO_... */
	const char *table, *chain; /* of the message, "" if it names none */
	const char *expr;          /* the expression at fault ("redir", "match"); NULL if that is unknown */
	const struct nlattr *data; /* its NFTA_EXPR_DATA; NULL without */
	const void *cookie;        /* of the message; NULL without */
};

/* Whoever adds messages. */
struct nfnl_writer {
	/* Fills @err in the user's terms; returns -errno, -EOPNOTSUPP where the kernel lacks something. */
	int (*explain)(const struct nfnl_refusal *refusal, struct err *err);
	const char *items; /* what to have less of where the transaction is too long ("list items", "rules") */
};

struct nfnl_batch {
	/* Who adds from now on; to be set before the first message, and by each who goes on. */
	const struct nfnl_writer *writer;
	/* Of all writers: counted by them, with the bytes of the messages that grow with them. */
	unsigned items;
	size_t items_bytes;

	bool lost; /* it was sent, but the outcome is not known */

	/* Private: @n messages, the last of them, at @last, still being built; BATCH_BEGIN is one. */
	struct nfnl *nfnl;
	char *data;
	size_t size, last;
	struct nfnl_note *notes; /* for each message */
	unsigned n;
};

/*
 * The link must have dumped something.  @before: so many transactions of ours come between that and this one.  Free with
 * nfnl_batch_release, which takes zeros, too.
 */
void nfnl_batch_init(struct nfnl_batch *batch, struct nfnl *nfnl, unsigned before);
void nfnl_batch_release(struct nfnl_batch *batch);

/*
 * Begins the next message, with at least @room bytes for all of it; the caller appends
 * attributes until the next call.  @type: NFT_MSG_...; @flags: besides NLM_F_REQUEST.
 * @cookie: for an error to name; what it is, the writer's explain knows; not owned.
 * The pointer is valid until the next call.
 */
struct nlmsghdr *nfnl_batch_add(struct nfnl_batch *batch, size_t room, uint16_t type, uint8_t family, uint16_t flags,
				const void *cookie);

/* Bytes of the transaction so far. */
size_t nfnl_batch_bytes(const struct nfnl_batch *batch);

/*
 * Sends it, once; if nothing was added, nothing is sent.  Returns 0; -EAGAIN if somebody changed
 * the rules since they were read, or if the outcome got lost: read again; -EOPNOTSUPP
 * (STATUS_UNSUPPORTED) if the kernel lacks what a rule takes, or takes no transaction as long;
 * or another -errno.  All with @err.
 */
int nfnl_batch_send(struct nfnl_batch *batch, struct err *err);

#endif
