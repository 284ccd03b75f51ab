/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_UNIQUE_H
#define ISTIO_INIT_UNIQUE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Drops items that are equal byte for byte to one before them, in place and in
 * near-linear time; returns how many are left.  The items have no padding.
 */
uint32_t items_unique(void *items, uint32_t n, size_t size);

#endif
