/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Strategic merge, as Kubernetes has it for pods. */
#ifndef ISTIO_INIT_POD_MERGE_H
#define ISTIO_INIT_POD_MERGE_H

#include <jansson.h>
#include <stdbool.h>

enum merge_flag {
	MERGE_NULLS = 1,  /* a null of the overlay stays one (overlay into overlay); else it removes the key */
	MERGE_PLAIN = 2,  /* no list has a key: all are replaced */
	MERGE_EXTEND = 4, /* what the base extends counts as there already: an injected container, asked again */
	MERGE_UNDER = 8,  /* the base wins: what it lacks is added behind what it has (null is as if absent) */
	MERGE_AGAIN = 16, /* a list without a key that goes on in the base counts as there already: an injected pod's */
};

/*
 * @over merged over @base.  Maps by key, lists of items by their key where they have one, the
 * rest replaced; items of @over come first, but for volumes and imagePullSecrets, which are added
 * at the end.  @listed (or NULL): names of volumes for which MERGE_EXTEND holds.
 * Neither is changed; returns @base itself where nothing comes of it.
 */
json_t *merge(json_t *base, json_t *over, unsigned flags, const json_t *listed);

/* The same for values of the member @key, whose name tells which list it is. */
json_t *merge_member(const char *key, json_t *base, json_t *over, unsigned flags, const json_t *listed);

/* The member that tells the list's items apart, and whether new ones go to the end; NULL if it is replaced as a whole. */
const char *merge_list_key(const char *list, bool *at_end);

#endif
