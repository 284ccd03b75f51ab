/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pieces of a text: items of a list, words of a choice. */
#ifndef ISTIO_INIT_ITEM_H
#define ISTIO_INIT_ITEM_H

#include <stdbool.h>

#define BLANKS " \t\r\n\v\f"

/* What a boolean may be, as Go's strconv.ParseBool has it; the odd ones are true. */
#define BOOLEANS "false|true|0|1|f|t|F|T|FALSE|TRUE|False|True"

/* The index of @word among @words, which are parted by '|'; -1 if it is none of them. */
int choice_find(const char *words, const char *word, bool any_case);

/*
 * The next item of *@text: NUL-ended, without blanks around it, not empty; NULL at the end.
 * Items are parted by any of @separators; *@text is written to and moved on.
 */
char *item_next(char **text, const char *separators);

/* @text without the blanks around it: behind it they are cut off in place. */
char *text_trim(char *text);

#endif
