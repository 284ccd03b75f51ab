/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pods of documents: of the nine kinds, and of lists of them. */
#ifndef ISTIO_INJECT_WALK_H
#define ISTIO_INJECT_WALK_H

#include "files.h"
#include "pod.h"

/* One object with a pod, and what comes of it. */
struct subject {
	const char *file;
	const char *kind, *name, *namespace;
	const char *pointer; /* of the pod in its document */
	const json_t *pod;
	struct pod_request request;
	struct pod_result result;
};

/* What all commands do first and last. */
struct session {
	const struct inject_options *options;
	struct arena *arena;
	struct inject_config cfg;
	struct file *files;
	unsigned n_files;
};

/* Loads the configuration, reads all files; session_close is safe after a failure, too. */
int session_open(struct session *session, const struct inject_options *options, struct err *err);
void session_close(struct session *session);

/* Called for each pod; 0 or -errno, which ends the walk. */
typedef int subject_visit(void *context, struct subject *subject, struct err *err);

/*
 * Visits the pods of a document in order.  Where a visit has set result.pod to another than the
 * pod, *@changed becomes the document with it.
 */
int walk_document(const struct session *session, const struct file *file, struct chunk *chunk, subject_visit *visit,
		  void *context, struct err *err);

/* "Deployment shop/web" */
#define SUBJECT_MAX 400
const char *subject_text(const struct subject *subject, char text[SUBJECT_MAX]);

/* Puts the subject and the place in front of an error about it. */
int subject_error(const struct subject *subject, const struct chunk *chunk, struct err *err);

#endif
