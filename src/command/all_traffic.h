/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_ALL_TRAFFIC_H
#define ISTIO_INIT_ALL_TRAFFIC_H

#include "config.h"
#include "err.h"

/* explain traffic, and diff --traffic. */
int traffic_explained(const struct config *cfg, struct err *err);
int traffic_compared(const struct config *cfg, struct err *err);

#endif
