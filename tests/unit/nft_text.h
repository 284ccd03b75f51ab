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

/* Whether the expression that begins at @expr ("[ meta load mark => reg 1 ]") holds the words. */
static inline bool nft_text_has(const char *expr, const char *words)
{
	const char *at = expr ? strstr(expr, words) : NULL;

	return at && at < strchr(expr, ']');
}

/*
 * libnftnl prints data as 32-bit numbers of the machine.  Turns what a little-endian machine prints into what
 * this one does: of addresses, ports and names the bytes stay, of marks and owners the number.
 */
static inline void nft_text_of_this_machine(char *text)
{
	bool number = false;

	if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
		return;
	for (char *expr = strchr(text, '['), *next; expr; expr = next) {
		const char *user;
		bool zone;

		next = strchr(expr + 1, '[');
		user = nft_text_has(expr, "immediate") ? next : NULL;
		zone = nft_text_has(user, "ct set zone");
		if (nft_text_has(expr, " load "))
			number = nft_text_has(expr, "load sk") || nft_text_has(expr, "load mark") ||
				 nft_text_has(expr, "load state");
		else if (nft_text_has(expr, "byteorder"))
			number = false;
		for (char *word = expr; (word = strstr(word, "0x")) && word < strchr(expr, ']'); word += 2) {
			char digits[9] = "";
			uint32_t value;

			if (strspn(word + 2, "0123456789abcdef") != 8 || (user ? nft_text_has(user, "set mark") : number))
				continue;
			memcpy(digits, word + 2, 8);
			value = (uint32_t)strtoul(digits, NULL, 16);
			snprintf(digits, sizeof(digits), "%08x", zone ? value << 16 : __builtin_bswap32(value));
			memcpy(word + 2, digits, 8);
		}
	}
}

#endif
