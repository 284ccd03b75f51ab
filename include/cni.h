/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program as a chained CNI plugin (the specification: https://www.cni.dev/docs/spec/, versions 0.3.0 to 1.1.0), and
 * the commands that put it into a node's configuration and take it out again.
 */
#ifndef ISTIO_INIT_CNI_H
#define ISTIO_INIT_CNI_H

#include <stdbool.h>

#include "config.h"
#include "err.h"

/* Whether it is called as the plugin: by that name, or without an argument where a runtime has said what to do. */
bool cni_is_called(int argc, char **argv);

/* One call by a runtime: environment and standard input in, the answer on standard output; the exit status. */
int cni_run(void);

/* As the commands of command.h: the exit status, or -errno with @err. */
int command_cni_install(const struct config *cfg, struct err *err);
int command_cni_uninstall(const struct config *cfg, struct err *err);

#endif
