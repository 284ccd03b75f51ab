/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A thin layer over libmnl for rtnetlink: one request, one acknowledgement; or a dump. */
#ifndef ISTIO_INIT_RTNL_H
#define ISTIO_INIT_RTNL_H

#include <stdint.h>

#include <libmnl/libmnl.h>

struct rtnl {
	struct mnl_socket *socket;
	uint32_t seq;
	/* For the request, then for its answers; as large as the kernel's own dump buffers for few objects. */
	char buf[8192] __attribute__((aligned(NLMSG_ALIGNTO)));
};

/* 0 or -errno. */
int rtnl_open(struct rtnl *rtnl);
void rtnl_close(struct rtnl *rtnl);

/* Starts a request in rtnl->buf with a zeroed family header of @size bytes behind it (*@header). */
struct nlmsghdr *rtnl_request(struct rtnl *rtnl, uint16_t type, uint16_t flags, void *header, size_t size);

/* Sends the request in rtnl->buf and waits for the acknowledgement: 0, or -errno as the kernel says. */
int rtnl_do(struct rtnl *rtnl);

/*
 * Sends the dump (or single get) in rtnl->buf and calls @cb for each answer.  A dump that
 * changes under way ends with -EINTR: forget what was read and ask again.
 */
int rtnl_get(struct rtnl *rtnl, mnl_cb_t cb, void *data);

#endif
