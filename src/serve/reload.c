/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files are looked at by name each second, rather than watched by inotify: that sees each way in which they
 * can change (a directory that is swapped, a link that leads elsewhere, a file system without notices), and takes
 * none of the node's few inotify instances, which all pods of one UID share.
 */
#include "reload.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "log.h"
#include "json.h"

#include "../inject/inject.h"
#include "../inject/load.h"

/* Longer than any tick that file systems take their times from. */
#define SETTLED_S 2
#define LEN_MAX (1u << 20)

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_stat(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       same_time(a->st_mtim, b->st_mtim) && same_time(a->st_ctim, b->st_ctim);
}

/* FNV-1a, 64 bits (draft-eastlake-fnv): nobody gains by a collision. */
static uint64_t hash(const char *text, size_t len)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
	return h;
}

/* Whether there is something else in the file than @mark says, which then says it. */
static bool mark_update(struct file_mark *mark, const char *path)
{
	struct file_mark now = { 0 };
	auto_free char *text = NULL;
	size_t len = 0;
	bool differs;

	if (stat(path, &now.st))
		now.error = errno;
	else if (!mark->error && !mark->fresh && same_stat(&now.st, &mark->st))
		return false;
	now.fresh = time(NULL) - now.st.st_ctim.tv_sec < SETTLED_S;
	if (!now.error)
		now.error = -read_file(path, LEN_MAX, &text, &len);
	now.hash = text ? hash(text, len) : 0;
	differs = now.error != mark->error || now.hash != mark->hash;
	*mark = now;
	return differs;
}

static int load_config(const struct reload *reload, struct server *server, struct err *err)
{
	struct arena *arena = arena_new();
	struct inject_config cfg;
	int rc;

	json_use_arena(arena);
	rc = config_load(&cfg, reload->paths[FILE_CONFIG], arena, err);
	if (rc) {
		arena_free(arena);
		return rc;
	}
	arena_free(server->arena);
	server->arena = arena;
	server->cfg = cfg;
	return 0;
}

static int load_identity(const struct reload *reload, struct server *server, struct err *err)
{
	struct tls_identity *identity = tls_identity_load(reload->paths[FILE_CERT], reload->paths[FILE_KEY], err);

	if (!identity)
		return -EINVAL;
	/* connections hold theirs */
	tls_identity_release(server->identity);
	server->identity = identity;
	return 0;
}

int reload_begin(struct reload *reload, struct server *server, const struct inject_options *options, struct err *err)
{
	int rc;

	*reload = (struct reload){ .paths = { options->config, options->tls_cert, options->tls_key } };
	for (unsigned i = 0; i < FILES; i++)
		mark_update(&reload->marks[i], reload->paths[i]);
	rc = load_config(reload, server, err);
	return rc ? rc : load_identity(reload, server, err);
}

static void reload_part(struct reload *reload, struct server *server, const char *what, uint64_t counts[OUTCOMES],
			int (*load)(const struct reload *, struct server *, struct err *))
{
	struct err err;
	int rc = load(reload, server, &err);

	counts[rc ? OUTCOME_FAILED : OUTCOME_OK]++;
	if (rc)
		log_error("%s; the old %s goes on", err.what, what);
	else
		log_info("the %s has been read again", what);
}

void reload_check(struct reload *reload, struct server *server, bool all)
{
	bool differs[FILES];

	for (unsigned i = 0; i < FILES; i++)
		differs[i] = mark_update(&reload->marks[i], reload->paths[i]) || all;
	if (differs[FILE_CONFIG])
		reload_part(reload, server, "configuration", server->metrics.config_reloads, load_config);
	if (differs[FILE_CERT] || differs[FILE_KEY])
		reload_part(reload, server, "certificate", server->metrics.certificate_reloads, load_identity);
	json_use_arena(server->arena);
}
