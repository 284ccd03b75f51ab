/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What libiptc's own two files are compiled with: .ci/libs includes it in front of them, and
 * nothing else does.  iptc.c has the functions.
 */
#ifndef ISTIO_INIT_IPTABLES_LEGACY_LIBIPTC_H
#define ISTIO_INIT_IPTABLES_LEGACY_LIBIPTC_H

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * It ends the program where close-on-exec cannot be set, which matters to nobody here:
 * nothing is ever executed.
 */
int legacy_fcntl(int fd, int command, ...);
#undef fcntl
#define fcntl legacy_fcntl

/* One socket a family serves all tables: to take back what was written takes no new one. */
int legacy_socket(int family, int type, int protocol);
#define socket legacy_socket
int legacy_keep(int fd);
#define close legacy_keep

/* What it has read of a table, it keeps beside the rules that it has made of it. */
int legacy_getsockopt(int fd, int level, int name, void *value, socklen_t *size);
#define getsockopt legacy_getsockopt

/* Adds counters also where there is nothing to add. */
int legacy_setsockopt(int fd, int level, int name, const void *value, socklen_t size);
#define setsockopt legacy_setsockopt

/*
 * Its index of chains is made for tables of some dozens: for each rule it compares half a
 * bucket (40) of names, and the newest chains (up to 355) are all in one bucket.
 */
#define CHAIN_INDEX_BUCKET_LEN 8
#define CHAIN_INDEX_INSERT_MAX 64

#endif
