/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int err_set(struct err *err, enum status status, int error, const char *fmt, ...)
{
	va_list args;

	err->status = status;
	err->cause = CAUSE_OTHER;
	err->hint[0] = '\0';
	err->diff = NULL;
	va_start(args, fmt);
	vsnprintf(err->what, sizeof(err->what), fmt, args);
	va_end(args);
	return -(error ? error : EINVAL);
}

void err_hint(struct err *err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(err->hint, sizeof(err->hint), fmt, args);
	va_end(args);
}
