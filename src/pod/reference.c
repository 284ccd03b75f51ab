/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reference.h"

#include <string.h>

static const char *const type_prefixes[] = {
	[REFERENCE_INT] = "int:",
	[REFERENCE_BOOL] = "bool:",
	[REFERENCE_JSON] = "json:",
};

static void read_type(struct reference *r)
{
	r->type = REFERENCE_TEXT;
	for (enum reference_type t = REFERENCE_INT; t <= REFERENCE_JSON; t++) {
		size_t n = strlen(type_prefixes[t]);

		if (r->name_len >= n && !strncmp(r->name, type_prefixes[t], n)) {
			r->type = t;
			r->name += n;
			r->name_len -= n;
			return;
		}
	}
}

/* @text begins with "${"; braces in the default are balanced. */
static bool reference_read(const char *text, size_t len, struct reference *r)
{
	size_t i = 2, depth = 1;

	while (i < len && text[i] != '|' && text[i] != '}')
		i++;
	*r = (struct reference){ .name = text + 2, .name_len = i - 2 };
	read_type(r);
	if (i < len && text[i] == '|') {
		r->otherwise = text + ++i;
		for (; i < len; i++) {
			depth += text[i] == '{';
			depth -= text[i] == '}';
			if (!depth)
				break;
		}
		r->otherwise_len = (size_t)(text + i - r->otherwise);
	}
	r->len = i + 1;
	return i < len;
}

enum piece piece_next(const char **text, size_t *len, const char **start, size_t *n, struct reference *reference)
{
	const char *at = *text;
	size_t left = *len, used = 0;
	enum piece piece = PIECE_TEXT;

	*start = at;
	if (!left)
		return PIECE_END;
	if (left >= 3 && !strncmp(at, "$${", 3)) {
		*start = at + 1;
		used = 3;
		*n = 2;
	} else if (left >= 2 && !strncmp(at, "${", 2)) {
		piece = reference_read(at, left, reference) ? PIECE_REFERENCE : PIECE_BROKEN;
		used = piece == PIECE_REFERENCE ? reference->len : left;
		*n = used;
	} else {
		/* up to the next dollar that may begin something */
		for (used = 1; used < left && at[used] != '$'; used++)
			;
		*n = used;
	}
	*text += used;
	*len -= used;
	return piece;
}

bool reference_whole(const char *text, size_t len, struct reference *reference)
{
	return len > 2 && !strncmp(text, "${", 2) && reference_read(text, len, reference) && reference->len == len;
}

void condition_read(const char *text, struct condition *condition)
{
	const char *equals = strchr(text, '=');

	*condition = (struct condition){ .name = text, .name_len = strlen(text) };
	if (*text == '!') {
		condition->negated = true;
		condition->name++;
		condition->name_len--;
	} else if (equals) {
		condition->negated = equals > text && equals[-1] == '!';
		condition->name_len = (size_t)(equals - text) - condition->negated;
		condition->text = equals + 1;
	}
}
