/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cert: the server's certificate, and a CA that is made once. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base64.h"
#include "names.h"
#include "tls.h"
#include "tls_ca.h"
#include "util.h"
#include "verbs.h"

#include "inject.h"

#define DAY (24 * 60 * 60)
/* Clocks differ: who asks may be behind. */
#define EARLY (60 * 60)
#define CA_NAME "istio-inject CA"
/* beside those of --name */
#define OWN_NAMES 4

/* In the order in which they are written: a certificate never without its key. */
enum { CA_KEY, CA_CRT, TLS_KEY, TLS_CRT, FILES };

struct file {
	char *path;
	struct buffer text; /* empty: stays as it is */
	mode_t mode;
};

static void files_init(struct file files[FILES], const char *dir)
{
	static const struct {
		const char *name;
		mode_t mode;
	} kinds[FILES] = {
		[CA_KEY] = { "ca.key", 0600 },
		[CA_CRT] = { "ca.crt", 0644 },
		[TLS_KEY] = { "tls.key", 0600 },
		[TLS_CRT] = { "tls.crt", 0644 },
	};

	for (unsigned i = 0; i < FILES; i++) {
		struct buffer path = { 0 };

		buffer_printf(&path, "%s/%s", dir, kinds[i].name);
		files[i] = (struct file){ .path = path.data, .mode = kinds[i].mode };
	}
}

static void files_free(struct file files[FILES])
{
	for (unsigned i = 0; i < FILES; i++) {
		if (files[i].text.data)
			explicit_bzero(files[i].text.data, files[i].text.len);
		buffer_free(&files[i].text);
		free(files[i].path);
	}
}

static int file_failed(const char *path, struct err *err)
{
	return err_set(err, STATUS_FAILED, errno, "%s: %s", path, strerror(errno));
}

/* A file beside it that takes its place when it is whole. */
static int file_prepare(const struct file *file, const char *beside, struct err *err)
{
	auto_close int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, file->mode);
	size_t at = 0;

	if (fd < 0)
		return file_failed(beside, err);
	while (at < file->text.len) {
		ssize_t n = write(fd, file->text.data + at, file->text.len - at);

		if (n < 0 && errno != EINTR)
			return file_failed(beside, err);
		at += n > 0 ? (size_t)n : 0;
	}
	return fsync(fd) ? file_failed(beside, err) : 0;
}

/* All are written before the first takes its place. */
static int files_write(const struct file files[FILES], struct err *err)
{
	char *beside[FILES] = { 0 };
	int rc = 0;

	for (unsigned i = 0; i < FILES && !rc; i++) {
		struct buffer path = { 0 };

		if (!files[i].text.len)
			continue;
		buffer_printf(&path, "%s.new", files[i].path);
		beside[i] = path.data;
		/* of a run that was killed */
		unlink(path.data);
		rc = file_prepare(&files[i], path.data, err);
	}
	for (unsigned i = 0; i < FILES; i++) {
		if (beside[i] && !rc && rename(beside[i], files[i].path))
			rc = file_failed(files[i].path, err);
		if (beside[i] && rc)
			unlink(beside[i]);
		free(beside[i]);
	}
	return rc;
}

/* Whether the file is there; -errno if that cannot be told. */
static int is_there(const char *path, struct err *err)
{
	return !access(path, F_OK) ? 1 : errno == ENOENT ? 0 : file_failed(path, err);
}

/* The CA of the files; a new one, whose files are then to be written, if there is none. */
static int ca_open(struct file files[FILES], const struct inject_options *options, int64_t now, struct tls_ca **ca,
		   struct err *err)
{
	int cert = is_there(files[CA_CRT].path, err), key = cert < 0 ? cert : is_there(files[CA_KEY].path, err);

	if (key < 0)
		return key;
	if (cert != key)
		return err_set(err, STATUS_USAGE, ENOENT, "%s is there without %s: expected both, or neither for a new CA",
			       files[cert ? CA_CRT : CA_KEY].path, files[cert ? CA_KEY : CA_CRT].path);
	if (cert) {
		*ca = tls_ca_load(files[CA_CRT].path, files[CA_KEY].path, err);
		return *ca ? 0 : -EINVAL;
	}
	*ca = tls_ca_make(CA_NAME, &(struct tls_period){ now - EARLY, now + (int64_t)options->ca_days * DAY }, err);
	if (!*ca)
		return -EIO;
	return tls_ca_print(*ca, &files[CA_CRT].text, &files[CA_KEY].text, err);
}

/* The names under which a cluster knows the Service, then those of --name. */
static const char **list_names(const struct inject_options *options, struct arena *arena)
{
	static const char *const endings[OWN_NAMES] = { NULL, "", ".svc", ".svc.cluster.local" };
	const char **names = arena_alloc(arena, (OWN_NAMES + options->names.n) * sizeof(*names));

	names[0] = options->service;
	for (unsigned i = 1; i < OWN_NAMES; i++) {
		size_t size = strlen(options->service) + strlen(options->namespace) + strlen(endings[i]) + 2;
		char *name = arena_alloc(arena, size);

		snprintf(name, size, "%s.%s%s", options->service, options->namespace, endings[i]);
		names[i] = name;
	}
	for (unsigned i = 0; i < options->names.n; i++)
		names[OWN_NAMES + i] = options->names.items[i];
	return names;
}

static int check(const struct inject_options *options, struct err *err)
{
	int rc = name_check(options->service, NAME_SERVICE, "--service", err);

	if (!rc)
		rc = name_check(options->namespace, NAME_LABEL, "--namespace (-n)", err);
	for (unsigned i = 0; i < options->names.n && !rc; i++)
		rc = name_check(options->names.items[i], NAME_SUBDOMAIN, "--name", err);
	return rc;
}

static int issue(const struct tls_ca *ca, const struct inject_options *options, int64_t now, struct file files[FILES],
		 struct err *err)
{
	struct tls_period period = { now - EARLY, now + (int64_t)options->days * DAY };
	int64_t end = tls_ca_end(ca);
	struct arena *arena;
	int rc;

	if (end <= now)
		return err_set(err, STATUS_USAGE, EINVAL,
			       "%s has expired: take it and %s away for a new CA, and give that to the API server",
			       files[CA_CRT].path, files[CA_KEY].path);
	if (period.to > end) {
		log_warn("the certificate is valid for %lld days, not %u: the CA ends then",
			 (long long)(end - now) / DAY, options->days);
		period.to = end;
	}
	arena = arena_new();
	rc = tls_ca_issue(ca, list_names(options, arena), OWN_NAMES + options->names.n, &period, &files[TLS_CRT].text,
			  &files[TLS_KEY].text, err);
	arena_free(arena);
	return rc;
}

int verb_cert(const struct inject_options *options, struct buffer *out, struct err *err)
{
	int64_t now = time(NULL);
	struct tls_ca *ca = NULL;
	struct file files[FILES];
	struct buffer bundle = { 0 };
	int rc = check(options, err);

	if (rc)
		return rc;
	tls_setup();
	files_init(files, options->dir);
	rc = ca_open(files, options, now, &ca, err);
	if (!rc)
		rc = issue(ca, options, now, files, err);
	if (!rc)
		rc = files_write(files, err);
	if (!rc)
		rc = tls_ca_bundle(files[CA_CRT].path, &bundle, err);
	if (!rc) {
		base64_put(out, bundle.data, bundle.len);
		buffer_putc(out, '\n');
	}
	buffer_free(&bundle);
	tls_ca_free(ca);
	files_free(files);
	return rc;
}
