/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a runtime gives to the plugin on standard input.  Whatever it is, it is refused with a line, or the pod's options are
 * read or refused with a line; and as a node's list of plugins it is refused, or our entry goes in once and out again.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "../../src/cni/conflist.h"
#include "../../src/cni/netconf.h"
#include "../../src/cni/pod.h"

static void check_line(const struct err *err)
{
	FUZZ_CHECK(err->what[0]);
}

static void check_pod(struct arena *arena, const char *text, size_t size)
{
	const struct request request = { .namespace = "shop", .pod = "web" };
	struct netconf conf = { 0 };
	struct config cfg = { 0 };
	const char *why = NULL;
	struct err err = { 0 };

	if (netconf_read(&conf, arena, text, size, &err) || netconf_check(&conf, arena, &err) ||
	    pod_judge(&conf, &request, &why, &err)) {
		check_line(&err);
		return;
	}
	if (conf.prev)
		FUZZ_CHECK(conf.prev >= text && conf.prev_len && conf.prev + conf.prev_len <= text + size);
	if (why)
		return;
	if (pod_options(&cfg, COMMAND_APPLY, &conf, arena, &err))
		check_line(&err);
	else
		FUZZ_CHECK(cfg.proxy_uids.n && cfg.proxy_gids.n);
	config_free(&cfg);
}

static void check_list(struct arena *arena, const char *text, size_t size)
{
	struct buffer with = { 0 }, again = { 0 }, without = { 0 }, bare = { 0 };
	json_t *entry = json_object();
	struct err err = { 0 };
	int rc, was;

	json_object_set_new(entry, "type", json_string(PLUGIN_NAME));
	rc = conflist_add(&with, arena, text, size, entry, &err);
	if (rc < 0) {
		check_line(&err);
	} else {
		FUZZ_CHECK(conflist_add(&again, arena, with.data, with.len, entry, &err) == CONFLIST_SAME);
		FUZZ_CHECK(again.len == with.len && !memcmp(again.data, with.data, with.len));
		was = conflist_remove(&bare, arena, text, size, &err);
		/* one of our entries alone leaves an empty list, which is none */
		if (was == CONFLIST_SAME) {
			FUZZ_CHECK(conflist_remove(&without, arena, with.data, with.len, &err) == CONFLIST_CHANGED);
			FUZZ_CHECK(without.len == size && !memcmp(without.data, text, size));
		}
	}
	buffer_free(&with);
	buffer_free(&again);
	buffer_free(&without);
	buffer_free(&bare);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	char *copy = xcalloc(size + 1, 1);

	memcpy(copy, data, size);
	json_use_arena(arena);
	json_object_seed(1);
	check_pod(arena, copy, size);
	check_list(arena, copy, size);
	arena_free(arena);
	free(copy);
	return 0;
}
