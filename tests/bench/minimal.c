/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The floor: the changes that `traced record` saw, made again with only the system calls that they
 * need.  No options, no lock, no look at what is there but for what the interfaces ask for, no undo,
 * no word.  REQUESTS, a file made by run, has one line a change: REQUEST(KIND, "PATH").
 */
#define _GNU_SOURCE
#include <linux/netlink.h>
#include <netinet/in.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum kind { address, nftables, ipv4, ipv6 };

#define TEXT(line) #line
#define NAME(line) "request_" TEXT(line)
#define REQUEST(kind, path) \
	__asm__(".data\n.balign 16\n" NAME(__LINE__) ": .incbin \"" path "\"\n" NAME(__LINE__) "_end:\n.text\n");
#include REQUESTS
#undef REQUEST

#define SYMBOLS(line, kind) \
	extern char start_##line[] __asm__("request_" #line), end_##line[] __asm__("request_" #line "_end");
#define SYMBOLS_OF(line, kind) SYMBOLS(line, kind)
#define REQUEST(kind, path) SYMBOLS_OF(__LINE__, kind)
#include REQUESTS
#undef REQUEST

#define ROW(line, kind) { kind, start_##line, end_##line },
#define ROW_OF(line, kind) ROW(line, kind)
#define REQUEST(kind, path) ROW_OF(__LINE__, kind)
static const struct {
	enum kind kind;
	char *start, *end;
} requests[] = {
#include REQUESTS
};

static void ask(int fd, const void *request, size_t size)
{
	static char reply[8192];
	const struct nlmsghdr *message = (const void *)reply;

	if (send(fd, request, size, 0) < 0 || recv(fd, reply, sizeof(reply), 0) < 0)
		_exit(1);
	if (message->nlmsg_type == NLMSG_ERROR && ((const struct nlmsgerr *)NLMSG_DATA(message))->error != 0)
		_exit(2);
}

/* A batch names the generation that it was made for, so that has to be asked for. */
static void nftables_apply(const char *request, size_t size)
{
	static const struct {
		struct nlmsghdr header;
		struct nfgenmsg family;
	} generation = { { sizeof(generation), NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN, NLM_F_REQUEST, 1, 0 }, { 0 } };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

	ask(fd, &generation, sizeof(generation));
	ask(fd, request, size);
	close(fd);
}

/* A table is replaced whole: it has to be read before. */
static void table_apply(int family, int level, char *request, size_t size)
{
	static struct xt_counters counters[64];
	static union {
		struct ipt_get_entries get;
		char space[65536];
	} entries;
	struct ipt_replace *replace = (struct ipt_replace *)request;
	struct ipt_getinfo info;
	socklen_t length = sizeof(info);
	int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);

	memcpy(info.name, replace->name, sizeof(info.name));
	if (getsockopt(fd, level, IPT_SO_GET_INFO, &info, &length) < 0)
		_exit(3);
	memcpy(entries.get.name, replace->name, sizeof(info.name));
	entries.get.size = info.size;
	length = sizeof(entries.get) + info.size;
	if (getsockopt(fd, level, IPT_SO_GET_ENTRIES, &entries, &length) < 0)
		_exit(4);
	replace->counters = counters;
	if (setsockopt(fd, level, IPT_SO_SET_REPLACE, request, size) < 0)
		_exit(5);
	close(fd);
}

static void address_add(const char *request, size_t size)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	ask(fd, request, size);
	close(fd);
}

int main(void)
{
	for (unsigned i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		char *request = requests[i].start;
		size_t size = requests[i].end - request;

		switch (requests[i].kind) {
		case address:
			address_add(request, size);
			break;
		case nftables:
			nftables_apply(request, size);
			break;
		case ipv4:
			table_apply(AF_INET, IPPROTO_IP, request, size);
			break;
		case ipv6:
			table_apply(AF_INET6, IPPROTO_IPV6, request, size);
			break;
		}
	}
	return 0;
}
