/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "item.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

int choice_find(const char *words, const char *word, bool any_case)
{
	size_t n = strlen(word);

	for (int i = 0; words; i++) {
		size_t len = strcspn(words, "|");

		if (len == n && !(any_case ? strncasecmp(words, word, n) : strncmp(words, word, n)))
			return i;
		words = words[len] ? words + len + 1 : NULL;
	}
	return -1;
}

char *text_trim(char *text)
{
	size_t n;

	text += strspn(text, BLANKS);
	for (n = strlen(text); n && strchr(BLANKS, text[n - 1]); n--)
		text[n - 1] = '\0';
	return text;
}

char *item_next(char **text, const char *separators)
{
	char *item = *text, *end;

	while (*item && (strchr(BLANKS, *item) || strchr(separators, *item)))
		item++;
	if (!*item)
		return NULL;
	end = item + strcspn(item, separators);
	*text = *end ? end + 1 : end;
	do
		*end = '\0';
	while (strchr(BLANKS, *--end));
	return item;
}
