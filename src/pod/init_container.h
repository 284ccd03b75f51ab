/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_POD_INIT_CONTAINER_H
#define ISTIO_INIT_POD_INIT_CONTAINER_H

#include "injection.h"

/* The name of the container that makes or proves the rules; NULL if the pod gets none. */
const char *maker_name(const struct injection *in);

/* That container with @args; the configuration's initContainer is laid over it. */
int maker_build(struct injection *in, json_t *args, const json_t *proxy, json_t **container);

/* @container with proxyMetadata as variables, by name, behind its own. */
json_t *with_metadata(const struct injection *in, json_t *container);

/* The securityContext of the one that makes the rules, and, but for the user, of the one that proves them. */
json_t *maker_security(bool makes_rules);
/* An item of an env. */
json_t *variable_of(const char *name, const json_t *value);

#endif
