/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a runtime says in the environment. */
#ifndef ISTIO_INIT_CNI_REQUEST_H
#define ISTIO_INIT_CNI_REQUEST_H

#include "err.h"
#include "util.h"

/* Which variables a verb needs. */
enum {
	NEEDS_CONTAINER = 1, /* CNI_CONTAINERID, CNI_IFNAME */
	NEEDS_NETNS = 2,     /* CNI_NETNS; CNI_ARGS is read */
};

struct request {
	const char *container, *ifname, *netns;
	const char *namespace, *pod; /* of CNI_ARGS; NULL: not there */
};

/* -EINVAL with @err, which names the variable. */
int request_read(struct request *request, unsigned needs, struct arena *arena, struct err *err);

#endif
