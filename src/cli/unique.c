/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unique.h"

#include <string.h>

#include "util.h"

/* Up to here comparing each with each is faster than a table, and needs none. */
#define FEW 16

static uint32_t item_hash(const unsigned char *item, size_t size)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < size; i++)
		h = (h ^ item[i]) * 16777619u;
	return h ^ h >> 15;
}

static uint32_t few_unique(char *items, uint32_t n, size_t size)
{
	uint32_t kept = 0, j;

	for (uint32_t i = 0; i < n; i++) {
		for (j = 0; j < kept && memcmp(items + j * size, items + i * size, size); j++)
			;
		if (j == kept)
			memmove(items + kept++ * size, items + i * size, size);
	}
	return kept;
}

uint32_t items_unique(void *array, uint32_t n, size_t size)
{
	auto_free uint32_t *slots = NULL; /* index of an item plus one; 0: free */
	char *items = array;
	uint32_t kept = 0, mask = 1;

	if (n <= FEW)
		return few_unique(items, n, size);
	while (mask / 2 < n)
		mask *= 2;
	slots = xcalloc(mask--, sizeof(*slots));
	for (uint32_t i = 0; i < n; i++) {
		const char *item = items + i * size;
		uint32_t at = item_hash((const unsigned char *)item, size) & mask;

		while (slots[at] && memcmp(items + (slots[at] - 1) * size, item, size))
			at = (at + 1) & mask;
		if (slots[at])
			continue;
		memmove(items + kept * size, item, size);
		slots[at] = ++kept;
	}
	return kept;
}
