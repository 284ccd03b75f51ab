/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INJECT_LISTEN_H
#define ISTIO_INJECT_LISTEN_H

#include "err.h"

/*
 * A socket that is bound to ADDR:PORT ([ADDR]:PORT for IPv6, :PORT and [::]:PORT for both families) and does not
 * block, not yet listening; or -errno with @err, which begins with @option.
 */
int listen_bind(const char *option, const char *address, struct err *err);
/* Begins to take connections; the option's name is for the message. */
int listen_begin(int fd, const char *option, const char *address, struct err *err);

#endif
