/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Debian's static libraries are built with glibc's _FORTIFY_SOURCE and so call checked
 * forms of functions that musl does not have.  In each, @room is the true size of the buffer:
 * a larger @size is a bug of the caller.
 */
#include <features.h>

#ifdef __GLIBC__
typedef int musl_compat_is_empty; /* ISO C wants a declaration */
#else

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int __fprintf_chk(FILE *stream, int flag, const char *format, ...) __attribute__((format(printf, 3, 4)));
int __snprintf_chk(char *buffer, size_t size, int flag, size_t room, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
int __vsnprintf_chk(char *buffer, size_t size, int flag, size_t room, const char *format, va_list args)
	__attribute__((format(printf, 5, 0)));
char *__strncpy_chk(char *to, const char *from, size_t size, size_t room);

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

int __vsnprintf_chk(char *buffer, size_t size, int flag, size_t room, const char *format, va_list args)
{
	(void)flag;
	if (size > room)
		abort();
	return vsnprintf(buffer, size, format, args);
}

int __snprintf_chk(char *buffer, size_t size, int flag, size_t room, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = __vsnprintf_chk(buffer, size, flag, room, format, args);
	va_end(args);
	return length;
}

char *__strncpy_chk(char *to, const char *from, size_t size, size_t room)
{
	if (size > room)
		abort();
	return strncpy(to, from, size);
}

#endif
