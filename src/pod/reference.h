/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ${NAME}, ${NAME|default} and $${ in the text of an overlay; conditions. */
#ifndef ISTIO_INIT_POD_REFERENCE_H
#define ISTIO_INIT_POD_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>

enum reference_type { REFERENCE_TEXT, REFERENCE_INT, REFERENCE_BOOL, REFERENCE_JSON };

struct reference {
	enum reference_type type;
	const char *name, *otherwise; /* no copies; otherwise NULL: no default */
	size_t name_len, otherwise_len;
	size_t len; /* from the dollar to the last brace */
};

enum piece { PIECE_END, PIECE_TEXT, PIECE_REFERENCE, PIECE_BROKEN };

/*
 * The next piece of @text[0..len): as it stands (the text ${ for $${ has *@n 2 and @text one further),
 * a reference, or a reference that does not end.  Moves both on.
 */
enum piece piece_next(const char **text, size_t *len, const char **start, size_t *n, struct reference *reference);

/* Whether the whole text is one reference. */
bool reference_whole(const char *text, size_t len, struct reference *reference);

/* NAME, !NAME, NAME=TEXT, NAME!=TEXT */
struct condition {
	const char *name, *text; /* text NULL: whether NAME is set */
	size_t name_len;
	bool negated;
};

void condition_read(const char *text, struct condition *condition);

#endif
