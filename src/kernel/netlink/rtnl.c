/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netlink/rtnl.h"

#include <errno.h>
#include <linux/rtnetlink.h>

/* A dump of a pod takes microseconds: whoever changes what it shows this often does nothing else. */
#define DUMP_ATTEMPTS 100

int rtnl_open(struct rtnl *rtnl)
{
	return netlink_open(&rtnl->link, NETLINK_ROUTE);
}

void rtnl_close(struct rtnl *rtnl)
{
	netlink_close(&rtnl->link);
}

struct nlmsghdr *rtnl_request(struct rtnl *rtnl, uint16_t type, uint16_t flags, void *header, size_t size)
{
	return netlink_request(&rtnl->link, rtnl->buf, type, flags, header, size);
}

struct netlink_answers rtnl_answers(const struct rtnl *rtnl, const struct rtnl_query *query, void *data)
{
	struct netlink_answers answers = { .seq = rtnl->link.seq };

	if (query) {
		answers.header = query->header;
		answers.see = query->see;
		answers.data = data;
	}
	return answers;
}

static int exchange(struct rtnl *rtnl, struct netlink_answers *answers)
{
	const struct nlmsghdr *nlh = (const void *)rtnl->buf;
	int rc = netlink_send(&rtnl->link, nlh, nlh->nlmsg_len);

	rtnl->sent = !rc;
	if (!rc)
		rc = netlink_finish(&rtnl->link, answers, rtnl->buf, sizeof(rtnl->buf));
	rtnl->answered = answers->ended;
	return rc;
}

int rtnl_do(struct rtnl *rtnl)
{
	struct netlink_answers answers = rtnl_answers(rtnl, NULL, NULL);

	((struct nlmsghdr *)rtnl->buf)->nlmsg_flags |= NLM_F_ACK;
	return exchange(rtnl, &answers);
}

int rtnl_get(struct rtnl *rtnl, const struct rtnl_query *query, void *data)
{
	struct netlink_answers answers = rtnl_answers(rtnl, query, data);

	return exchange(rtnl, &answers);
}

bool rtnl_narrow(struct rtnl *rtnl)
{
	int on = 1;

	return !mnl_socket_setsockopt(rtnl->link.socket, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
}

int rtnl_dump(struct rtnl *rtnl, const struct rtnl_query *query, void *data)
{
	for (int attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
		struct netlink_answers answers;
		struct nlmsghdr *nlh;
		void *header;
		int rc;

		query->forget(data);
		nlh = rtnl_request(rtnl, query->type, NLM_F_DUMP, &header, query->header);
		if (query->narrow)
			query->narrow(nlh, header, data);
		answers = rtnl_answers(rtnl, query, data);
		rc = exchange(rtnl, &answers);
		if (rc || !answers.interrupted)
			return rc;
	}
	return -EINTR;
}
