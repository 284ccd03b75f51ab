/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two pods, one JSON value behind the other.  The patch makes the second of the first, and is the same again. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "json_write.h"
#include "patch.h"
#include "patch_apply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	char *copy = xcalloc(size + 1, 1);
	struct json_reader reader = { .text = copy, .len = size, .arena = arena };
	struct document old, new;
	struct err err;

	memcpy(copy, data, size);
	json_use_arena(arena);
	json_object_seed(1);
	if (json_read_next(&reader, &old, &err) == 1 && json_read_next(&reader, &new, &err) == 1 &&
	    json_is_object(old.root) && json_is_object(new.root)) {
		/* what is neither metadata nor spec is nothing that an injection touches */
		json_t *from = json_object(), *to = json_object();
		static const char *const keys[] = { "metadata", "spec" };
		json_t *ops, *result;

		for (unsigned i = 0; i < ARRAY_SIZE(keys); i++) {
			json_object_set(from, keys[i], json_object_get(old.root, keys[i]));
			json_object_set(to, keys[i], json_object_get(new.root, keys[i]));
		}
		ops = pod_patch("", from, to);
		result = patch_apply(from, ops);
		FUZZ_CHECK(result && json_same(result, to));
		FUZZ_CHECK(!strcmp(json_text(ops), json_text(pod_patch("", from, to))));
		FUZZ_CHECK(!json_array_size(pod_patch("", result, to)));
	}
	arena_free(arena);
	free(copy);
	return 0;
}
