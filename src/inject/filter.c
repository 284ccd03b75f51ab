/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inject: documents in, the same documents with the pods injected out. */
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "json_write.h"
#include "patch.h"
#include "text.h"
#include "util.h"
#include "walk.h"

struct filter {
	bool wants_patches;
	json_t *patches; /* of -o patch */
};

static void warn_all(const struct subject *subject)
{
	const struct pod_result *r = &subject->result;
	char text[SUBJECT_MAX];
	json_t *warning;
	size_t i;

	if (r->injected && !json_array_size(r->warnings))
		return;
	subject_text(subject, text);
	json_array_foreach(r->warnings, i, warning) log_warn("%s: %s", text, json_string_value(warning));
	if (!r->injected)
		log_warn("%s: not injected: %s%s%s%s", text, pod_reason_word(r->reason),
			 r->detail && *r->detail ? " (" : "", r->detail ? r->detail : "",
			 r->detail && *r->detail ? ")" : "");
}

static void add_patch(struct filter *filter, const struct subject *subject)
{
	json_t *entry = json_object();

	json_object_set_new(entry, "kind", json_string(subject->kind));
	json_object_set_new(entry, "namespace", json_string(subject->namespace));
	json_object_set_new(entry, "name", json_string(subject->name));
	json_object_set_new(entry, "patch", pod_patch(subject->pointer, subject->pod, subject->result.pod));
	json_array_append_new(filter->patches, entry);
}

static int filter_pod(void *context, struct subject *subject, struct err *err)
{
	struct filter *filter = context;
	int rc = pod_inject(&subject->request, &subject->result, err);

	if (rc)
		return rc;
	/* an injection that changes nothing leaves the document as it is */
	if (json_same(subject->result.pod, subject->pod))
		subject->result.pod = (json_t *)subject->pod;
	warn_all(subject);
	if (filter->wants_patches)
		add_patch(filter, subject);
	return 0;
}

static void warn_comments(const struct session *session)
{
	for (const struct file *f = session->files; f < session->files + session->n_files; f++)
		for (const struct chunk *c = f->chunks; c < f->chunks + f->n; c++)
			if (c->changed && c->doc.comments)
				log_warn("%s:%u: the comments of this document are lost", f->name, c->doc.node.place.line);
}

/* Whether there is a difference. */
static bool print_diff(const struct file *file, const struct chunk *chunk, FILE *out)
{
	struct buffer before = { 0 }, after = { 0 };
	const json_t *metadata = json_object_get(chunk->doc.root, "metadata");
	const char *kind = json_string_value(json_object_get(chunk->doc.root, "kind"));
	const char *name = json_string_value(json_object_get(metadata, "name"));
	struct buffer from = { 0 }, to = { 0 };

	if (!chunk->changed)
		return false;
	buffer_printf(&from, "%s: %.80s%s%.200s", file->name, kind ? kind : "", name ? " " : "", name ? name : "");
	buffer_printf(&to, "%s, injected", from.data);
	chunk_print_plain(chunk, false, &before);
	chunk_print_plain(chunk, true, &after);
	text_print_unified(out, from.data, to.data, before.data, after.data, false);
	buffer_free(&before);
	buffer_free(&after);
	buffer_free(&from);
	buffer_free(&to);
	return true;
}

static int print_diffs(const struct session *session, struct buffer *out)
{
	auto_free char *text = NULL;
	size_t len = 0;
	FILE *stream = xchecked(open_memstream(&text, &len));
	bool different = false;

	for (const struct file *f = session->files; f < session->files + session->n_files; f++)
		for (const struct chunk *c = f->chunks; c < f->chunks + f->n; c++)
			different |= print_diff(f, c, stream);
	xchecked(ferror(stream) || fclose(stream) ? NULL : text);
	buffer_put(out, text, len);
	return different ? STATUS_DIFFERENT : STATUS_DONE;
}

static int print_all(const struct session *session, const struct filter *filter, struct buffer *out)
{
	if (session->options->output == OUTPUT_DIFF)
		return print_diffs(session, out);
	if (filter->wants_patches) {
		json_write_pretty(out, filter->patches);
		buffer_putc(out, '\n');
		return STATUS_DONE;
	}
	for (unsigned i = 0; i < session->n_files; i++)
		file_print(&session->files[i], i ? &session->files[i - 1] : NULL, session->options->output, out);
	return STATUS_DONE;
}

int verb_inject(const struct inject_options *options, struct buffer *out, struct err *err)
{
	struct filter filter = { .wants_patches = options->output == OUTPUT_PATCH };
	struct session session;
	int rc = session_open(&session, options, err);

	filter.patches = json_array();
	for (unsigned i = 0; i < session.n_files && !rc; i++)
		for (unsigned j = 0; j < session.files[i].n && !rc; j++)
			rc = walk_document(&session, &session.files[i], &session.files[i].chunks[j], filter_pod,
					   &filter, err);
	if (!rc) {
		if (options->output != OUTPUT_PATCH)
			warn_comments(&session);
		rc = print_all(&session, &filter, out);
	}
	session_close(&session);
	return rc;
}
