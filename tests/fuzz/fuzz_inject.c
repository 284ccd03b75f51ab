/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A configuration, a line "===", documents.  What comes out is well-formed, and the patch gives the same.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "json_write.h"
#include "log.h"
#include "patch.h"
#include "patch_apply.h"
#include "util.h"

#include "../../src/inject/load.h"
#include "../../src/inject/walk.h"

static int inject(void *context, struct subject *subject, struct err *err)
{
	int rc = pod_inject(&subject->request, &subject->result, err);
	const json_t *old = subject->pod, *new = subject->result.pod;
	json_t *patched, *was = json_deep_copy(old);

	(void)context;
	if (rc) {
		FUZZ_CHECK(err->what[0] && err->status == STATUS_DATA);
		return rc;
	}
	FUZZ_CHECK(json_equal(was, old));
	patched = patch_apply(old, pod_patch("", old, new));
	FUZZ_CHECK(patched && json_same(patched, new));
	return 0;
}

/* The next document that is not empty, from *@at. */
static const json_t *next_root(const struct file *file, unsigned *at, bool changed)
{
	while (*at < file->n) {
		const struct chunk *chunk = &file->chunks[(*at)++];
		const json_t *root = changed && chunk->changed ? chunk->changed : chunk->doc.root;

		if (root && !json_is_null(root))
			return root;
	}
	return NULL;
}

static void check_output(const struct file *file, struct arena *arena, enum inject_output form)
{
	/* a text of JSON that begins with a scalar is only known by its name */
	struct file again = { .name = form == OUTPUT_JSON ? "fuzz.json" : file->name };
	struct buffer out = { 0 };
	struct err err;

	file_print(file, NULL, form, &out);
	buffer_put(&out, "", 0);
	again.text = out.data;
	again.len = out.len;
	FUZZ_CHECK(!file_parse(&again, arena, &err));
	for (unsigned i = 0, j = 0; i < file->n;) {
		const json_t *wanted = next_root(file, &i, true), *found = next_root(&again, &j, false);

		FUZZ_CHECK(wanted ? found && json_same(wanted, found) : !found);
	}
	free(again.chunks);
	buffer_free(&out);
}

static void run(char *config, char *documents, size_t len, struct arena *arena)
{
	static const struct inject_options options = { .namespace = "default" };
	struct session session = { .options = &options, .arena = arena };
	struct file file = { .name = "fuzz", .text = documents, .len = len };
	struct err err = { 0 };
	int rc = 0;

	if (config_parse(&session.cfg, "config", config, strlen(config), arena, &err)) {
		FUZZ_CHECK(err.status == STATUS_USAGE && err.what[0]);
		return;
	}
	if (!file_parse(&file, arena, &err)) {
		for (unsigned i = 0; i < file.n && !rc; i++)
			rc = walk_document(&session, &file, &file.chunks[i], inject, NULL, &err);
		for (enum inject_output form = OUTPUT_SAME; form <= OUTPUT_JSON && !rc; form++)
			check_output(&file, arena, form);
	}
	free(file.chunks);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char mark[] = "\n===\n";
	static const struct log_options quiet = { .level = LOG_NONE, .fd = 2 };
	struct arena *arena = arena_new();
	char *copy = xcalloc(size + 1, 1), *cut;

	log_setup(&quiet);
	memcpy(copy, data, size);
	json_use_arena(arena);
	json_object_seed(1);
	cut = strstr(copy, mark);
	if (cut) {
		*cut = '\0';
		cut += sizeof(mark) - 1;
		run(copy, cut, size - (size_t)(cut - copy), arena);
	}
	arena_free(arena);
	free(copy);
	return 0;
}
