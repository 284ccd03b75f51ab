/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "owners.h"

#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "util.h"

/* More than any real file of the kind, and little enough to read at once. */
#define OWNER_FILE_MAX (16u << 20)

/* The line whose first field is @name; NULL if there is none. */
static const char *find_line(const char *text, const char *name)
{
	size_t n = strlen(name);

	if (!n || strpbrk(name, ":\n"))
		return NULL;
	while (text) {
		if (!strncmp(text, name, n) && text[n] == ':')
			return text;
		text = strchr(text, '\n');
		if (text)
			text++;
	}
	return NULL;
}

/* The number in field @index (from 0) of the line. */
static bool line_number(const char *line, unsigned index, uint32_t *value)
{
	char word[16] = "";
	size_t n;

	for (; index; index--) {
		line += strcspn(line, ":\n");
		if (*line != ':')
			return false;
		line++;
	}
	n = strcspn(line, ":\n");
	if (n >= sizeof(word))
		return false;
	memcpy(word, line, n);
	return number_parse(word, OWNER_ID_MAX, value);
}

static const char *load(char **text, const char *path)
{
	size_t len;

	if (!*text && read_file(path, OWNER_FILE_MAX, text, &len) < 0)
		*text = xstrdup("");
	return *text;
}

bool owners_find_user(struct owners *owners, const char *name, uint32_t *uid, uint32_t *gid)
{
	const char *line = find_line(load(&owners->passwd, owners->passwd_path), name);

	return line && line_number(line, 2, uid) && line_number(line, 3, gid);
}

bool owners_find_group(struct owners *owners, const char *name, uint32_t *gid)
{
	const char *line = find_line(load(&owners->group, owners->group_path), name);

	return line && line_number(line, 2, gid);
}

void owners_free(struct owners *owners)
{
	free(owners->passwd);
	free(owners->group);
}
