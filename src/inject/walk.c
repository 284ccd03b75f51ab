/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"
#include "util.h"

struct walk {
	const struct session *session;
	const struct file *file;
	const struct chunk *chunk;
	subject_visit *visit;
	void *context;
	struct err *err;
};

int session_open(struct session *session, const struct inject_options *options, struct err *err)
{
	int rc;

	memset(session, 0, sizeof(*session));
	session->options = options;
	session->arena = arena_new();
	json_use_arena(session->arena);
	rc = config_load(&session->cfg, options->config, session->arena, err);
	session->files = xcalloc(options->files.n, sizeof(*session->files));
	for (unsigned i = 0; i < options->files.n && !rc; i++) {
		session->n_files++;
		rc = file_read(&session->files[i], options->files.items[i], session->arena, err);
	}
	return rc;
}

void session_close(struct session *session)
{
	for (unsigned i = 0; i < session->n_files; i++)
		file_free(&session->files[i]);
	free(session->files);
	arena_free(session->arena);
}

static const char *metadata_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(json_object_get(object, "metadata"), key));

	return text ? text : "";
}

const char *subject_text(const struct subject *subject, char text[SUBJECT_MAX])
{
	snprintf(text, SUBJECT_MAX, "%.80s %.100s/%.200s", subject->kind, subject->namespace, subject->name);
	return text;
}

/* The pointer of what the error is about: the annotation that it begins with, else the pod. */
static void put_pointer(struct buffer *pointer, const struct subject *subject, const char *what)
{
	static const char head[] = "annotation ";

	buffer_puts(pointer, subject->pointer);
	if (strncmp(what, head, sizeof(head) - 1))
		return;
	buffer_puts(pointer, "/metadata/annotations/");
	for (what += sizeof(head) - 1; *what && *what != ':' && *what != ' '; what++)
		buffer_put(pointer, *what == '/' ? "~1" : what, *what == '/' ? 2 : 1);
}

int subject_error(const struct subject *subject, const struct chunk *chunk, struct err *err)
{
	struct buffer pointer = { 0 };
	struct err found = *err;
	char text[SUBJECT_MAX];
	int rc;

	put_pointer(&pointer, subject, found.what);
	rc = err_set(err, found.status, EINVAL, "%s:%u: %s: %s", subject->file,
		     document_place(&chunk->doc, pointer.data).line, subject_text(subject, text), found.what);
	buffer_free(&pointer);
	return rc;
}

/* In the arena. */
static char *join(struct arena *arena, const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	char *text = arena_alloc(arena, n + m + 1);

	memcpy(text, a, n);
	memcpy(text + n, b, m);
	return text;
}

/* @value with @new at the pointer, which is there; what is on the way is copied. */
static json_t *replace_at(json_t *value, const char *pointer, json_t *new)
{
	size_t n = *pointer ? strcspn(pointer + 1, "/") : 0;
	char key[64];
	json_t *copy;

	if (!*pointer)
		return new;
	/* the pointers of pod_find have short keys without escapes */
	snprintf(key, sizeof(key), "%.*s", (int)n, pointer + 1);
	copy = json_copy(value);
	json_object_set(copy, key, replace_at(json_object_get(value, key), pointer + 1 + n, new));
	return copy;
}

static int visit_object(struct walk *w, json_t **object, const char *pointer)
{
	struct subject subject = { .file = w->file->name };
	struct pod_place place = { 0 };
	const char *namespace = metadata_text(*object, "namespace");
	int rc = pod_find(*object, &place, w->err);

	if (!rc)
		return 0;
	subject.kind = json_string_value(json_object_get(*object, "kind"));
	subject.name = metadata_text(*object, "name");
	if (!*subject.name)
		subject.name = metadata_text(*object, "generateName");
	subject.namespace = *namespace ? namespace : w->session->options->namespace;
	subject.pointer = pointer;
	if (rc < 0)
		return subject_error(&subject, w->chunk, w->err);
	subject.pointer = join(w->session->arena, pointer, place.pointer);
	subject.pod = place.pod;
	subject.request = (struct pod_request){
		.cfg = &w->session->cfg,
		.pod = place.pod,
		.namespace = subject.namespace,
		.workload = place.workload,
		.from_file = true,
		.arena = w->session->arena,
	};
	rc = w->visit(w->context, &subject, w->err);
	if (rc)
		return subject_error(&subject, w->chunk, w->err);
	if (subject.result.pod && subject.result.pod != place.pod)
		*object = replace_at(*object, place.pointer, subject.result.pod);
	return 0;
}

static bool is_list(const json_t *object)
{
	const char *kind = json_string_value(json_object_get(object, "kind"));
	size_t n = kind ? strlen(kind) : 0;

	return n >= 4 && !strcmp(kind + n - 4, "List") && json_is_array(json_object_get(object, "items"));
}

/* *@object becomes what it is changed into. */
static int walk_object(struct walk *w, json_t **object, const char *pointer)
{
	json_t *items, *item, *changed = NULL;
	size_t i;
	int rc;

	if (!json_is_object(*object))
		return 0;
	if (!is_list(*object))
		return visit_object(w, object, pointer);
	items = json_object_get(*object, "items");
	json_array_foreach(items, i, item)
	{
		json_t *new = item;
		char token[32];

		snprintf(token, sizeof(token), "/items/%zu", i);
		rc = walk_object(w, &new, join(w->session->arena, pointer, token));
		if (rc)
			return rc;
		if (new != item) {
			changed = changed ? changed : json_copy(items);
			json_array_set(changed, i, new);
		}
	}
	if (changed)
		*object = replace_at(*object, "/items", changed);
	return 0;
}

int walk_document(const struct session *session, const struct file *file, struct chunk *chunk, subject_visit *visit,
		  void *context, struct err *err)
{
	struct walk w = { session, file, chunk, visit, context, err };
	json_t *root = chunk->doc.root;
	int rc = walk_object(&w, &root, "");

	if (!rc && root != chunk->doc.root)
		chunk->changed = root;
	return rc;
}
