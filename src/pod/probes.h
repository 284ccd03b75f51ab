/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Probes and metrics that go through the proxy's agent. */
#ifndef ISTIO_INIT_POD_PROBES_H
#define ISTIO_INIT_POD_PROBES_H

#include "injection.h"

/*
 * Both take the pod after the merge, whose lists and the containers in them are copied before
 * they are changed, and return the new pod.
 */
json_t *probes_rewrite(struct injection *in, json_t *pod);
int prometheus_merge(struct injection *in, json_t **pod);

/* @pod with @text as variable @name of the proxy container, wherever that is. */
json_t *proxy_with_env(const struct injection *in, json_t *pod, const char *name, const char *text);
/* The proxy container of @pod; NULL if it has none. */
json_t *proxy_find(const struct injection *in, const json_t *pod);

#endif
