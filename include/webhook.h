/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The webhooks by which the API server asks: one table for who is asked and for what is printed. */
#ifndef ISTIO_INIT_WEBHOOK_H
#define ISTIO_INIT_WEBHOOK_H

#include "pod.h"

/* The revision that the labels without a revision mean. */
#define REVISION_DEFAULT "default"

/*
 * Which of the webhooks asks about the pod in a namespace with these labels (an object): the first
 * part of its name, such as "rev.namespace", or NULL, and then @why says which label keeps the API
 * server from asking.
 */
const char *pod_webhook(const struct pod_request *request, const json_t *namespace_labels, const char **why);

/*
 * Those of this configuration, a list of {"name", "namespaceSelector", "objectSelector"} as
 * admissionregistration.k8s.io/v1 has them; the name is its first part.  @own: the namespace of the
 * server, where nobody may be asked, or NULL.  @everywhere adds "auto", for objects without labels.
 */
json_t *webhook_selectors(const struct inject_config *cfg, const char *own, bool everywhere);

#endif
