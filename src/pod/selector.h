/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_POD_SELECTOR_H
#define ISTIO_INIT_POD_SELECTOR_H

#include <jansson.h>
#include <stdbool.h>

/*
 * Whether a checked label selector of Kubernetes (matchLabels, matchExpressions; all must hold)
 * matches; @labels may be NULL.  An empty selector matches nothing.
 */
bool selector_matches(const json_t *selector, const json_t *labels);

#endif
