/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The injection of a configuration as a MutatingAdmissionPolicy: in CEL, for clusters from 1.36, without a server. */
#ifndef ISTIO_INIT_POLICY_H
#define ISTIO_INIT_POLICY_H

#include <jansson.h>

#include "inject_config.h"

/*
 * The policy and its bindings, a list of objects.  @refused gets one line for each thing that CEL cannot
 * say, "KEY: what"; then the list is of no use.  The names of the objects hold the revision.
 */
json_t *policy_objects(const struct inject_config *cfg, struct arena *arena, json_t *refused);

#endif
