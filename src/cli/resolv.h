/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_RESOLV_H
#define ISTIO_INIT_RESOLV_H

#include "addr.h"
#include "err.h"

/*
 * The nameservers of a resolv.conf(5), each once, in order.  One that is no address,
 * or a link-local one with a zone, is left out with a warning.
 */
int resolv_read(const char *path, struct cidr_list *servers, struct err *err);

#endif
