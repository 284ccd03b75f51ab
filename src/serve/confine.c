/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"
#include "system.h"
#include "util.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#elif defined(__s390x__)
#define ARCH AUDIT_ARCH_S390X
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ARCH AUDIT_ARCH_PPC64LE
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCH AUDIT_ARCH_RISCV64
#endif

/*
 * What the loop calls: connections that are accepted, files that are read again, memory, time, random
 * bytes.  Nothing here makes a process, a socket or a file.
 */
static const unsigned calls[] = {
	SYS_accept4,    SYS_brk,         SYS_clock_gettime,   SYS_close,        SYS_epoll_ctl, SYS_epoll_pwait,
#ifdef SYS_epoll_wait
	SYS_epoll_wait,
#endif
	SYS_exit_group, SYS_fcntl, /* O_CLOEXEC of what is opened (musl) */
	SYS_fstat,      SYS_getpeername, SYS_getrandom,       SYS_madvise,      SYS_mmap,      SYS_mprotect,
	SYS_mremap,     SYS_munmap,
#ifdef SYS_newfstatat
	SYS_newfstatat,
#endif
#ifdef SYS_stat
	SYS_stat,
#endif
	SYS_read,       SYS_recvfrom,    SYS_restart_syscall, SYS_rt_sigreturn, SYS_sendto,    SYS_shutdown,
	SYS_statx,      SYS_write,       SYS_writev,
};

void confine_privileges(void)
{
	if (geteuid() == 0)
		log_warn("runs as root, which it has no need of: give it a user of its own (65532)");
	/* of the bounding set, where that is allowed */
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	caps_keep(0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

#ifdef ARCH
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, field))
#define IF(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)
/* The half of an argument that holds an int. */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define LOW_HALF 4
#else
#define LOW_HALF 0
#endif

static const struct sock_filter head[] = {
	LOAD(arch),
	IF(ARCH, 1, 0),
	RETURN(SECCOMP_RET_KILL_PROCESS),
	LOAD(nr),
};

/* Files are opened to be read: @flags is the number of the argument that says so. */
#define OPEN_TO_READ(call, flags) \
	IF(call, 0, 4), \
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, args[flags]) + LOW_HALF), \
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_ACCMODE | O_CREAT | O_TRUNC, 0, 1), \
		RETURN(SECCOMP_RET_ERRNO | EPERM), RETURN(SECCOMP_RET_ALLOW)

static const struct sock_filter opens[] = {
	OPEN_TO_READ(SYS_openat, 2),
#ifdef SYS_open
	OPEN_TO_READ(SYS_open, 1),
#endif
};

static unsigned append(struct sock_filter *to, unsigned n, const struct sock_filter *what, unsigned count)
{
	memcpy(to + n, what, count * sizeof(*what));
	return n + count;
}

void confine_calls(void)
{
	struct sock_filter filter[ARRAY_SIZE(head) + ARRAY_SIZE(opens) + 2 * ARRAY_SIZE(calls) + 1];
	struct sock_fprog program = { .filter = filter };
	unsigned n = append(filter, 0, head, ARRAY_SIZE(head));

	n = append(filter, n, opens, ARRAY_SIZE(opens));
	for (unsigned i = 0; i < ARRAY_SIZE(calls); i++) {
		const struct sock_filter allow[] = { IF(calls[i], 0, 1), RETURN(SECCOMP_RET_ALLOW) };

		n = append(filter, n, allow, ARRAY_SIZE(allow));
	}
	filter[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ERRNO | EPERM);
	program.len = (unsigned short)n;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0))
		log_warn("runs without a seccomp filter: %s", strerror(errno));
}
#else
void confine_calls(void)
{
	log_warn("runs without a seccomp filter: this architecture has none here");
}
#endif
