/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rtnl.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

int rtnl_open(struct rtnl *rtnl)
{
	rtnl->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!rtnl->socket || mnl_socket_bind(rtnl->socket, 0, MNL_SOCKET_AUTOPID))
		return -errno;
	return 0;
}

void rtnl_close(struct rtnl *rtnl)
{
	if (rtnl->socket)
		mnl_socket_close(rtnl->socket);
	rtnl->socket = NULL;
}

struct nlmsghdr *rtnl_request(struct rtnl *rtnl, uint16_t type, uint16_t flags, void *header, size_t size)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(rtnl->buf);

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = ++rtnl->seq;
	*(void **)header = mnl_nlmsg_put_extra_header(nlh, size);
	return nlh;
}

static int exchange(struct rtnl *rtnl, mnl_cb_t cb, void *data)
{
	unsigned portid = mnl_socket_get_portid(rtnl->socket);
	const struct nlmsghdr *nlh = (const void *)rtnl->buf;
	int rc = MNL_CB_OK;
	ssize_t n;

	if (mnl_socket_sendto(rtnl->socket, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	while (rc > MNL_CB_STOP) {
		n = mnl_socket_recvfrom(rtnl->socket, rtnl->buf, sizeof(rtnl->buf));
		if (n < 0 && errno == EINTR)
			continue;
		rc = n < 0 ? -1 : mnl_cb_run(rtnl->buf, (size_t)n, rtnl->seq, portid, cb, data);
	}
	return rc < 0 ? -errno : 0;
}

int rtnl_do(struct rtnl *rtnl)
{
	((struct nlmsghdr *)rtnl->buf)->nlmsg_flags |= NLM_F_ACK;
	return exchange(rtnl, NULL, NULL);
}

int rtnl_get(struct rtnl *rtnl, mnl_cb_t cb, void *data)
{
	struct nlmsghdr *nlh = (void *)rtnl->buf;

	/* The answer to a single get would be followed by nothing to wait for. */
	if ((nlh->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
		nlh->nlmsg_flags |= NLM_F_ACK;
	return exchange(rtnl, cb, data);
}
