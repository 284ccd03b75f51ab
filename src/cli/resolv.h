/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_RESOLV_H
#define ISTIO_INIT_RESOLV_H

#include "addr.h"
#include "err.h"

/*
 * The nameservers of a resolv.conf(5), each once, in order; a zone (fe80::1%eth0) is left
 * out, and so is, with a warning, what is no address.
 */
int resolv_read(const char *path, struct cidr_list *servers, struct err *err);

#endif
