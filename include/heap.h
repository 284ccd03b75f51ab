/* SPDX-License-Identifier: GPL-2.0-or-later */
/* malloc and its kin as the musl binary has them, under names that a test can link beside libc's. */
#ifndef ISTIO_INIT_HEAP_H
#define ISTIO_INIT_HEAP_H

#include <stdbool.h>
#include <stddef.h>

void *heap_malloc(size_t size);
void *heap_calloc(size_t count, size_t size);
void *heap_realloc(void *p, size_t size);
void heap_free(void *p);

/*
 * Sets aside twice as much as is handed out now: what comes later gets it where the system refuses more.  So what was
 * read can be read again, and taken back.  False if there is not that much.
 */
bool heap_reserve(void);

#endif
