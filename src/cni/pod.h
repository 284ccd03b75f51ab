/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One pod: whether it is ours, and with which options. */
#ifndef ISTIO_INIT_CNI_POD_H
#define ISTIO_INIT_CNI_POD_H

#include "config.h"
#include "netconf.h"
#include "request.h"

/* Why the pod is not ours, in words; NULL: it is.  -EINVAL with @err: nobody can tell. */
int pod_judge(const struct netconf *conf, const struct request *request, const char **why, struct err *err);

/*
 * Its options, as the arguments of an istio-init container would give them, but for what only a plugin can or cannot know.
 * -EINVAL with @err: an annotation is bad.
 */
int pod_options(struct config *cfg, enum command command, const struct netconf *conf, struct arena *arena, struct err *err);

/* The same of a pod without annotations: whether the configuration is right by itself. */
int pod_check_capture(const struct netconf *conf, struct arena *arena, struct err *err);

#endif
