/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fields.h"

#include <endian.h>
#include <string.h>

const struct field_variables field_variables[FIELDS] = {
	[FIELD_DST] = { 0, 1, 128 },           [FIELD_SRC] = { 1, 1, 128 },  [FIELD_IIF] = { 2, 1, 128 },
	[FIELD_OIF] = { 3, 1, 128 },           [FIELD_PROTO] = { 4, 1, 8 },  [FIELD_DPORT] = { 5, 1, 16 },
	[FIELD_SPORT] = { 6, 1, 16 },          [FIELD_UID] = { 7, 1, 33 },   [FIELD_GID] = { 8, 1, 33 },
	[FIELD_MARK] = { 9, 64, 1 },           [FIELD_FLAGS] = { 73, 1, 6 }, [FIELD_CTSTATE] = { 74, 1, 2 },
	[FIELD_GUESS] = { 75, GUESS_BITS, 1 },
};

enum field field_of(uint32_t variable)
{
	enum field field = FIELD_DST;

	while (variable >= field_end(field))
		field++;
	return field;
}

uint32_t field_end(enum field field)
{
	return field < FIELDS ? (uint32_t)field_variables[field].first + field_variables[field].n : UINT32_MAX;
}

int value_compare(struct value a, struct value b)
{
	if (a.high != b.high)
		return a.high < b.high ? -1 : 1;
	return a.low < b.low ? -1 : a.low > b.low;
}

struct value value_of_bytes(const uint8_t bytes[16])
{
	uint64_t words[2];

	memcpy(words, bytes, sizeof(words));
	return (struct value){ be64toh(words[0]), be64toh(words[1]) };
}

void value_to_bytes(struct value value, uint8_t bytes[16])
{
	uint64_t words[2] = { htobe64(value.high), htobe64(value.low) };

	memcpy(bytes, words, sizeof(words));
}

struct value value_before(struct value value)
{
	return (struct value){ value.high - !value.low, value.low - 1 };
}

struct value value_behind(struct value value)
{
	return (struct value){ value.high + !(value.low + 1), value.low + 1 };
}

struct value value_max(unsigned bits)
{
	uint64_t high = bits > 64 ? UINT64_MAX >> (128 - bits) : 0,
		 low = bits >= 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;

	return (struct value){ high, low };
}
