/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the two halves of the patch share. */
#ifndef ISTIO_INIT_PATCHING_H
#define ISTIO_INIT_PATCHING_H

#include "json.h"
#include "json_write.h"

/* In the order in which they are patched. */
enum { INIT_LIST, APP_LIST, CONTAINER_LISTS };
extern const char *const container_lists[CONTAINER_LISTS];

struct patch {
	json_t *ops;
	json_t *ours; /* names of our containers */
	struct buffer path;
};

/* One operation at the path; @from and @value may be NULL. */
void patch_op(struct patch *p, const char *op, const char *from, const json_t *value);

/* Appends a token to the path (RFC 6901, section 3); what they return takes it off again. */
size_t patch_enter(struct patch *p, const char *token);
size_t patch_enter_index(struct patch *p, size_t index);
void patch_leave(struct patch *p, size_t len);

/* From one value to another, either NULL where it is not there, under @key; from one member to another. */
void patch_value(struct patch *p, const json_t *old, const json_t *new, const char *key);
void patch_member(struct patch *p, const json_t *old, const json_t *new, const char *key);

/* The lists of containers of two specs, then the probes in them. */
void patch_containers(struct patch *p, const json_t *old, const json_t *new);

#endif
