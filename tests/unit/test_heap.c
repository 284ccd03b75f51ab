/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "rounds.h"

Suite *suite_heap(void);

#define BLOCKS 64
#define STEPS 20000

/* A block, and the byte that fills it. */
struct held {
	unsigned char *p;
	size_t size;
	unsigned char fill;
};

/* Mostly small; some as large as a mapping of its own (128 KiB), or just below and above. */
static size_t random_size(void)
{
	if (rand() % 50 == 0)
		return (size_t)(120 << 10) + (size_t)rand() % (20 << 10);
	return (size_t)rand() % (rand() % 8 ? 200 : 20000);
}

static bool holds_only(const unsigned char *p, size_t size, unsigned char fill)
{
	for (size_t i = 0; i < size; i++)
		if (p[i] != fill)
			return false;
	return true;
}

static void fill_block(struct held *block, unsigned char *p, size_t size)
{
	ck_assert_ptr_nonnull(p);
	ck_assert_uint_eq((uintptr_t)p % 16, 0);
	*block = (struct held){ p, size, (unsigned char)rand() };
	memset(p, block->fill, size);
}

static void take(struct held *block)
{
	size_t size = random_size();
	unsigned char *p;

	if (rand() % 2) {
		fill_block(block, heap_malloc(size), size);
		return;
	}
	p = heap_calloc(1, size);
	ck_assert_ptr_nonnull(p);
	ck_assert_msg(holds_only(p, size, 0), "calloc's memory is not zero");
	fill_block(block, p, size);
}

static void resize(struct held *block)
{
	size_t size = random_size() + 1, kept = size < block->size ? size : block->size;
	unsigned char *p = heap_realloc(block->p, size);

	ck_assert_ptr_nonnull(p);
	ck_assert_msg(holds_only(p, kept, block->fill), "realloc loses what was there");
	fill_block(block, p, size);
}

/* Whatever is asked for in whatever order: no block changes while others come, grow and go. */
START_TEST(blocks_keep_what_they_hold)
{
	struct held blocks[BLOCKS] = { 0 };

	srand((unsigned)_i);
	for (unsigned step = 0; step < rounds(STEPS); step++) {
		struct held *block = &blocks[rand() % BLOCKS];

		/* The last one taken is the one that can be given back and grown in place. */
		if (!block->p) {
			take(block);
			continue;
		}
		ck_assert_msg(holds_only(block->p, block->size, block->fill), "a block has changed");
		if (rand() % 3 == 0) {
			resize(block);
		} else {
			heap_free(block->p);
			block->p = NULL;
		}
	}
	for (unsigned i = 0; i < BLOCKS; i++)
		heap_free(blocks[i].p);
}
END_TEST

/* Larger than those that wait for the next of their size, which an earlier test may have left. */
START_TEST(last_block_is_given_back_and_grows)
{
	char *first = heap_malloc(3000), *second;

	heap_free(first);
	second = heap_malloc(2000);
	ck_assert_ptr_eq(first, second);
	memset(second, 7, 2000);
	ck_assert_ptr_eq(heap_realloc(second, 5000), second);
	heap_free(second);
	second = heap_calloc(10, 500);
	ck_assert_ptr_eq(first, second);
	ck_assert(holds_only((unsigned char *)second, 5000, 0));
	heap_free(second);
}
END_TEST

START_TEST(freed_block_is_used_again)
{
	char *first = heap_malloc(100), *behind = heap_malloc(100);

	memset(first, 7, 100);
	heap_free(first);
	/* of another size, then of the same rounded up */
	ck_assert_ptr_ne(heap_malloc(200), first);
	ck_assert_ptr_eq(heap_calloc(1, 98), first);
	ck_assert(holds_only((unsigned char *)first, 98, 0));
	heap_free(behind);
}
END_TEST

START_TEST(impossible_sizes_fail)
{
	char *small = heap_malloc(1);

	errno = 0;
	ck_assert_ptr_null(heap_malloc(SIZE_MAX));
	ck_assert_int_eq(errno, ENOMEM);
	ck_assert_ptr_null(heap_malloc(PTRDIFF_MAX));
	errno = 0;
	ck_assert_ptr_null(heap_calloc(SIZE_MAX / 2, 3));
	ck_assert_int_eq(errno, ENOMEM);
	errno = 0;
	ck_assert_ptr_null(heap_realloc(small, SIZE_MAX - 8));
	ck_assert_int_eq(errno, ENOMEM);
	heap_free(small);
	heap_free(NULL);
}
END_TEST

Suite *suite_heap(void)
{
	Suite *suite = suite_create("heap");
	TCase *tc = tcase_create("heap");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, blocks_keep_what_they_hold, 0, 4);
	tcase_add_test(tc, last_block_is_given_back_and_grows);
	tcase_add_test(tc, freed_block_is_used_again);
	tcase_add_test(tc, impossible_sizes_fail);
	suite_add_tcase(suite, tc);
	return suite;
}
