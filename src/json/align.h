/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which member or item of a changed value stands for which of the old one. */
#ifndef ISTIO_INIT_ALIGN_H
#define ISTIO_INIT_ALIGN_H

#include <stdlib.h>

#include "json.h"

/* A walk through the members of @old beside another object's, which mostly has them in the same order. */
struct member_walk {
	const json_t *old; /* NULL: none */
	void *next;
	size_t index;
};

/* The member of walk->old with that key and its index; false if there is none. */
bool member_find(struct member_walk *walk, const char *key, const json_t **value, size_t *index);

/* The member that tells items of the list under @key apart (name, mountPath ...); NULL if nothing does. */
const char *list_key(const char *key);

/*
 * For each item of @new the index of the item of @old that it was, or -1.  Items of a list under
 * @key with a key of their own are the same if that is; of other lists, those at the same index, if the lists
 * are equally long or the items are equal.  The caller frees it.
 */
int *align_items(const json_t *old, const json_t *now, const char *key);

#endif
