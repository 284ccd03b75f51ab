/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_POD_SETTINGS_H
#define ISTIO_INIT_POD_SETTINGS_H

#include "injection.h"

/* Fills overlays chosen, mode, native, hold, ports, order, proxyConfig, resources, workload. */
void settings_read(struct injection *in);

/* The annotation if it is there, which is a boolean; else @otherwise. */
bool note_boolean(const struct injection *in, enum annotation_id id, bool otherwise);

/* The agent's port for metrics: that of the annotation is for probes alone. */
unsigned metrics_port(const struct injection *in);

/* REDIRECT, TPROXY or NONE for a text of any case. */
const char *mode_word(const char *text);

#endif
