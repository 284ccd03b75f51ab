/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "inject.h"

static int print(const struct buffer *out, struct err *err)
{
	for (size_t at = 0; at < out->len;) {
		ssize_t n = write(STDOUT_FILENO, out->data + at, out->len - at);

		if (n < 0 && errno != EINTR)
			return err_set(err, STATUS_FAILED, errno, "cannot write to standard output: %s", strerror(errno));
		at += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct inject_options options;
	struct buffer out = { 0 };
	struct err err = { 0 };
	int rc, status;

	log_set_program("istio-inject");
	rc = inject_parse(&options, argv + (argc > 0), environ, &err);
	status = rc ? rc : options.verb->run(&options, &out, &err);
	if (status >= 0 && (rc = print(&out, &err)))
		status = rc;
	if (status < 0) {
		log_error("%s", err.what);
		if (err.hint[0])
			log_error("%s", err.hint);
		status = err.status;
	}
	buffer_free(&out);
	inject_options_free(&options);
	return status;
}
