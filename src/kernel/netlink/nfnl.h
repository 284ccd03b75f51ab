/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading nf_tables over nfnetlink.  It numbers its transactions (the generation), and what
 * several dumps show is only whole if the number is the same before and behind them:
 *
 *   GETGEN + first dump  ->  generation 7, objects
 *   next dump            ->  objects
 *   GETGEN               ->  generation 7: whole; another: read again
 */
#ifndef ISTIO_INIT_NFNL_H
#define ISTIO_INIT_NFNL_H

#include <stdint.h>

#include "err.h"
#include "netlink/netlink.h"

struct nfnl {
	struct netlink link;
	uint32_t generation;
	unsigned dumps;     /* since the generation was read; 0: it is to be read */
	char buffer[32768]; /* MNL_SOCKET_DUMP_SIZE: what the kernel fills at most in one go */
};

/* A type of message as netlink has it, of an NFT_MSG_... */
#define NFNL_TYPE(type) ((uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | (type)))

/*
 * Returns 0; -EOPNOTSUPP (STATUS_UNSUPPORTED) where the kernel has no nfnetlink;
 * -EPERM or -EACCES (STATUS_NOPERM); or another -errno.  Free with nfnl_close (NULL is fine).
 */
int nfnl_open(struct nfnl **nfnl, struct err *err);
void nfnl_close(struct nfnl *nfnl);

/*
 * Forgets what the kernel still has to say, on the same socket: where another one cannot be had, what was written could
 * not be taken back.  If need be the next dump connects again.
 */
void nfnl_forget_answers(struct nfnl *nfnl);

/* What to dump: everything of a type (NFT_MSG_GET...), narrowed by what is not NULL. */
struct nfnl_query {
	uint16_t type;
	uint8_t family;    /* NFPROTO_..., NFPROTO_UNSPEC: all */
	const char *table; /* for GETRULE, GETSET, GETSETELEM */
	const char *set;   /* for GETSETELEM */
};

/*
 * Calls @see for each message of the dump, which is valid during the call.  The first dump of a link
 * or of nfnl_read also reads the generation.
 * Returns 0; -EINTR if somebody changed the rules meanwhile: what was read is of no use;
 * -ENOENT for a table or set that is gone; -EOPNOTSUPP or -EPERM as nfnl_open; all with @err.
 */
int nfnl_dump(struct nfnl *nfnl, const struct nfnl_query *query, void (*see)(const struct nlmsghdr *nlh, void *data),
	      void *data, struct err *err);

/*
 * Runs @read, which resets @data and dumps, until nobody changed anything between its
 * first and its last dump.  Returns what @read returns, or -EAGAIN when rivals never rest.
 */
int nfnl_read(struct nfnl *nfnl, int (*read)(struct nfnl *nfnl, void *data, struct err *err), void *data, struct err *err);

/* A top attribute of a message: its string, "" without; its number (big-endian in the message), 0 without. */
const char *nfnl_attr_str(const struct nlmsghdr *nlh, uint16_t type);
uint32_t nfnl_attr_u32(const struct nlmsghdr *nlh, uint16_t type);

/* What it means that a socket, a dump or a transaction as a whole fails: fills @err, returns -errno as nfnl_open. */
int nfnl_fail(int error, struct err *err);

#endif
