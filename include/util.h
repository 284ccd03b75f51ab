/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Allocation that cannot fail, cleanup attributes, small helpers. */
#ifndef ISTIO_INIT_UTIL_H
#define ISTIO_INIT_UTIL_H

#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define auto_free __attribute__((cleanup(util_cleanup_free)))
#define auto_close __attribute__((cleanup(util_cleanup_close)))

void util_cleanup_free(void *pointer_to_pointer);
void util_cleanup_close(int *fd);

/* Zeroed memory; the program ends with a message if there is none. */
void *xcalloc(size_t count, size_t size);
void *xreallocarray(void *old, size_t count, size_t size);
char *xstrdup(const char *s);
/* @p, which a library has allocated. */
void *xchecked(void *p);

/*
 * Makes room for one more element behind the @n in *@array of elements of @size
 * bytes, doubling; returns the (not zeroed) new element's place and counts it.
 */
void *array_push(void *pointer_to_array, unsigned *n, size_t size);

/* qsort, but for arrays that are sorted already, as most are, linear. */
void array_sort(void *items, size_t n, size_t size, int (*compare)(const void *, const void *));

/* Memory that is handed out in pieces and freed at once. */
struct arena;
struct arena *arena_new(void);
void *arena_alloc(struct arena *arena, size_t size); /* zeroed, aligned to 8 */
void *arena_take(struct arena *arena, size_t size);  /* the same, not zeroed */
void arena_free(struct arena *arena);

/* Microseconds of CLOCK_MONOTONIC. */
uint64_t clock_us(void);

/*
 * Reads a whole file into a fresh buffer that is ended by a NUL.  Returns 0 and
 * the buffer (caller frees) and length, or -errno; -EFBIG above @limit bytes.
 */
int read_file(const char *path, size_t limit, char **data, size_t *len);
/* The same of what is left of an open file. */
int read_fd(int fd, size_t limit, char **data, size_t *len);

#endif
