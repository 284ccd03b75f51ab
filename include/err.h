/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One error for one run: what failed, in the terms of the person who reads the
 * pod's log, and what to do about it.  Layers below main fill it and return
 * -errno; main prints it once.
 */
#ifndef ISTIO_INIT_ERR_H
#define ISTIO_INIT_ERR_H

/* Exit statuses of the program; the gaps are those of <sysexits.h>. */
enum status {
	STATUS_DONE = 0,
	STATUS_FAILED = 1,       /* failed, nothing changed */
	STATUS_DIFFERENT = 2,    /* diff found a difference */
	STATUS_USAGE = 64,       /* bad usage or value */
	STATUS_UNSUPPORTED = 69, /* this kernel cannot do it */
	STATUS_BUSY = 75,        /* a rival won until --wait ran out */
	STATUS_NOPERM = 77,      /* a privilege is missing */
	STATUS_INVALID = 126,    /* validation failed */
};

/* What is behind an error, where a caller has another way than the user's. */
enum err_cause {
	CAUSE_OTHER,
	CAUSE_ZONES, /* the kernel cannot put a packet into a conntrack zone, as a rule wants it */
};

/* Of istio-inject alone: a document is wrong. */
#define STATUS_DATA 65

struct err {
	enum status status;
	enum err_cause cause;
	char what[512]; /* one line: what failed */
	char hint[512]; /* one line: what to do; empty if there is nothing to say */
	char *diff;     /* the difference that is the reason, where the log is to have it; main frees it; NULL: none */
};

/*
 * Fills @err with @status and the formatted line and clears the hint, the diff and the cause (CAUSE_OTHER).
 * @error is an errno value that the caller may act upon (0 counts as EINVAL).
 * Returns -@error.
 */
int err_set(struct err *err, enum status status, int error, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* What helps where the kernel refuses access to a netns although the capability is there. */
#define HINT_DENIED \
	"if it belongs to another user namespace, run as root of that one or of the node; if not, a policy (seccomp, " \
	"SELinux, AppArmor) has to allow it"

/* Sets the line that says what to do. */
void err_hint(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
