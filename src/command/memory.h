/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_COMMAND_MEMORY_H
#define ISTIO_INIT_COMMAND_MEMORY_H

#include "context.h"

/*
 * Whether an apply of the options' CIDRs through that backend may take more memory than this container's limit; then
 * there is a warning, which is written at once, held back or not: who is killed for memory writes no more.
 */
bool warn_of_memory(const struct context *ctx, enum backend_index backend);

#endif
