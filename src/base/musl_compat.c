/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Debian's libmnl.a and libnftnl.a are built with glibc's _FORTIFY_SOURCE and so call
 * checked forms of stdio functions that musl does not have.
 */
#include <features.h>

#ifdef __GLIBC__
typedef int musl_compat_is_empty; /* ISO C wants a declaration */
#else

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int __fprintf_chk(FILE *stream, int flag, const char *format, ...) __attribute__((format(printf, 3, 4)));
int __snprintf_chk(char *buffer, size_t size, int flag, size_t room, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

int __fprintf_chk(FILE *stream, int flag, const char *format, ...)
{
	va_list args;
	int length;

	(void)flag;
	va_start(args, format);
	length = vfprintf(stream, format, args);
	va_end(args);
	return length;
}

/* As in glibc, @room is the true size of @buffer: a larger @size is a bug of the caller. */
int __snprintf_chk(char *buffer, size_t size, int flag, size_t room, const char *format, ...)
{
	va_list args;
	int length;

	(void)flag;
	if (size > room)
		abort();
	va_start(args, format);
	length = vsnprintf(buffer, size, format, args);
	va_end(args);
	return length;
}

#endif
