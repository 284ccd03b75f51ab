/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where in a value of the configuration something is wrong: a JSON pointer (RFC 6901) that grows and shrinks. */
#ifndef ISTIO_INIT_POD_PATH_H
#define ISTIO_INIT_POD_PATH_H

#include "inject_config.h"

/* Without effect where there is no room: the pointer then names something above. */
void path_push(char path[CONFIG_PATH_MAX], const char *key);
void path_push_index(char path[CONFIG_PATH_MAX], size_t index);
void path_pop(char path[CONFIG_PATH_MAX]);

/* -EINVAL, and err->what says what was expected. */
int path_expected(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* That @value is a mapping with no keys but @keys, which ends with NULL. */
int path_check_keys(const json_t *value, const char *const *keys, char path[CONFIG_PATH_MAX], struct err *err);

#endif
