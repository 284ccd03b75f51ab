/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INJECT_LOOP_H
#define ISTIO_INJECT_LOOP_H

#include "reload.h"
#include "server.h"

/* Signals and ports are waited for from now on; -errno with @err. */
int loop_open(struct server *server, struct err *err);
/* Until a signal has ended it: STATUS_DONE, or STATUS_FAILED if a second one has cut it short. */
int loop_run(struct server *server, struct reload *reload, uint64_t drain_us);

#endif
