/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What libnftnl prints of a rule, for comparisons. */
#ifndef ISTIO_INIT_NFT_TEXT_H
#define ISTIO_INIT_NFT_TEXT_H

#include <stdbool.h>
#include <string.h>

/* Leaves only the expressions, in one line, a blank before each. */
static inline void nft_text_flatten(char *text)
{
	char *to = text, *from = strchr(text, '\n');

	for (; from && *from; from++)
		if ((*from != ' ' && *from != '\n') || (to > text ? to[-1] != ' ' : true))
			*to++ = *from == '\n' ? ' ' : *from;
	while (to > text && to[-1] == ' ')
		to--;
	*to = '\0';
}

#endif
