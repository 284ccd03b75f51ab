/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_PATCH_H
#define ISTIO_INIT_PATCH_H

#include <jansson.h>

/*
 * The operations (RFC 6902) that make @new of @old, both pods, as a JSON list; each path begins with
 * @prefix.  Containers that @new's status annotation names are ours and may be moved; all others keep their
 * order, and are neither replaced nor moved.
 */
json_t *pod_patch(const char *prefix, const json_t *old, const json_t *new);

#endif
