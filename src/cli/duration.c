/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "duration.h"

#include <string.h>

#include "util.h"

#define NS_PER_MS UINT64_C(1000000)
#define NS_MAX (UINT32_MAX * NS_PER_MS)
/* A fraction's digits beyond these are less than a part in a million of the unit. */
#define FRACTION_MAX 1000000

/* The unit at *@text, which is moved behind it; 0 if there is none. */
static uint64_t unit_read(const char **text)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		/* longer names before those that they begin with */
		{ "ns", 1 },
		{ "us", 1000 },
		{ "\xc2\xb5s", 1000 }, /* U+00B5, micro sign */
		{ "\xce\xbcs", 1000 }, /* U+03BC, Greek mu */
		{ "ms", NS_PER_MS },
		{ "s", 1000 * NS_PER_MS },
		{ "m", 60 * 1000 * NS_PER_MS },
		{ "h", 3600 * 1000 * NS_PER_MS },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(units); i++) {
		size_t n = strlen(units[i].name);

		if (!strncmp(*text, units[i].name, n)) {
			*text += n;
			return units[i].ns;
		}
	}
	return 0;
}

/* One number with its unit; @bare: the number may stand without one. */
static bool part_read(const char **text, bool bare, uint64_t *ns)
{
	uint64_t whole = 0, fraction = 0, scale = 1, unit;
	const char *s = *text;
	bool digits = false;

	for (; *s >= '0' && *s <= '9'; s++, digits = true) {
		whole = whole * 10 + (uint64_t)(*s - '0');
		if (whole > NS_MAX)
			return false;
	}
	if (*s == '.')
		for (s++; *s >= '0' && *s <= '9'; s++, digits = true)
			if (scale < FRACTION_MAX) {
				fraction = fraction * 10 + (uint64_t)(*s - '0');
				scale *= 10;
			}
	if (!digits)
		return false;
	unit = bare && !*s ? 1000 * NS_PER_MS : unit_read(&s);
	if (!unit || __builtin_mul_overflow(whole, unit, &whole))
		return false;
	*text = s;
	return !__builtin_add_overflow(whole, fraction * unit / scale, ns);
}

bool duration_parse(const char *text, uint32_t *ms)
{
	uint64_t total = 0, ns;
	bool bare = true;

	if (*text == '+')
		text++;
	do {
		if (!part_read(&text, bare, &ns) || ns > NS_MAX || total + ns > NS_MAX)
			return false;
		total += ns;
		bare = false;
	} while (*text);
	*ms = (uint32_t)((total + NS_PER_MS - 1) / NS_PER_MS);
	return true;
}
