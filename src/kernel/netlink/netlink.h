/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all netlink families have in common (netlink(7)): a request goes out, and what comes
 * back is whole messages with its number, until one that ends them.
 *
 *   request seq 7, NLM_F_ACK     <-  ERROR seq 7: 0, or -errno
 *   request seq 8                <-  object seq 8
 *   request seq 9, NLM_F_DUMP    <-  object seq 9 MULTI, object seq 9 MULTI, ..., DONE seq 9: 0, or -errno
 *
 * Any of a dump's messages may have NLM_F_DUMP_INTR: something changed while it was made, and what
 * it shows never was so.
 */
#ifndef ISTIO_INIT_NETLINK_H
#define ISTIO_INIT_NETLINK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <libmnl/libmnl.h>

struct netlink {
	struct mnl_socket *socket;
	uint32_t seq; /* of the last request */
};

/* @bus: NETLINK_...  Returns 0 or -errno; then, too, netlink_close may be called. */
int netlink_open(struct netlink *nl, int bus);
void netlink_close(struct netlink *nl);
int netlink_fd(const struct netlink *nl);

/*
 * Starts the next request in @buf: its header, and behind it a zeroed one of the family, of @size
 * bytes (*@header).  The caller appends attributes.
 */
struct nlmsghdr *netlink_request(struct netlink *nl, void *buf, uint16_t type, uint16_t flags, void *header, size_t size);

/* Sends one request, or several one behind the other.  Returns 0 or -errno. */
int netlink_send(struct netlink *nl, const void *requests, size_t len);

/* The answers that a request gets, and how far they have got. */
struct netlink_answers {
	uint32_t seq;    /* of the request; others are left over from one that failed half-way */
	uint16_t header; /* bytes of the family's header in each object */
	void (*see)(const struct nlmsghdr *nlh, void *data); /* called for each object; NULL: the end is all that counts */
	void *data;
	bool interrupted; /* set if a dump shows what never was so; known only at the end */
	bool ended;       /* set with the last answer: what was returned then is the kernel's word */
};

/*
 * Whether the message lies within @left bytes and holds what its type takes for granted: an error
 * its number and the head of what it is about, an object the family's @header.  (libmnl takes a
 * length from 2 GiB on for a negative one, and any number for an error.)
 */
bool netlink_is_whole(const struct nlmsghdr *nlh, size_t left, uint16_t header);

/* Takes one datagram of answers: 1 if more are to come, 0 at the end, -EBADMSG, or -errno as the kernel says. */
int netlink_parse(struct netlink_answers *answers, const void *datagram, size_t len);

/*
 * Receives one datagram into @buf: its length, or -errno; -ENOSPC if it was longer.  Without @wait
 * -EAGAIN if there is none yet.
 */
ssize_t netlink_receive(struct netlink *nl, void *buf, size_t size, bool wait);

/* Receives and parses until the end: 0 or -errno. */
int netlink_finish(struct netlink *nl, struct netlink_answers *answers, void *buf, size_t size);

#endif
