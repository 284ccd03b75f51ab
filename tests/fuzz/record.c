/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded by tests/fuzz/record: appends what netlink says (but for the generation of nf_tables) to $RECORD-PROTOCOL,
 * and each entry of an xtables dump to $RECORD-xt4 or -xt6, with its length before it.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/netlink.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

static void append(const char *what, const void *data, size_t size)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s-%s", getenv("RECORD"), what);
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
}

static void take_answer(int fd, const void *data, ssize_t n)
{
	const struct nlmsghdr *nlh = data;
	socklen_t len = sizeof(int);
	int protocol;

	if (n < (ssize_t)sizeof(*nlh) || nlh->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN) ||
	    getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len))
		return;
	append(protocol == NETLINK_ROUTE ? "rtnl" : "nft", data, (size_t)n);
}

/* The two families' structs for entries differ, those for their dump do not. */
static void take_entries(const struct ipt_get_entries *dump, bool six)
{
	const char *data = (const char *)dump->entrytable;
	uint16_t len;

	for (uint32_t at = 0; at < dump->size; at += len) {
		len = six ? ((const struct ip6t_entry *)(data + at))->next_offset :
			    ((const struct ipt_entry *)(data + at))->next_offset;
		append(six ? "xt6" : "xt4", &len, sizeof(len));
		append(six ? "xt6" : "xt4", data + at, len);
	}
}

ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	ssize_t (*next)(int, struct msghdr *, int) = (ssize_t(*)(int, struct msghdr *, int))dlsym(RTLD_NEXT, "recvmsg");
	ssize_t n = next(fd, msg, flags);

	take_answer(fd, msg->msg_iov[0].iov_base, n);
	return n;
}

ssize_t recv(int fd, void *data, size_t size, int flags)
{
	ssize_t (*next)(int, void *, size_t, int) = (ssize_t(*)(int, void *, size_t, int))dlsym(RTLD_NEXT, "recv");
	ssize_t n = next(fd, data, size, flags);

	take_answer(fd, data, n);
	return n;
}

int getsockopt(int fd, int level, int option, void *value, socklen_t *len)
{
	int (*next)(int, int, int, void *, socklen_t *) =
		(int (*)(int, int, int, void *, socklen_t *))dlsym(RTLD_NEXT, "getsockopt");
	int rc = next(fd, level, option, value, len);

	/* IP6T_SO_GET_ENTRIES is the same number */
	if (!rc && option == IPT_SO_GET_ENTRIES && (level == SOL_IP || level == SOL_IPV6))
		take_entries(value, level == SOL_IPV6);
	return rc;
}
