/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine around the rules: namespaces, capabilities, the xtables lock. */
#ifndef ISTIO_INIT_SYSTEM_H
#define ISTIO_INIT_SYSTEM_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

/* Enters the network namespace at @path (its user namespace too where that is needed). */
int netns_enter(const char *path, struct err *err);

/* Whether this is the machine's initial network namespace (it alone has bpf_jit_enable). */
bool netns_is_initial(void);

/* Effective capabilities of this thread, as a bit mask. */
uint64_t caps_effective(void);
/* Drops all capabilities that are not in @keep, from all sets but the bounding one. */
void caps_keep(uint64_t keep);

/*
 * The xtables lock: best effort.  Waits up to @wait_ms while somebody holds it.  Where the file
 * cannot be opened, the netns that we are in is locked instead.  Returns a descriptor to close, -1 if
 * neither can be had (with a debug line), or -EBUSY with @err (STATUS_BUSY) when the wait ran out.
 */
int lock_take(const char *path, uint32_t wait_ms, struct err *err);

#endif
