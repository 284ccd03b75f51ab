/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The nf_tables transport that both nft backends share: consistent dumps, and
 * one transaction in one message.  The kernel's side is net/netfilter/nfnetlink.c.
 */
#ifndef ISTIO_INIT_NFT_BATCH_H
#define ISTIO_INIT_NFT_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include <libmnl/libmnl.h>

#include "err.h"
#include "ruleset.h"

/* The longest message that carries set elements; a netlink attribute ends at 64 KiB (16 bits). */
#define NFT_ELEMENTS_MAX 61440

struct nft_link; /* one NETLINK_NETFILTER socket, and what it read */

/*
 * Returns 0; -EOPNOTSUPP (STATUS_UNSUPPORTED) where the kernel has no nfnetlink;
 * -EPERM or -EACCES (STATUS_NOPERM); or another -errno.  Free with nft_link_close (NULL is fine).
 */
int nft_link_open(struct nft_link **link, struct err *err);
void nft_link_close(struct nft_link *link);

/* What to dump: everything of a type (NFT_MSG_GET...), narrowed by what is not NULL. */
struct nft_query {
	uint16_t type;
	uint8_t family;    /* NFPROTO_..., NFPROTO_UNSPEC: all */
	const char *table; /* for GETRULE, GETSET, GETSETELEM */
	const char *set;   /* for GETSETELEM */
};

/*
 * Calls @cb (libmnl's contract: MNL_CB_OK, or MNL_CB_ERROR with errno) for each message of
 * the dump.  The first dump of a link or of nft_link_read also reads the generation.
 * Returns 0; -EINTR if somebody changed the rules meanwhile: what was read is of no use;
 * -ENOENT for a table or set that is gone; -EOPNOTSUPP or -EPERM as nft_link_open; all with @err.
 */
int nft_link_dump(struct nft_link *link, const struct nft_query *query, mnl_cb_t cb, void *data, struct err *err);

/*
 * Runs @read, which resets @data and dumps, until nobody changed anything between its
 * first and its last dump.  Returns what @read returns, or -EAGAIN when rivals never rest.
 */
int nft_link_read(struct nft_link *link, int (*read)(struct nft_link *link, void *data, struct err *err), void *data,
		  struct err *err);

/* A top attribute of a message: its string, "" without; its number, 0 without. */
const char *nft_attr_str(const struct nlmsghdr *nlh, uint16_t type);
uint32_t nft_attr_u32(const struct nlmsghdr *nlh, uint16_t type);

/* What the kernel said about a transaction that it refused. */
struct nft_refusal {
	int error;             /* errno */
	uint16_t type;         /* NFT_MSG_... of the message; 0: the transaction as a whole */
	uint8_t family;        /* NFPROTO_... */
	const char *table, *chain; /* of the message, "" if it names none */
	const char *expr;      /* the expression at fault ("redir", "match"); NULL if that is unknown */
	const char *extension; /* the xt extension inside it ("owner"); NULL if there is none */
	const struct rule *rule; /* of the message; NULL without */
};

/*
 * A transaction: it is applied as a whole or not at all, and only if nothing changed
 * since the generation that the link read.  What may be set after nft_batch_init:
 */
struct nft_batch {
	/* Fills @err if it knows better than nft_error_refused; returns -errno, or 0 if it does not. */
	int (*explain)(const struct nft_refusal *refusal, struct err *err);
	/* What to have less of where the transaction is too long: counted by the caller ... */
	const char *items_name; /* ("list items", "rules") */
	unsigned items;
	size_t items_bytes;     /* ... with the bytes of the messages that grow with them */

	struct nft_link *link;

	/* Private: @n messages, the last of them, at @last, still being built; BATCH_BEGIN is one. */
	char *data;
	size_t size, last;
	const struct rule **rules;
	unsigned n;
};

/* The link must have dumped something. */
void nft_batch_init(struct nft_batch *batch, struct nft_link *link);
void nft_batch_release(struct nft_batch *batch);

/*
 * Begins the next message, with at least @room bytes for all of it; the caller appends
 * attributes until the next call.  @type: NFT_MSG_...; @flags: besides NLM_F_REQUEST.
 * @rule: what the message is for, NULL if it is for none; kept for an error to name.
 * The pointer is valid until the next call.
 */
struct nlmsghdr *nft_batch_add(struct nft_batch *batch, size_t room, uint16_t type, uint8_t family, uint16_t flags,
			       const struct rule *rule);

/* Bytes of the transaction so far. */
size_t nft_batch_bytes(const struct nft_batch *batch);

/*
 * Sends it, once; if nothing was added, nothing is sent.  Returns 0; -EAGAIN if somebody changed the rules since they were read, or
 * if the outcome got lost: read again; -EOPNOTSUPP (STATUS_UNSUPPORTED) if the kernel lacks
 * what a rule takes, or takes no transaction as long; or another -errno.  All with @err.
 */
int nft_batch_send(struct nft_batch *batch, struct err *err);

/* Errors in the user's terms; each returns -errno, -EOPNOTSUPP where the kernel lacks something. */
int nft_error_link(int error, struct err *err);
int nft_error_refused(const struct nft_refusal *refusal, struct err *err);
int nft_error_too_long(const struct nft_batch *batch, size_t limit, struct err *err);

/* Between nft_link.c and nft_batch.c. */
struct nft_link {
	struct mnl_socket *socket;
	uint32_t seq;
	uint32_t generation;
	unsigned dumps;     /* since the generation was read; 0: it is to be read */
	char buffer[32768]; /* MNL_SOCKET_DUMP_SIZE: what the kernel fills at most in one go */
};
int nft_link_reopen(struct nft_link *link, struct err *err);
/* Whether each message lies in the @len bytes of an answer, and has its header. */
bool nft_answer_is_whole(const void *answer, size_t len);

#endif
