/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "addr.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

bool number_parse(const char *word, uint32_t max, uint32_t *value)
{
	uint64_t n = 0;

	if (!*word)
		return false;
	for (; *word; word++) {
		if (*word < '0' || *word > '9')
			return false;
		n = n * 10 + (uint64_t)(*word - '0');
		if (n > max)
			return false;
	}
	*value = (uint32_t)n;
	return true;
}

const char *port_parse(const char *word, struct range *port)
{
	static const char expected[] = "a port 1-65535 or a range a-b";
	char text[16];
	char *sep;

	if (strlen(word) >= sizeof(text))
		return expected;
	strcpy(text, word);
	sep = strpbrk(text, "-:");
	if (sep)
		*sep = '\0';
	if (!number_parse(text, 65535, &port->lo) || !port->lo)
		return expected;
	port->hi = port->lo;
	if (sep && (!number_parse(sep + 1, 65535, &port->hi) || !port->hi))
		return expected;
	return port->lo <= port->hi ? NULL : "a range a-b with a not above b";
}

const char *mark_parse(const char *word, uint32_t *value)
{
	static const char expected[] = "a number 0-4294967295, decimal or 0x...";
	uint64_t n = 0;

	if (strncasecmp(word, "0x", 2) != 0)
		return number_parse(word, UINT32_MAX, value) ? NULL : expected;
	word += 2;
	if (!*word)
		return expected;
	for (; *word; word++) {
		if (!isxdigit((unsigned char)*word))
			return expected;
		n = n * 16 + (uint64_t)(*word <= '9' ? *word - '0' : (*word | 0x20) - 'a' + 10);
		if (n > UINT32_MAX)
			return expected;
	}
	*value = (uint32_t)n;
	return NULL;
}

const char *iface_parse(const char *word, struct iface *iface)
{
	static const char expected[] = "an interface name of 1-15 bytes without blanks, control characters and / : \" \\ *";
	size_t n = strlen(word);

	if (n >= sizeof(iface->name))
		return strchr(word, '@') ?
			       "an interface name without what ip prints behind it: it ends before the '@'" :
			       "an interface name of at most 15 bytes, more the kernel has none (a trailing '+' "
			       "stands for any rest)";
	if (n == 0 || !strcmp(word, ".") || !strcmp(word, ".."))
		return expected;
	for (size_t i = 0; i < n; i++)
		if (isspace((unsigned char)word[i]) || iscntrl((unsigned char)word[i]) || strchr("/:\"\\*", word[i]))
			return expected;
	memset(iface, 0, sizeof(*iface));
	memcpy(iface->name, word, n);
	return NULL;
}

bool prefix_is_loopback(const struct prefix *p)
{
	static const uint8_t loopback6[16] = { [15] = 1 };

	return p->family == IPV4 ? p->addr[0] == 127 : !memcmp(p->addr, loopback6, 16);
}

static bool addr_is_mapped(const struct prefix *p)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return p->family == IPV6 && !memcmp(p->addr, mapped, sizeof(mapped));
}

static void prefix_mask_host_bits(struct prefix *p)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned bits = p->len > i * 8 ? p->len - i * 8 : 0;

		if (bits < 8)
			p->addr[i] &= (uint8_t)(0xff00 >> bits);
	}
}

const char *prefix_parse(const char *word, struct prefix *prefix, bool *loopback)
{
	static const char expected[] = "an IPv4 or IPv6 address, or address/length";
	char text[64];
	uint32_t len, max;
	char *slash;

	if (strlen(word) >= sizeof(text))
		return expected;
	strcpy(text, word);
	slash = strchr(text, '/');
	if (slash)
		*slash++ = '\0';
	memset(prefix, 0, sizeof(*prefix));
	prefix->family = strchr(text, ':') ? IPV6 : IPV4;
	if (inet_pton(prefix->family == IPV4 ? AF_INET : AF_INET6, text, prefix->addr) != 1)
		return expected;
	max = family_addr_len(prefix->family) * 8;
	len = max;
	if (slash && !number_parse(slash, max, &len))
		return prefix->family == IPV4 ? "a prefix length 0-32" : "a prefix length 0-128";
	if (addr_is_mapped(prefix))
		return "the plain IPv4 address instead of an IPv4-mapped IPv6 one";
	prefix->len = (uint8_t)len;
	if (loopback)
		*loopback = prefix_is_loopback(prefix);
	prefix_mask_host_bits(prefix);
	return NULL;
}

bool prefix_equal(const struct prefix *a, const struct prefix *b)
{
	return a->family == b->family && a->len == b->len && !memcmp(a->addr, b->addr, sizeof(a->addr));
}

bool prefix_contains(const struct prefix *outer, const struct prefix *inner)
{
	unsigned bytes = outer->len / 8, bits = outer->len % 8;

	if (outer->family != inner->family || outer->len > inner->len || memcmp(outer->addr, inner->addr, bytes))
		return false;
	return !bits || !((outer->addr[bytes] ^ inner->addr[bytes]) >> (8 - bits));
}

/* The longest run of two or more zero words, as RFC 5952 and glibc shorten it. */
static void find_zero_run(const unsigned *words, int *start, int *len)
{
	*start = -1;
	*len = 1;
	for (int i = 0; i < 8; i++) {
		int n = 0;

		while (i + n < 8 && !words[i + n])
			n++;
		if (n > *len) {
			*start = i;
			*len = n;
		}
		i += n;
	}
}

/* Not by printf, which would take half the time of printing a long list.  The put_ functions return their text's end. */
static char *put_number(char *p, unsigned n, unsigned base)
{
	if (n >= base)
		p = put_number(p, n / base, base);
	*p++ = "0123456789abcdef"[n % base];
	return p;
}

static char *put_ipv4(char *p, const uint8_t *addr)
{
	for (int i = 0; i < 4; i++) {
		if (i)
			*p++ = '.';
		p = put_number(p, addr[i], 10);
	}
	return p;
}

static char *put_ipv6(char *p, const uint8_t *addr)
{
	unsigned words[8];
	int start, len;

	for (int i = 0; i < 8; i++)
		words[i] = (unsigned)addr[i * 2] << 8 | addr[i * 2 + 1];
	find_zero_run(words, &start, &len);
	for (int i = 0; i < 8; i++) {
		if (i == start) {
			*p++ = ':';
			if (i + len == 8)
				*p++ = ':';
			i += len - 1;
			continue;
		}
		if (i)
			*p++ = ':';
		/* glibc: the last 32 bits of ::a.b.c.d and ::ffff:a.b.c.d are written as IPv4 */
		if (i == 6 && start == 0 && (len == 6 || (len == 5 && words[5] == 0xffff)))
			return put_ipv4(p, addr + 12);
		p = put_number(p, words[i], 16);
	}
	return p;
}

const char *addr_text(enum family family, const uint8_t *addr, char text[ADDR_TEXT_MAX])
{
	*(family == IPV4 ? put_ipv4(text, addr) : put_ipv6(text, addr)) = '\0';
	return text;
}

const char *prefix_text(const struct prefix *prefix, char text[PREFIX_TEXT_MAX])
{
	char *p = prefix->family == IPV4 ? put_ipv4(text, prefix->addr) : put_ipv6(text, prefix->addr);

	*p++ = '/';
	*put_number(p, prefix->len, 10) = '\0';
	return text;
}
