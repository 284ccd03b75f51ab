/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our containers of one pod, and where they stand. */
#ifndef ISTIO_INIT_POD_CONTAINERS_H
#define ISTIO_INIT_POD_CONTAINERS_H

#include "injection.h"

/* One container of ours: what the overlays say, laid over or under what is in the pod. */
struct part {
	const char *name;
	json_t *overlay; /* what our side says */
	json_t *was;     /* the pod's container of that name; NULL */
	bool is_init;    /* goes to initContainers */
	json_t *merged;
};

/* The parts in the order of the overlays: init or validation container, proxy, others. */
struct parts {
	struct part *items;
	unsigned n;
};

/*
 * Merges @part with what the pod has of it: a container that status lists is laid under the
 * overlay, and what the user has written, now or before the first injection, over it.  What is
 * the user's goes into in->overrides.
 */
void part_merge(struct injection *in, struct part *part);

/* The pod's container of that name, in either list; NULL. */
json_t *container_find(const struct injection *in, const char *name);

/* The lists of the new pod: ours in their place, the pod's own in their order. */
json_t *init_containers_place(struct injection *in, const struct parts *parts);
json_t *containers_place(struct injection *in, const struct parts *parts);

#endif
