/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "names.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "quote.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define LABEL_MAX 63
#define SUBDOMAIN_MAX 253

static bool is_label(const char *name, size_t len, bool letter_first)
{
	return len && len <= LABEL_MAX && strspn(name, LOWER DIGITS "-") >= len && *name != '-' &&
	       name[len - 1] != '-' && !(letter_first && strchr(DIGITS, *name));
}

static bool is_alphanumeric(char c)
{
	return c && strchr(LOWER UPPER DIGITS, c);
}

static bool is_subdomain(const char *name)
{
	if (strlen(name) > SUBDOMAIN_MAX)
		return false;
	for (;;) {
		size_t len = strcspn(name, ".");

		if (!is_label(name, len, false))
			return false;
		if (!name[len])
			return true;
		name += len + 1;
	}
}

static bool is_value(const char *name)
{
	size_t len = strlen(name);

	return is_alphanumeric(*name) && is_alphanumeric(name[len - 1]) && len <= LABEL_MAX &&
	       strspn(name, LOWER UPPER DIGITS "-_.") == len;
}

static bool is_good(const char *name, enum name_form form)
{
	switch (form) {
	case NAME_SUBDOMAIN:
		return is_subdomain(name);
	case NAME_VALUE:
		return *name && is_value(name);
	default:
		return is_label(name, strlen(name), form == NAME_SERVICE);
	}
}

int name_check(const char *name, enum name_form form, const char *source, struct err *err)
{
	static const char *const expected[] = {
		[NAME_LABEL] = "a name of at most 63 bytes: small letters, digits, and '-' between them",
		[NAME_SERVICE] = "a name of at most 63 bytes: small letters, digits, and '-' between them, a letter first",
		[NAME_SUBDOMAIN] = "a DNS name: small letters, digits, '-' and '.' between them",
		[NAME_VALUE] = "a label's value: at most 63 letters, digits, and '-', '_', '.' between them",
	};
	char quoted[QUOTE_MAX];

	if (is_good(name, form))
		return 0;
	return err_set(err, STATUS_USAGE, EINVAL, "%s: %s: expected %s", source, quote(name, quoted), expected[form]);
}
