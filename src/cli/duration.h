/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_DURATION_H
#define ISTIO_INIT_DURATION_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A duration in the grammar of Go's time.ParseDuration ("1m30s", "1.5h",
 * "500ms"), or a bare number of seconds; not negative, at most UINT32_MAX
 * milliseconds, parts of a millisecond rounded up.
 */
bool duration_parse(const char *text, uint32_t *ms);

#endif
