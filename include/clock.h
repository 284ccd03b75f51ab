/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one clock. */
#ifndef ISTIO_INIT_CLOCK_H
#define ISTIO_INIT_CLOCK_H

#include <stdint.h>

/* Microseconds of CLOCK_MONOTONIC: for deadlines and durations. */
uint64_t clock_us(void);

#endif
