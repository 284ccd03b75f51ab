/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "answer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "escape.h"
#include "json_write.h"
#include "netconf.h"

enum cni_code fail(struct failure *failure, enum cni_code code, const char *fmt, ...)
{
	va_list args;

	buffer_free(&failure->details);
	va_start(args, fmt);
	vsnprintf(failure->msg, sizeof(failure->msg), fmt, args);
	va_end(args);
	return failure->code = code;
}

enum cni_code fail_err(struct failure *failure, enum cni_code code, const struct err *err)
{
	fail(failure, code, "%s", err->what);
	buffer_puts(&failure->details, err->hint);
	return code;
}

/* As a JSON string, whatever the bytes: a path or a message that was cut may be no UTF-8. */
static void put_text(struct buffer *out, const char *text, size_t len)
{
	struct buffer valid = { 0 };

	for (size_t n; len; text += n, len -= n) {
		n = utf8_length(text, len);
		if (n)
			buffer_put(&valid, text, n);
		else
			buffer_puts(&valid, "\xef\xbf\xbd");
		n += !n;
	}
	json_write_string(out, valid.data ? valid.data : "", valid.len);
	buffer_free(&valid);
}

void answer_failure(struct buffer *out, const struct failure *failure, const char *version)
{
	buffer_puts(out, "{\"cniVersion\":");
	put_text(out, version, strlen(version));
	buffer_printf(out, ",\"code\":%d,\"msg\":", failure->code);
	put_text(out, failure->msg, strlen(failure->msg));
	buffer_puts(out, ",\"details\":");
	put_text(out, failure->details.data ? failure->details.data : "", failure->details.len);
	buffer_puts(out, "}\n");
}

void answer_versions(struct buffer *out, const char *version)
{
	buffer_puts(out, "{\"cniVersion\":");
	put_text(out, version, strlen(version));
	buffer_puts(out, ",\"supportedVersions\":[");
	for (unsigned i = 0; i < CNI_VERSIONS; i++)
		buffer_printf(out, "%s\"%s\"", i ? "," : "", cni_versions[i]);
	buffer_puts(out, "]}\n");
}

int answer_write(const struct buffer *out)
{
	for (size_t at = 0; at < out->len;) {
		ssize_t n = write(STDOUT_FILENO, out->data + at, out->len - at);

		if (n < 0 && errno != EINTR)
			return -errno;
		at += n > 0 ? (size_t)n : 0;
	}
	return 0;
}
