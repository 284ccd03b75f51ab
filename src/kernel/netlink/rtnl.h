/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rtnetlink (rtnetlink(7)): a change and its acknowledgement, one object, or a dump. */
#ifndef ISTIO_INIT_RTNL_H
#define ISTIO_INIT_RTNL_H

#include <stdbool.h>
#include <stdint.h>

#include "netlink/netlink.h"

struct rtnl {
	struct netlink link;
	bool sent;     /* the last request may have reached the kernel */
	bool answered; /* the last request reached the kernel, and its error, if any, is the kernel's word */
	/* A request, then its answers; no datagram of a dump is larger (NLMSG_GOODSIZE of linux/netlink.h). */
	char buf[8192] __attribute__((aligned(NLMSG_ALIGNTO)));
};

/* What to read: objects of one kind. */
struct rtnl_query {
	uint16_t type;                                       /* RTM_GET... */
	uint16_t header;                                     /* bytes of the family header in question and answer */
	void (*see)(const struct nlmsghdr *nlh, void *data); /* called for each object */
	void (*forget)(void *data);                          /* called before a dump begins, or begins anew */
	/* NULL, or adds to the request (nlh, and the family header) what to show of all; see rtnl_narrow */
	void (*narrow)(struct nlmsghdr *nlh, void *header, const void *data);
};

/* 0 or -errno. */
int rtnl_open(struct rtnl *rtnl);
void rtnl_close(struct rtnl *rtnl);

/* Starts a request in rtnl->buf with a zeroed family header of @size bytes behind it (*@header). */
struct nlmsghdr *rtnl_request(struct rtnl *rtnl, uint16_t type, uint16_t flags, void *header, size_t size);

/* Sends the request in rtnl->buf and waits for the acknowledgement: 0, or -errno as the kernel says. */
int rtnl_do(struct rtnl *rtnl);

/* Sends the request in rtnl->buf for one object, and shows it to @query. */
int rtnl_get(struct rtnl *rtnl, const struct rtnl_query *query, void *data);

/* From here on the kernel shows only what a dump asks for (Linux 4.20); false: it shows all, whatever is asked for. */
bool rtnl_narrow(struct rtnl *rtnl);

/* Dumps the objects of all families, unless narrowed.  -EINTR: they changed again and again while they were read. */
int rtnl_dump(struct rtnl *rtnl, const struct rtnl_query *query, void *data);

/* The answers to the request in rtnl->buf; @query: NULL if only the acknowledgement counts. */
struct netlink_answers rtnl_answers(const struct rtnl *rtnl, const struct rtnl_query *query, void *data);

#endif
