/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_ENGINES_H
#define ISTIO_INIT_ENGINES_H

#include "engine.h"

const struct engine_ops *engine_at(enum engine_index index);

#endif
