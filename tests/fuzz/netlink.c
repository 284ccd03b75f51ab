/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * In place of libmnl's sockets, and of send and recv: a kernel that answers with what the input says.
 * An answer is a run of messages to the first that is not NLM_F_MULTI, or ends a dump; the
 * generation of nf_tables is always the same.
 */
#include "fuzz.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <libmnl/libmnl.h>
#include <sanitizer/allocator_interface.h>
#include <sanitizer/asan_interface.h>

ssize_t __real_send(int fd, const void *data, size_t size, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t size, int flags);
ssize_t __real_recv(int fd, void *buf, size_t size, int flags);
ssize_t __wrap_recv(int fd, void *buf, size_t size, int flags);
void __wrap___abi_breakage(const char *file, int line, const char *reason) __attribute__((noreturn));

#define GETGEN (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN)
#define REQUESTS_MAX 8

static struct {
	const uint8_t *data;
	size_t size;
	struct nlmsghdr requests[REQUESTS_MAX]; /* without an answer yet */
	unsigned n_requests;
	uint32_t seq;
	void *poisoned; /* what of a buffer lies behind the answer */
	size_t n_poisoned;
} kernel;

static void unpoison(void)
{
	__asan_unpoison_memory_region(kernel.poisoned, kernel.n_poisoned);
	kernel.n_poisoned = 0;
}

void fuzz_netlink_begin(const uint8_t *data, size_t size)
{
	memset(&kernel, 0, sizeof(kernel));
	kernel.data = data;
	kernel.size = size;
}

void fuzz_netlink_end(void)
{
	unpoison();
}

/* The next message of the input; the rest, if it is none. */
static size_t next_message(void)
{
	struct nlmsghdr head;

	if (kernel.size < sizeof(head))
		return kernel.size;
	memcpy(&head, kernel.data, sizeof(head));
	if (head.nlmsg_len < sizeof(head) || MNL_ALIGN((size_t)head.nlmsg_len) > kernel.size)
		return kernel.size;
	return MNL_ALIGN(head.nlmsg_len);
}

static bool is_last(const struct nlmsghdr *nlh)
{
	return nlh->nlmsg_type == NLMSG_DONE || nlh->nlmsg_type == NLMSG_ERROR || !(nlh->nlmsg_flags & NLM_F_MULTI);
}

static size_t put_message(void *buf, uint16_t type, uint32_t payload, uint16_t attr)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = type;
	nlh->nlmsg_seq = kernel.seq;
	if (attr) {
		nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
		memset(nfg, 0, sizeof(*nfg));
		mnl_attr_put_u32(nlh, attr, payload);
	} else {
		memcpy(mnl_nlmsg_put_extra_header(nlh, sizeof(payload)), &payload, sizeof(payload));
	}
	return nlh->nlmsg_len;
}

/* Fills @buf with what of the next answer fits. */
static size_t answer(uint8_t *buf, size_t room, bool *last)
{
	size_t n = 0, len;

	*last = false;
	while (!*last && kernel.size) {
		struct nlmsghdr *nlh = (void *)(buf + n);

		len = next_message();
		if (len > room - n)
			break;
		memcpy(nlh, kernel.data, len);
		kernel.data += len;
		kernel.size -= len;
		n += len;
		if (len < sizeof(*nlh))
			break;
		if (nlh->nlmsg_seq != UINT32_MAX)
			nlh->nlmsg_seq = kernel.seq;
		*last = is_last(nlh);
	}
	return n;
}

static ssize_t receive(void *buf, size_t room)
{
	bool last = true;
	size_t n;

	unpoison();
	if (!kernel.n_requests && !kernel.size) {
		errno = EAGAIN;
		return -1;
	}
	if (kernel.n_requests)
		kernel.seq = kernel.requests[0].nlmsg_seq;
	if (kernel.n_requests && kernel.requests[0].nlmsg_type == GETGEN)
		n = put_message(buf, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN, htonl(7), NFTA_GEN_ID);
	else if (!kernel.size)
		n = put_message(buf, NLMSG_DONE, 0, 0);
	else
		n = answer(buf, room, &last);
	if (!n) { /* longer than the buffer */
		kernel.size = 0;
		errno = ENOSPC;
		return -1;
	}
	if (last && kernel.n_requests)
		memmove(kernel.requests, kernel.requests + 1, --kernel.n_requests * sizeof(kernel.requests[0]));
	/* libmnl reads on to the next multiple of 4 */
	kernel.poisoned = (char *)buf + MNL_ALIGN(n);
	kernel.n_poisoned = room - MNL_ALIGN(n);
	return (ssize_t)n;
}

struct mnl_socket *mnl_socket_open2(int bus, int flags)
{
	(void)bus;
	(void)flags;
	kernel.n_requests = 0;
	return (void *)&kernel;
}

int mnl_socket_close(struct mnl_socket *nl)
{
	(void)nl;
	unpoison();
	return 0;
}

int mnl_socket_get_fd(const struct mnl_socket *nl)
{
	(void)nl;
	return -1;
}

int mnl_socket_setsockopt(const struct mnl_socket *nl, int type, void *buf, socklen_t len)
{
	(void)nl;
	(void)type;
	(void)buf;
	(void)len;
	return 0;
}

ssize_t mnl_socket_sendto(const struct mnl_socket *nl, const void *buf, size_t len)
{
	const struct nlmsghdr *nlh = buf;

	(void)nl;
	for (int left = (int)len; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
		if (kernel.n_requests < REQUESTS_MAX)
			kernel.requests[kernel.n_requests++] = *nlh;
	unpoison();
	return (ssize_t)len;
}

ssize_t mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf, size_t size)
{
	(void)nl;
	return receive(buf, size);
}

ssize_t __wrap_send(int fd, const void *data, size_t size, int flags)
{
	return fd >= 0 ? __real_send(fd, data, size, flags) : (ssize_t)size;
}

/* The answer to a transaction says itself which message of it it is for. */
ssize_t __wrap_recv(int fd, void *buf, size_t size, int flags)
{
	return fd >= 0 ? __real_recv(fd, buf, size, flags) : receive(buf, size);
}

/* --- libnftnl's exit --- */

#define BLOCKS_MAX 65536

static const volatile void *blocks[BLOCKS_MAX]; /* hashed by address */
static jmp_buf out;
static bool guarded;

static unsigned block_slot(const volatile void *block)
{
	return (unsigned)((uintptr_t)block >> 4) * 2654435761u >> 16;
}

static void block_made(const volatile void *block, size_t size)
{
	unsigned i = block_slot(block);

	(void)size;
	for (unsigned tries = 0; guarded && block && tries < BLOCKS_MAX; tries++, i++)
		if (!blocks[i % BLOCKS_MAX] || blocks[i % BLOCKS_MAX] == &blocks) {
			blocks[i % BLOCKS_MAX] = block;
			return;
		}
}

static void block_freed(const volatile void *block)
{
	unsigned i = block_slot(block);

	for (unsigned tries = 0; guarded && tries < BLOCKS_MAX && blocks[i % BLOCKS_MAX]; tries++, i++)
		if (blocks[i % BLOCKS_MAX] == block) {
			blocks[i % BLOCKS_MAX] = &blocks; /* somebody was here: look on */
			return;
		}
}

void __wrap___abi_breakage(const char *file, int line, const char *reason)
{
	(void)file;
	(void)line;
	(void)reason;
	longjmp(out, 1);
}

void fuzz_netlink_guard(void (*run)(void))
{
	static bool hooked;

	if (!hooked)
		__sanitizer_install_malloc_and_free_hooks(block_made, block_freed);
	hooked = true;
	memset(blocks, 0, sizeof(blocks));
	guarded = true;
	if (!setjmp(out)) {
		run();
		guarded = false;
		return;
	}
	guarded = false;
	unpoison();
	for (unsigned i = 0; i < BLOCKS_MAX; i++)
		if (blocks[i] && blocks[i] != &blocks)
			free((void *)blocks[i]);
}
