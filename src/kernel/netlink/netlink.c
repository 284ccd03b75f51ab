/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netlink/netlink.h"

#include <errno.h>
#include <sys/socket.h>

#include <linux/netlink.h>

/* MAX_ERRNO of the kernel's linux/err.h */
#define ERRNO_MAX 4095
#define RECEIVE_ATTEMPTS 3

int netlink_open(struct netlink *nl, int bus)
{
	/* Not bound: the kernel does it at the first message. */
	nl->socket = mnl_socket_open2(bus, SOCK_CLOEXEC);
	return nl->socket ? 0 : -errno;
}

void netlink_close(struct netlink *nl)
{
	if (nl->socket)
		mnl_socket_close(nl->socket);
	nl->socket = NULL;
}

int netlink_fd(const struct netlink *nl)
{
	return mnl_socket_get_fd(nl->socket);
}

struct nlmsghdr *netlink_request(struct netlink *nl, void *buf, uint16_t type, uint16_t flags, void *header, size_t size)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = ++nl->seq;
	*(void **)header = mnl_nlmsg_put_extra_header(nlh, size);
	return nlh;
}

int netlink_send(struct netlink *nl, const void *requests, size_t len)
{
	while (mnl_socket_sendto(nl->socket, requests, len) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* An acknowledgement, an error and the end of a dump all begin with the error's number. */
static int read_status(const struct nlmsghdr *nlh)
{
	return *(const int *)mnl_nlmsg_get_payload(nlh);
}

static bool status_is_known(const struct nlmsghdr *nlh, size_t payload)
{
	return mnl_nlmsg_get_payload_len(nlh) >= payload && read_status(nlh) <= 0 && read_status(nlh) >= -ERRNO_MAX;
}

bool netlink_is_whole(const struct nlmsghdr *nlh, size_t left, uint16_t header)
{
	if (left < sizeof(*nlh) || nlh->nlmsg_len < sizeof(*nlh) || nlh->nlmsg_len > left)
		return false;
	if (nlh->nlmsg_type == NLMSG_ERROR)
		return status_is_known(nlh, sizeof(struct nlmsgerr));
	if (nlh->nlmsg_type == NLMSG_DONE)
		return status_is_known(nlh, sizeof(int));
	return nlh->nlmsg_type < NLMSG_MIN_TYPE || mnl_nlmsg_get_payload_len(nlh) >= header;
}

/* 1 if more are to come. */
static int parse_message(struct netlink_answers *answers, const struct nlmsghdr *nlh)
{
	if (nlh->nlmsg_seq != answers->seq)
		return 1;
	answers->interrupted |= (nlh->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
	if (nlh->nlmsg_type == NLMSG_ERROR || nlh->nlmsg_type == NLMSG_DONE)
		return read_status(nlh);
	if (!answers->see || nlh->nlmsg_type < NLMSG_MIN_TYPE)
		return 1;
	answers->see(nlh, answers->data);
	return (nlh->nlmsg_flags & NLM_F_MULTI) != 0;
}

int netlink_parse(struct netlink_answers *answers, const void *datagram, size_t len)
{
	const struct nlmsghdr *nlh = datagram;
	int rc = 1;

	for (int left = (int)len; left > 0 && rc > 0; nlh = mnl_nlmsg_next(nlh, &left)) {
		if (!netlink_is_whole(nlh, (size_t)left, answers->header))
			return -EBADMSG;
		rc = parse_message(answers, nlh);
	}
	answers->ended = rc <= 0;
	return rc;
}

static ssize_t receive_once(struct netlink *nl, void *buf, size_t size, bool wait)
{
	return wait ? mnl_socket_recvfrom(nl->socket, buf, size) : recv(netlink_fd(nl), buf, size, MSG_DONTWAIT);
}

/*
 * The kernel has carried out the request by now: a reading that fails for want of memory is
 * tried again, as without the answer nobody knows what there is to undo.
 */
ssize_t netlink_receive(struct netlink *nl, void *buf, size_t size, bool wait)
{
	ssize_t n;

	for (int attempt = 0; attempt < RECEIVE_ATTEMPTS; attempt++) {
		n = receive_once(nl, buf, size, wait);
		if (n >= 0)
			return n;
		/* What did not fit is gone. */
		if (errno == ENOSPC)
			break;
	}
	return -errno;
}

int netlink_finish(struct netlink *nl, struct netlink_answers *answers, void *buf, size_t size)
{
	ssize_t n;
	int rc = 1;

	while (rc > 0) {
		n = netlink_receive(nl, buf, size, true);
		if (n < 0)
			return (int)n;
		rc = netlink_parse(answers, buf, (size_t)n);
	}
	return rc;
}
