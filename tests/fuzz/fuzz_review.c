/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A configuration, a line "===", an AdmissionReview.  The answer is one that an API server takes, and its patch
 * makes what the same answer leaves alone.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "log.h"
#include "patch_apply.h"
#include "util.h"

#include "../../src/inject/load.h"
#include "../../src/serve/review.h"

static int digit_of(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = strchr(digits, c);

	FUZZ_CHECK(c && at);
	return (int)(at - digits);
}

static json_t *decode_patch(const char *text, struct arena *arena)
{
	size_t n = strlen(text), len = 0;
	unsigned char *out = arena_alloc(arena, n + 4);
	json_t *patch;
	struct err err;

	FUZZ_CHECK(n && n % 4 == 0);
	while (n && text[n - 1] == '=')
		n--;
	for (size_t i = 0; i < n; i += 4) {
		unsigned bits = 0, count = n - i < 4 ? (unsigned)(n - i) : 4;

		FUZZ_CHECK(count > 1);
		for (unsigned j = 0; j < count; j++)
			bits |= (unsigned)digit_of(text[i + j]) << (18 - 6 * j);
		for (unsigned j = 0; j + 1 < count; j++)
			out[len++] = (unsigned char)(bits >> (16 - 8 * j));
	}
	FUZZ_CHECK(!json_parse((const char *)out, len, &patch, &err));
	return patch;
}

static void check_warnings(const json_t *warnings)
{
	json_t *warning;
	size_t i;

	json_array_foreach((json_t *)warnings, i, warning)
	{
		FUZZ_CHECK(json_string_length(warning) <= 120);
		for (const char *c = json_string_value(warning); *c; c++)
			FUZZ_CHECK((unsigned char)*c >= ' ' && *c != 0x7f);
	}
}

static void check_answer(const struct review *review, const struct buffer *out, const char *text, size_t len,
			 struct arena *arena)
{
	json_t *answer, *asked, *response, *pod, *status;
	const char *patch;
	struct err err;

	FUZZ_CHECK(!json_parse(out->data, out->len, &answer, &err) && !json_parse(text, len, &asked, &err));
	response = json_object_get(answer, "response");
	pod = json_object_get(json_object_get(asked, "request"), "object");
	FUZZ_CHECK(json_same(json_object_get(response, "uid"), json_object_get(json_object_get(asked, "request"), "uid")));
	status = json_object_get(response, "status");
	patch = json_string_value(json_object_get(response, "patch"));
	FUZZ_CHECK(json_is_boolean(json_object_get(response, "allowed")));
	FUZZ_CHECK(json_is_true(json_object_get(response, "allowed")) == !status && review->refused == (status != NULL));
	FUZZ_CHECK(!status || (!patch && *json_string_value(json_object_get(status, "message"))));
	FUZZ_CHECK(!patch == !json_object_get(response, "patchType"));
	check_warnings(json_object_get(response, "warnings"));
	if (patch)
		FUZZ_CHECK(json_same(patch_apply(pod, decode_patch(patch, arena)), review->result.pod));
}

static void run(char *config, const char *text, size_t len, struct arena *arena)
{
	struct inject_config cfg;
	struct review review;
	struct buffer out = { 0 };
	struct err err = { 0 };

	if (config_parse(&cfg, "config", config, strlen(config), arena, &err))
		return;
	if (review_answer(&review, &cfg, text, len, arena, &out, &err))
		FUZZ_CHECK(err.what[0] && !out.len);
	else
		check_answer(&review, &out, text, len, arena);
	buffer_free(&out);
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
