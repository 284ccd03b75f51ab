/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine around the rules: namespaces, capabilities, memory, the xtables lock. */
#ifndef ISTIO_INIT_SYSTEM_H
#define ISTIO_INIT_SYSTEM_H

#include <stdint.h>

#include "err.h"

/* Enters the network namespace at @path (its user namespace too where that is needed); @named: what a message begins with. */
int netns_enter(const char *named, const char *path, struct err *err);

/* Whose the netns is that we are in; UNKNOWN where /proc/sys is missing, masked or closed. */
enum netns_place { NETNS_POD, NETNS_INITIAL, NETNS_UNKNOWN };
enum netns_place netns_place(void);

/* Effective capabilities of this thread, as a bit mask. */
uint64_t caps_effective(void);
/* Drops all capabilities that are not in @keep, from all sets but the bounding one. */
void caps_keep(uint64_t keep);

/* The memory limit of the container that this is, in bytes; UINT64_MAX where it has none, or nobody says. */
uint64_t memory_limit(void);
/* How many CPUs the machine may ever have, of which the kernel keeps each counter once; 1 if nobody says. */
unsigned cpus_possible(void);

/*
 * The locks of a run that writes, descriptors or -1: of the netns itself, which all runs in it have in common, whatever
 * mount namespace they come from; and the xtables lock, the file @path, for the stock tools.  Each is best effort (a
 * debug line says what cannot be had), but while somebody else holds one it is waited for until @deadline_us (clock_us):
 * then -EBUSY with @err (STATUS_BUSY), and none is held.  While they are held the log is held back (log_hold), as who
 * reads it may take his time.
 */
struct locks {
	int netns, xtables;
};
int locks_take(struct locks *locks, const char *path, uint64_t deadline_us, struct err *err);
void locks_release(struct locks *locks);

#endif
