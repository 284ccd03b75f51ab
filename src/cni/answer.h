/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the plugin says on standard output. */
#ifndef ISTIO_INIT_CNI_ANSWER_H
#define ISTIO_INIT_CNI_ANSWER_H

#include "buffer.h"
#include "err.h"

/* The codes of errors: below 100 the specification's. */
enum cni_code {
	CNI_OK = 0,
	CNI_BAD_VERSION = 1,
	CNI_BAD_ENVIRONMENT = 4,
	CNI_BAD_TEXT = 6,
	CNI_BAD_CONFIG = 7,
	CNI_TRY_AGAIN = 11,
	CNI_UNAVAILABLE = 50,
	CNI_FAILED = 100,
	CNI_BAD_ANNOTATION = 101,
	CNI_DIFFERENT = 102,
	CNI_NO_NETNS = 103,
};

struct failure {
	enum cni_code code;
	char msg[sizeof(((struct err *)0)->what)];
	struct buffer details;
};

/* Fills in @failure, without details, and returns @code. */
enum cni_code fail(struct failure *failure, enum cni_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same with the line of @err, and its hint as details. */
enum cni_code fail_err(struct failure *failure, enum cni_code code, const struct err *err);

/* The error's JSON object, a newline behind it. */
void answer_failure(struct buffer *out, const struct failure *failure, const char *version);
/* That of VERSION. */
void answer_versions(struct buffer *out, const char *version);

/* All of it to standard output; -errno. */
int answer_write(const struct buffer *out);

#endif
