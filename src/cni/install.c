/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "install.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../pod/member.h"
#include "cni.h"
#include "conflist.h"
#include "folder.h"
#include "log.h"
#include "netconf.h"

#define DEFAULT_ENTRY "{\"type\":\"" PLUGIN_NAME "\",\"capabilities\":{\"" KEY_ANNOTATIONS "\":true}}"

/* Bytes of a network's configuration, and of this program. */
#define LIST_MAX (4u << 20)
#define PROGRAM_MAX (64u << 20)

#define LIST ".conflist"
#define SINGLE ".conf"
/*
 * What a list of ours is called behind the name of the .conf that it was made from.  A runtime takes the first by name, and
 * NAME.conf comes before NAME.conflist, but behind this.
 */
#define MADE "-istio-init" LIST

/* How often a list that somebody else changes under our hands is read again. */
#define TRIES 10

static char *join(const char *folder, const char *name, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s", folder, name);
	return path;
}

static int fail_entry(const struct config *cfg, const char *what, struct err *err)
{
	int rc = err_set(err, STATUS_USAGE, EINVAL, "--conf %.200s: %s", cfg->cni.conf, what);

	err_hint(err, "the entry that is taken without --conf: %s", DEFAULT_ENTRY);
	return rc;
}

static int check_entry(const struct installation *in, const char *text, size_t len, struct err *err)
{
	struct netconf conf = { 0 };
	const char *type;
	struct err inner;

	if (netconf_read(&conf, in->arena, text, len, &inner) || netconf_check(&conf, in->arena, &inner))
		return fail_entry(in->cfg, inner.what, err);
	type = member_text(conf.doc.root, "type");
	if (!type || strcmp(type, PLUGIN_NAME) != 0)
		return fail_entry(in->cfg, "type: expected " PLUGIN_NAME, err);
	if (!json_is_true(member(member(conf.doc.root, "capabilities"), KEY_ANNOTATIONS)))
		return fail_entry(in->cfg, "capabilities: expected {\"" KEY_ANNOTATIONS "\":true}", err);
	return 0;
}

int installation_open(struct installation *in, const struct config *cfg, struct err *err)
{
	auto_free char *text = NULL;
	size_t len;
	int rc = 0;

	*in = (struct installation){ .cfg = cfg, .arena = arena_new() };
	json_use_arena(in->arena);
	if (*cfg->cni.conf) {
		rc = read_file(cfg->cni.conf, LIST_MAX, &text, &len);
		if (rc)
			return fail_entry(cfg, strerror(-rc), err);
		rc = check_entry(in, text, len, err);
	} else {
		text = xstrdup(DEFAULT_ENTRY);
		len = strlen(text);
	}
	if (!rc)
		rc = json_parse(text, len, &in->entry, err);
	if (rc)
		return rc;
	rc = read_file("/proc/self/exe", PROGRAM_MAX, &in->program, &in->program_len);
	return rc ? err_set(err, STATUS_FAILED, -rc, "/proc/self/exe: cannot read this program: %s", strerror(-rc)) : 0;
}

void installation_close(struct installation *in)
{
	free(in->program);
	arena_free(in->arena);
}

static bool holds(const char *path, const char *data, size_t len)
{
	auto_free char *text = NULL;
	size_t n;

	return !read_file(path, len, &text, &n) && n == len && !memcmp(text, data, len);
}

static int put_program(const struct installation *in, struct err *err)
{
	struct stat like = { .st_mode = 0755, .st_uid = geteuid(), .st_gid = getegid() }, now;
	auto_close int lock = folder_lock(in->cfg->cni.bin_dir, in->cfg->wait_ms, err);
	char path[PATH_MAX];
	int rc;

	if (lock < 0)
		return lock;
	join(in->cfg->cni.bin_dir, PLUGIN_NAME, path);
	/* Not a link, wherever that leads. */
	if (!lstat(path, &now) && S_ISREG(now.st_mode) && (now.st_mode & 07777) == 0755 &&
	    holds(path, in->program, in->program_len))
		return 0;
	rc = file_replace(path, in->program, in->program_len, &like, NULL, NULL, err);
	if (!rc)
		log_info("wrote %s", path);
	return rc;
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), k = strlen(suffix);

	return n > k && !strcmp(name + n - k, suffix);
}

/* The .conf that a list of ours was made from. */
static bool find_source(const char *folder, const char *name, char path[PATH_MAX])
{
	if (!has_suffix(name, MADE))
		return false;
	snprintf(path, PATH_MAX, "%s/%.*s" SINGLE, folder, (int)(strlen(name) - strlen(MADE)), name);
	return !access(path, F_OK);
}

/* One file as it was read, and as it is to be. */
struct rewrite {
	char from[PATH_MAX], to[PATH_MAX]; /* not the same where a list is made from a .conf */
	struct stat like;
	char *text;
	size_t len;
	struct buffer out;
};

static void rewrite_free(struct rewrite *r)
{
	free(r->text);
	buffer_free(&r->out);
}

static int read_list(struct rewrite *r, struct err *err)
{
	int rc = stat(r->from, &r->like) ? -errno : read_file(r->from, LIST_MAX, &r->text, &r->len);
	enum status status = rc == -EACCES || rc == -EPERM ? STATUS_NOPERM : STATUS_FAILED;

	return rc ? err_set(err, status, -rc, "%.300s: cannot read it: %s", r->from, strerror(-rc)) : 0;
}

static bool is_unchanged(const void *arg)
{
	const struct rewrite *r = arg;
	struct stat now;

	return !stat(r->from, &now) && now.st_ino == r->like.st_ino && holds(r->from, r->text, r->len);
}

/* Writes it: 1, or 0 if it is so already.  -EAGAIN: somebody has changed what it was made from meanwhile. */
static int write_list(const struct rewrite *r, struct err *err)
{
	auto_free char *target = realpath(r->to, NULL); /* a link stays one */
	int rc;

	if (holds(r->to, r->out.data, r->out.len))
		return 0;
	rc = file_replace(target ? target : r->to, r->out.data, r->out.len, &r->like, is_unchanged, r, err);
	if (rc)
		return rc;
	log_info("wrote %s", r->to);
	return 1;
}

/* An error in a text, with its file. */
static int fail_list(const char *path, const struct err *inner, struct err *err)
{
	int rc = err_set(err, STATUS_FAILED, EINVAL, "%.200s: %s", path, inner->what);

	err_hint(err, "nothing was changed; a list that is being written is read again with --watch");
	return rc;
}

/* As write_list. */
static int add_entry(const struct installation *in, const char *name, bool single, struct err *err)
{
	const char *folder = in->cfg->cni.conf_dir;
	struct rewrite r = { .text = NULL };
	struct arena *arena = arena_new();
	struct err inner;
	int rc;

	join(folder, name, r.to);
	if (single) {
		memcpy(r.from, r.to, sizeof(r.from));
		snprintf(r.to, sizeof(r.to), "%s/%.*s" MADE, folder, (int)(strlen(name) - strlen(SINGLE)), name);
	} else if (find_source(folder, name, r.from)) {
		single = true;
	} else {
		memcpy(r.from, r.to, sizeof(r.from));
	}
	rc = read_list(&r, err);
	if (!rc) {
		json_use_arena(arena);
		rc = (single ? conflist_make : conflist_add)(&r.out, arena, r.text, r.len, in->entry, &inner);
		rc = rc < 0 ? fail_list(r.from, &inner, err) : rc == CONFLIST_SAME ? 0 : write_list(&r, err);
		json_use_arena(in->arena);
	}
	arena_free(arena);
	rewrite_free(&r);
	return rc;
}

/* A runtime takes the first file by name, of whatever kind. */
static void warn_of_earlier(const struct config *cfg, const char *name)
{
	char **singles = folder_names(cfg->cni.conf_dir, SINGLE);

	if (*singles && strcmp(*singles, name) < 0)
		log_warn("%s/%s comes before %s: a runtime that takes one network takes that, without this plugin",
			 cfg->cni.conf_dir, *singles, name);
	folder_names_free(singles);
}

static int put_entry(const struct installation *in, struct err *err)
{
	const struct config *cfg = in->cfg;
	char **lists = folder_names(cfg->cni.conf_dir, LIST), **singles = folder_names(cfg->cni.conf_dir, SINGLE);
	bool single = !*lists;
	const char *name = single ? *singles : *lists;
	int rc;

	if (name) {
		rc = add_entry(in, name, single, err);
	} else {
		rc = err_set(err, STATUS_BUSY, ENOENT, "%.300s: no configuration of a network (*.conflist, *.conf) yet",
			     cfg->cni.conf_dir);
		err_hint(err, "install the cluster's network first, or wait for it with --watch");
	}
	if (rc > 0 && !single)
		warn_of_earlier(cfg, name);
	folder_names_free(lists);
	folder_names_free(singles);
	return rc < 0 ? rc : 0;
}

int installation_run(const struct installation *in, struct err *err)
{
	int rc = put_program(in, err), lock;

	if (rc)
		return rc;
	lock = folder_lock(in->cfg->cni.conf_dir, in->cfg->wait_ms, err);
	if (lock < 0)
		return lock;
	for (unsigned i = 0; i < TRIES; i++) {
		rc = put_entry(in, err);
		if (rc != -EAGAIN)
			break;
	}
	close(lock);
	return rc;
}

int command_cni_install(const struct config *cfg, struct err *err)
{
	struct installation in;
	int rc = installation_open(&in, cfg, err);

	if (in.program)
		rc = cfg->cni.watch ? installation_watch(&in, err) : installation_run(&in, err);
	installation_close(&in);
	return rc;
}

static int remove_entry(const struct config *cfg, const char *name, struct err *err)
{
	struct rewrite r = { .text = NULL };
	struct arena *arena = arena_new();
	char source[PATH_MAX];
	struct err inner;
	int rc;

	json_use_arena(arena);
	join(cfg->cni.conf_dir, name, r.from);
	memcpy(r.to, r.from, sizeof(r.to));
	rc = read_list(&r, err);
	if (!rc) {
		rc = conflist_remove(&r.out, arena, r.text, r.len, &inner);
		if (rc < 0)
			rc = fail_list(r.from, &inner, err);
		else if (rc == CONFLIST_CHANGED && find_source(cfg->cni.conf_dir, name, source))
			rc = unlink(r.from) ? err_set(err, STATUS_FAILED, errno, "%.300s: cannot remove it: %s", r.from,
						      strerror(errno)) :
					      0;
		else if (rc == CONFLIST_CHANGED)
			rc = write_list(&r, err);
	}
	arena_free(arena);
	rewrite_free(&r);
	return rc < 0 ? rc : 0;
}

static int remove_entries(const struct config *cfg, struct err *err)
{
	char **lists = folder_names(cfg->cni.conf_dir, LIST);
	int rc = 0;

	for (char **name = lists; *name && !rc; name++) {
		rc = -EAGAIN;
		for (unsigned i = 0; i < TRIES && rc == -EAGAIN; i++)
			rc = remove_entry(cfg, *name, err);
	}
	folder_names_free(lists);
	return rc;
}

int command_cni_uninstall(const struct config *cfg, struct err *err)
{
	auto_close int lock = folder_lock(cfg->cni.conf_dir, cfg->wait_ms, err);
	char path[PATH_MAX];
	int rc = lock == -ENOENT ? 0 : lock < 0 ? lock : remove_entries(cfg, err);

	if (rc)
		return rc;
	/* A list that still names a program which is not there starts no pod. */
	if (unlink(join(cfg->cni.bin_dir, PLUGIN_NAME, path)) && errno != ENOENT)
		return err_set(err, errno == EACCES ? STATUS_NOPERM : STATUS_FAILED, errno,
			       "%.300s: cannot remove it: %s", path, strerror(errno));
	log_info("the plugin is out of %s and %s", cfg->cni.conf_dir, cfg->cni.bin_dir);
	return STATUS_DONE;
}
