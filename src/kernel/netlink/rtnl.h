/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A thin layer over libmnl for rtnetlink (rtnetlink(7)): a change and its acknowledgement, one object, or a dump. */
#ifndef ISTIO_INIT_RTNL_H
#define ISTIO_INIT_RTNL_H

#include <stdbool.h>
#include <stdint.h>

#include <libmnl/libmnl.h>

struct rtnl {
	struct mnl_socket *socket;
	uint32_t seq;
	bool answered; /* the last request reached the kernel, and its error, if any, is the kernel's word */
	/* A request, then its answers; no datagram of a dump is larger (NLMSG_GOODSIZE of linux/netlink.h). */
	char buf[8192] __attribute__((aligned(NLMSG_ALIGNTO)));
};

/* What to read: objects of one kind. */
struct rtnl_query {
	uint16_t type;                                          /* RTM_GET... */
	uint16_t header;                                        /* bytes of the family header in question and answer */
	void (*see)(const struct nlmsghdr *nlh, void *data);    /* called for each object */
	void (*forget)(void *data);                             /* called before a dump begins, or begins anew */
};

/* Where the answers to one request have got to. */
struct rtnl_answers {
	const struct rtnl_query *query; /* NULL: only the acknowledgement counts */
	void *data;
	uint32_t seq;
	bool interrupted; /* what a dump showed changed under way */
};

/* 0 or -errno. */
int rtnl_open(struct rtnl *rtnl);
void rtnl_close(struct rtnl *rtnl);

/* Whether an answer's error is 0 or one of -errno (MAX_ERRNO of the kernel's linux/err.h). */
static inline bool errno_is_known(int error)
{
	return error <= 0 && error >= -4095;
}

/* Starts a request in rtnl->buf with a zeroed family header of @size bytes behind it (*@header). */
struct nlmsghdr *rtnl_request(struct rtnl *rtnl, uint16_t type, uint16_t flags, void *header, size_t size);

/* Sends the request in rtnl->buf and waits for the acknowledgement: 0, or -errno as the kernel says. */
int rtnl_do(struct rtnl *rtnl);

/* Sends the request in rtnl->buf for one object, and shows it to @query. */
int rtnl_get(struct rtnl *rtnl, const struct rtnl_query *query, void *data);

/* Dumps the objects of all families.  -EINTR: they changed again and again while they were read. */
int rtnl_dump(struct rtnl *rtnl, const struct rtnl_query *query, void *data);

/* Reads one datagram of answers: 1 if more are to come, 0 at the end, or -errno as the kernel says. */
int rtnl_parse(struct rtnl_answers *answers, const void *datagram, size_t len);

#endif
