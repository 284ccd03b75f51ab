/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netlink/rtnl.h"

#include <errno.h>
#include <linux/rtnetlink.h>

/* A dump of a pod takes microseconds: whoever changes what it shows this often does nothing else. */
#define DUMP_ATTEMPTS 100
#define RECV_ATTEMPTS 3

int rtnl_open(struct rtnl *rtnl)
{
	/* Not bound: the kernel does it at the first message. */
	rtnl->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	return rtnl->socket ? 0 : -errno;
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

/* An acknowledgement, an error and the end of a dump all begin with the error's number. */
static int read_status(const struct nlmsghdr *nlh)
{
	const int *status = mnl_nlmsg_get_payload(nlh);

	return mnl_nlmsg_get_payload_len(nlh) >= sizeof(*status) && errno_is_known(*status) ? *status : -EBADMSG;
}

int rtnl_parse(struct rtnl_answers *answers, const void *datagram, size_t len)
{
	const struct rtnl_query *query = answers->query;
	const struct nlmsghdr *nlh = datagram;

	/* libmnl takes a length from 2 GiB on for a negative one. */
	for (int left = (int)len; mnl_nlmsg_ok(nlh, left) && nlh->nlmsg_len <= (uint32_t)left; nlh = mnl_nlmsg_next(nlh, &left)) {
		/* What is left of a request that failed half-way. */
		if (nlh->nlmsg_seq != answers->seq)
			continue;
		answers->interrupted |= (nlh->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
		if (nlh->nlmsg_type == NLMSG_ERROR || nlh->nlmsg_type == NLMSG_DONE)
			return read_status(nlh);
		if (!query || nlh->nlmsg_type < NLMSG_MIN_TYPE)
			continue;
		if (mnl_nlmsg_get_payload_len(nlh) >= query->header)
			query->see(nlh, answers->data);
		if (!(nlh->nlmsg_flags & NLM_F_MULTI))
			return 0;
	}
	return 1;
}

/*
 * The kernel has carried out the request by now: a reading that fails for want of memory is
 * tried again, as without the answer nobody knows what there is to undo.
 */
static ssize_t receive(struct rtnl *rtnl)
{
	ssize_t n;

	for (int attempt = 0; attempt < RECV_ATTEMPTS; attempt++) {
		n = mnl_socket_recvfrom(rtnl->socket, rtnl->buf, sizeof(rtnl->buf));
		if (n >= 0)
			return n;
	}
	return -errno;
}

static int exchange(struct rtnl *rtnl, struct rtnl_answers *answers)
{
	const struct nlmsghdr *nlh = (const void *)rtnl->buf;
	int rc = 1;

	answers->seq = nlh->nlmsg_seq;
	rtnl->answered = false;
	while (mnl_socket_sendto(rtnl->socket, nlh, nlh->nlmsg_len) < 0)
		if (errno != EINTR)
			return -errno;
	while (rc > 0) {
		ssize_t n = receive(rtnl);

		if (n < 0)
			return (int)n;
		rc = rtnl_parse(answers, rtnl->buf, (size_t)n);
	}
	rtnl->answered = true;
	return rc;
}

int rtnl_do(struct rtnl *rtnl)
{
	struct rtnl_answers answers = { .query = NULL };

	((struct nlmsghdr *)rtnl->buf)->nlmsg_flags |= NLM_F_ACK;
	return exchange(rtnl, &answers);
}

int rtnl_get(struct rtnl *rtnl, const struct rtnl_query *query, void *data)
{
	struct rtnl_answers answers = { .query = query, .data = data };

	return exchange(rtnl, &answers);
}

int rtnl_dump(struct rtnl *rtnl, const struct rtnl_query *query, void *data)
{
	for (int attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
		struct rtnl_answers answers = { .query = query, .data = data };
		void *header;
		int rc;

		query->forget(data);
		rtnl_request(rtnl, query->type, NLM_F_DUMP, &header, query->header);
		rc = exchange(rtnl, &answers);
		/* Known only at the end: the rest of the dump had to be read all the same. */
		if (rc || !answers.interrupted)
			return rc;
	}
	return -EINTR;
}
