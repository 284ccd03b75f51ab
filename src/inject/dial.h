/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A TCP connection to HOST:PORT, within a time. */
#ifndef ISTIO_INJECT_DIAL_H
#define ISTIO_INJECT_DIAL_H

#include <stdint.h>

#include "err.h"
#include "util.h"

struct endpoint {
	char host[256], port[8];
};

/* HOST:PORT, [ADDR]:PORT; -EINVAL with @err (STATUS_USAGE), which names @source. */
int endpoint_parse(struct endpoint *to, const char *text, const char *source, struct err *err);

/*
 * A connected socket that does not block, to the first of the host's addresses that takes it until
 * @deadline (of clock_us); -errno with @err (STATUS_UNSUPPORTED).
 */
int endpoint_connect(const struct endpoint *to, uint64_t deadline, struct err *err);

/* Waits for poll's @events; 0, or -ETIMEDOUT at the deadline. */
int wait_for(int fd, short events, uint64_t deadline);

#endif
