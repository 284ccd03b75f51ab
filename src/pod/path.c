/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "path.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void path_push(char path[CONFIG_PATH_MAX], const char *key)
{
	char *to = path + strlen(path), *end = path + CONFIG_PATH_MAX - 3;

	if (to >= end)
		return;
	*to++ = '/';
	for (; *key && to < end; key++) {
		if (*key == '~' || *key == '/') {
			*to++ = '~';
			*to++ = *key == '~' ? '0' : '1';
		} else {
			*to++ = *key;
		}
	}
	*to = '\0';
}

void path_push_index(char path[CONFIG_PATH_MAX], size_t index)
{
	char text[24];

	snprintf(text, sizeof(text), "%zu", index);
	path_push(path, text);
}

void path_pop(char path[CONFIG_PATH_MAX])
{
	char *slash = strrchr(path, '/');

	if (slash)
		*slash = '\0';
}

int path_expected(struct err *err, const char *fmt, ...)
{
	char text[sizeof(err->what)];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return err_set(err, STATUS_USAGE, EINVAL, "%s", text);
}

int path_check_keys(const json_t *value, const char *const *keys, char path[CONFIG_PATH_MAX], struct err *err)
{
	char known[200] = "";
	const char *key;
	json_t *part;

	if (!json_is_object(value))
		return path_expected(err, "a mapping");
	json_object_foreach((json_t *)value, key, part)
	{
		const char *const *k = keys;

		while (*k && strcmp(*k, key) != 0)
			k++;
		if (*k)
			continue;
		for (k = keys; *k; k++)
			snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s", k == keys ? "" : ", ", *k);
		path_push(path, key);
		return path_expected(err, "no key but %s", known);
	}
	return 0;
}
