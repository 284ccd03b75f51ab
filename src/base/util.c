/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "err.h"
#include "log.h"

void util_cleanup_free(void *pointer_to_pointer)
{
	free(*(void **)pointer_to_pointer);
}

void util_cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* The one way out below main: a one-shot tool without memory has nothing left to undo with. */
void *xchecked(void *p)
{
	if (p)
		return p;
	log_release();
	log_error("out of memory: raise the container's memory limit");
	_exit(STATUS_FAILED);
}

void *xcalloc(size_t count, size_t size)
{
	return xchecked(calloc(count ? count : 1, size ? size : 1));
}

void *xreallocarray(void *old, size_t count, size_t size)
{
	return xchecked(reallocarray(old, count ? count : 1, size ? size : 1));
}

char *xstrdup(const char *s)
{
	return xchecked(strdup(s));
}

void *array_push(void *pointer_to_array, unsigned *n, size_t size)
{
	char **array = pointer_to_array;

	/* Full at 0 and at each power of two: no capacity needs to be kept. */
	if ((*n & (*n - 1)) == 0)
		*array = xreallocarray(*array, *n ? (size_t)*n * 2 : 1, size);
	return *array + (size_t)(*n)++ * size;
}

void array_sort(void *items, size_t n, size_t size, int (*compare)(const void *, const void *))
{
	const char *at = items;

	for (size_t i = 1; i < n; i++, at += size)
		if (compare(at, at + size) > 0) {
			qsort(items, n, size, compare);
			return;
		}
}

/*
 * A block holds the default rules of both families, so that most runs need one.  Large arenas are of
 * large blocks, which malloc has mappings for, and gives back to the system.
 */
#define ARENA_BLOCK 16384
#define ARENA_BLOCK_MAX (8u << 20)

struct arena_block {
	struct arena_block *next;
	size_t used, size;
	uint64_t data[];
};

struct arena {
	struct arena_block *blocks;
	size_t total; /* of all blocks */
};

struct arena *arena_new(void)
{
	return xcalloc(1, sizeof(struct arena));
}

void *arena_take(struct arena *arena, size_t size)
{
	struct arena_block *block = arena->blocks;
	size_t need = (size + 7) & ~(size_t)7;
	void *p;

	if (!block || block->size - block->used < need) {
		size_t room = arena->total / 2 < ARENA_BLOCK_MAX ? arena->total / 2 : ARENA_BLOCK_MAX;

		room = room > ARENA_BLOCK ? room : ARENA_BLOCK;
		room = room > need ? room : need;
		block = xreallocarray(NULL, 1, sizeof(*block) + room);
		block->used = 0;
		block->size = room;
		block->next = arena->blocks;
		arena->blocks = block;
		arena->total += room;
	}
	p = (char *)block->data + block->used;
	block->used += need;
	return p;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	/* Piece by piece, as each page that is touched costs a microsecond. */
	return memset(arena_take(arena, size), 0, size);
}

void arena_free(struct arena *arena)
{
	struct arena_block *block, *next;

	if (!arena)
		return;
	for (block = arena->blocks; block; block = next) {
		next = block->next;
		free(block);
	}
	free(arena);
}

uint64_t clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

int read_file(const char *path, size_t limit, char **data, size_t *len)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : read_fd(fd, limit, data, len);
}

int read_fd(int fd, size_t limit, char **data, size_t *len)
{
	auto_free char *text = NULL;
	size_t n = 0, size = 0;
	ssize_t got;

	do {
		if (n + 1 >= size) {
			size = size ? size * 2 : 8192;
			text = xreallocarray(text, size, 1);
		}
		got = read(fd, text + n, size - n - 1);
		if (got < 0 && errno != EINTR)
			return -errno;
		n += got > 0 ? (size_t)got : 0;
		if (n > limit)
			return -EFBIG;
	} while (got != 0);
	text[n] = '\0';
	*data = text;
	*len = n;
	text = NULL;
	return 0;
}
