/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_FUZZ_PATCH_APPLY_H
#define ISTIO_INIT_FUZZ_PATCH_APPLY_H

#include <jansson.h>

/* @value with the operations carried out (RFC 6902: add, remove, replace, move), or NULL if one cannot be. */
json_t *patch_apply(const json_t *value, const json_t *ops);

#endif
