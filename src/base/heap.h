/* SPDX-License-Identifier: GPL-2.0-or-later */
/* malloc and its kin as the musl binary has them, under names that a test can link beside libc's. */
#ifndef ISTIO_INIT_HEAP_H
#define ISTIO_INIT_HEAP_H

#include <stddef.h>

void *heap_malloc(size_t size);
void *heap_calloc(size_t count, size_t size);
void *heap_realloc(void *p, size_t size);
void heap_free(void *p);

#endif
