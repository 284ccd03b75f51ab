/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_TRAFFIC_LIST_H
#define ISTIO_INIT_TRAFFIC_LIST_H

#include "diagram.h"
#include "traffic.h"
#include "util.h"

/* Items of all lists of a table: above that it would take too much memory. */
#define LISTED_MAX (4u << 20)

/* The set of a field's values as items, or as those that are not in it, whichever are fewer.  Items are of the arena. */
void traffic_list_make(struct traffic_list *list, struct diagram *d, uint32_t set, enum field field, enum family family,
		       struct arena *arena);

#endif
