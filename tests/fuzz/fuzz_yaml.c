/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A YAML document.  Written anew, with the user's spellings and without, it means the same. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "json_write.h"

static void check_write(const struct document *doc, struct arena *arena, const struct json_node *node, const char *newline)
{
	struct buffer out = { 0 };
	struct document again;
	struct err err;

	yaml_write(&out, doc->root, doc->root, node, newline);
	FUZZ_CHECK(!yaml_read(&again, arena, out.data, out.len, 1, &err));
	/* a null that was nothing but the end of the document is that again */
	FUZZ_CHECK(json_same(again.root ? again.root : json_null(), doc->root));
	FUZZ_CHECK(!again.comments);
	buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	char *copy = xcalloc(size + 1, 1), *text;
	struct document doc, json;
	struct err err = { 0 };

	memcpy(copy, data, size);
	json_use_arena(arena);
	json_object_seed(1);
	if (!yaml_read(&doc, arena, copy, size, 1, &err) && doc.root) {
		check_write(&doc, arena, &doc.node, "\n");
		check_write(&doc, arena, NULL, "\r\n");
		text = json_text(doc.root);
		FUZZ_CHECK(!json_read(&json, arena, text, strlen(text), &err));
		FUZZ_CHECK(json_same(json.root, doc.root));
	}
	arena_free(arena);
	free(copy);
	return 0;
}
