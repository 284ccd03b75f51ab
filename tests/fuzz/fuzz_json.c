/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A JSON text.  jansson takes what we take and finds the same in it; what we write is what we read. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "json_write.h"

/* A change of every kind: a member and an item more, one less, one other. */
static json_t *change(const json_t *value, unsigned *n)
{
	json_t *new = json_deep_copy(value), *item = json_array_get(new, 0);
	const char *key = json_object_iter_key(json_object_iter(new));

	if ((*n)++ > 5)
		return new;
	if (key) {
		json_object_set_new(new, key, change(json_object_get(value, key), n));
		json_object_set_new(new, "fuzz", json_string("new"));
		key = json_object_iter_key(json_object_iter_next(new, json_object_iter(new)));
		if (key)
			json_object_del(new, key);
	}
	if (item) {
		json_array_set_new(new, 0, change(item, n));
		json_array_insert_new(new, 0, json_true());
		json_array_remove(new, 2);
	}
	return json_is_array(new) || json_is_object(new) ? new : json_integer(7);
}

static void check_splice(const struct document *doc, struct arena *arena, const json_t *value)
{
	struct buffer out = { 0 };
	struct document again;
	struct err err;

	json_splice(&out, doc, value);
	FUZZ_CHECK(!json_read(&again, arena, out.data, out.len, &err));
	FUZZ_CHECK(json_same(again.root, value));
	if (value == doc->root)
		FUZZ_CHECK(out.len == doc->node.end - doc->node.start &&
			   !memcmp(out.data, doc->text + doc->node.start, out.len));
	buffer_free(&out);
}

/* What jansson makes of a text of ours, spelt by us. */
static void check_jansson(const char *data, size_t size, const json_t *value)
{
	json_t *theirs = json_loadb(data, size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
	json_t *ours;
	char *text;

	/* it has no numbers above those of a double */
	if (!theirs)
		return;
	text = json_text(value);
	ours = json_loadb(text, strlen(text), JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);
	FUZZ_CHECK(ours && json_equal(ours, theirs));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	char *copy = xcalloc(size + 1, 1);
	struct document doc;
	struct err err = { 0 };
	unsigned n = 0;
	json_error_t error;

	memcpy(copy, data, size);
	json_use_arena(arena);
	json_object_seed(1);
	if (!json_read(&doc, arena, copy, size, &err)) {
		check_jansson(copy, size, doc.root);
		check_splice(&doc, arena, doc.root);
		check_splice(&doc, arena, change(doc.root, &n));
	} else {
		FUZZ_CHECK(err.status == STATUS_DATA && err.what[0]);
		/* what is not refused for its depth is wrong for jansson, too, which reads up to a NUL */
		if (!strstr(err.what, "levels") && !memchr(copy, '\0', size))
			FUZZ_CHECK(!json_loadb(copy, size,
					       JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &error));
	}
	arena_free(arena);
	free(copy);
	return 0;
}
