/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_POD_STATUS_H
#define ISTIO_INIT_POD_STATUS_H

#include "injection.h"

/* Fills in->status and in->overrides. */
void status_read(struct injection *in);

/* What the user had written under a container's name; NULL. */
json_t *override_find(const struct injection *in, const char *container);
/* Adds it to in->overrides, below @list (containers, initContainers). */
void override_add(struct injection *in, const char *list, json_t *container);

/* The annotation's text: as it was, if nothing has come to it. */
const char *overrides_text(const struct injection *in);

/* The annotation's text; the lists are of names. */
const char *status_text(json_t *init_containers, json_t *containers, json_t *volumes, json_t *secrets,
			const char *revision);

#endif
