/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks at the system calls of one command in a fresh network namespace.
 *
 *   traced look COMMAND...          VmHWM at exit in KiB and the number of system calls
 *   traced record FOLDER COMMAND... what the command asks the kernel to change: FOLDER/00.KIND,
 *                                   FOLDER/01.KIND, ...; KIND is address, nftables, ipv4 or ipv6
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netns.h"

/* IPT_SO_SET_REPLACE and IP6T_SO_SET_REPLACE, whose headers cannot be included side by side. */
#define SO_SET_REPLACE 64

struct trace {
	const char *folder; /* for the recorded requests; NULL when they are not wanted */
	unsigned requests, calls;
	long hwm_kib;
};

static long hwm_read(pid_t pid)
{
	char path[64], line[256];
	long kib = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "VmHWM: %ld kB", &kib);
	if (file)
		fclose(file);
	return kib;
}

/* The kind of change that the call with these bytes asks for, or NULL. */
static const char *request_kind(const struct __ptrace_syscall_info *call, const char *bytes)
{
	struct nlmsghdr message;

	if (call->entry.nr == SYS_setsockopt && call->entry.args[2] == SO_SET_REPLACE) {
		if (call->entry.args[1] == IPPROTO_IP)
			return "ipv4";
		return call->entry.args[1] == IPPROTO_IPV6 ? "ipv6" : NULL;
	}
	if (call->entry.nr != SYS_sendto)
		return NULL;
	memcpy(&message, bytes, sizeof(message));
	if (message.nlmsg_type == NFNL_MSG_BATCH_BEGIN)
		return "nftables";
	return message.nlmsg_type == RTM_NEWADDR ? "address" : NULL;
}

static void request_record(struct trace *trace, pid_t pid, const struct __ptrace_syscall_info *call)
{
	bool sockopt = call->entry.nr == SYS_setsockopt;
	struct iovec remote = { .iov_base = (void *)(uintptr_t)call->entry.args[sockopt ? 3 : 1],
				.iov_len = call->entry.args[sockopt ? 4 : 2] };
	struct iovec local = { .iov_len = remote.iov_len };
	const char *kind;
	char path[4096];
	FILE *file;

	if ((!sockopt && call->entry.nr != SYS_sendto) || remote.iov_len < sizeof(struct nlmsghdr))
		return;
	local.iov_base = malloc(local.iov_len);
	if (!local.iov_base || process_vm_readv(pid, &local, 1, &remote, 1, 0) != (ssize_t)local.iov_len)
		err(1, "process_vm_readv");
	kind = request_kind(call, local.iov_base);
	if (kind) {
		snprintf(path, sizeof(path), "%s/%02u.%s", trace->folder, trace->requests++, kind);
		file = fopen(path, "w");
		if (!file || fwrite(local.iov_base, local.iov_len, 1, file) != 1 || fclose(file) != 0)
			err(1, "%s", path);
	}
	free(local.iov_base);
}

static void run_traced(struct trace *trace, char **argv)
{
	struct __ptrace_syscall_info call;
	int status;
	pid_t pid;

	netns_make();
	pid = fork();
	if (pid == 0) {
		int out = open("/dev/null", O_WRONLY);

		dup2(out, 1);
		dup2(out, 2);
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execv(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFSTOPPED(status))
		errx(1, "cannot trace %s", argv[0]);
	ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL);
	while (ptrace(PTRACE_SYSCALL, pid, NULL, NULL) == 0 && waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8))
			trace->hwm_kib = hwm_read(pid);
		else if (WSTOPSIG(status) == (SIGTRAP | 0x80) &&
			 ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(call), &call) > 0 &&
			 call.op == PTRACE_SYSCALL_INFO_ENTRY) {
			trace->calls++;
			if (trace->folder)
				request_record(trace, pid, &call);
		}
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		errx(1, "%s: status %#x", argv[0], status);
}

int main(int argc, char **argv)
{
	struct trace trace = { 0 };

	if (argc > 2 && strcmp(argv[1], "look") == 0) {
		run_traced(&trace, argv + 2);
		printf("%ld %u\n", trace.hwm_kib, trace.calls);
		return 0;
	}
	if (argc > 3 && strcmp(argv[1], "record") == 0) {
		trace.folder = argv[2];
		run_traced(&trace, argv + 3);
		return 0;
	}
	errx(64, "usage: traced look COMMAND... | traced record FOLDER COMMAND...");
}
