/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading members that may be absent or null, and changed copies that share what did not change. */
#ifndef ISTIO_INIT_POD_MEMBER_H
#define ISTIO_INIT_POD_MEMBER_H

#include <jansson.h>
#include <stdbool.h>

#include "util.h"

/* The member; NULL if @object is no object, or the member is absent or null. */
json_t *member(const json_t *object, const char *key);
/* Its text; NULL if it is no string. */
const char *member_text(const json_t *object, const char *key);
/* A string's text; NULL of anything else, also of a number that is kept as it was written. */
const char *text_of(const json_t *value);

/* The item of @list whose member @key is @text; NULL if there is none. */
json_t *item_find(const json_t *list, const char *key, const char *text);
/* Whether the list of strings holds @text. */
bool list_holds(const json_t *list, const char *text);
/* Appends @text to the list of strings, unless that holds it. */
void list_add(json_t *list, const char *text);

/* Whether two lists have the very same items. */
bool same_items(const json_t *a, const json_t *b);

/* @object (NULL: {}) with @value as member @key: a copy, or @object itself if that has this very value. */
json_t *with_member(json_t *object, const char *key, json_t *value);
/* @object without the member: a copy, or @object itself. */
json_t *without_member(json_t *object, const char *key);
/* @value without members that are null, at any depth. */
json_t *without_nulls(json_t *value);

/* @pod's @part (metadata, spec) with another member. */
json_t *pod_with(json_t *pod, const char *part, const char *key, json_t *value);

/* The members' names, sorted by byte; the array is the caller's to free, with json_object_size() entries. */
const char **sorted_keys(json_t *object);

/* Formatted text in the arena. */
const char *arena_printf(struct arena *arena, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
