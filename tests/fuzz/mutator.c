/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mutates messages of netlink behind a first byte so that most of them, and their attributes, stay whole. */
#include "fuzz.h"

#include <stdbool.h>
#include <string.h>

#include <libmnl/libmnl.h>

static unsigned next_random(unsigned *state)
{
	*state = *state * 1103515245u + 12345u;
	return *state >> 8;
}

/* A message or attribute with those that it lies in, outermost first. */
struct place {
	size_t at, len; /* its header's place, and the length that this says */
};

#define DEPTH_MAX 8

static size_t read_len(const uint8_t *data, bool message)
{
	uint32_t len32;
	uint16_t len16;

	memcpy(&len32, data, sizeof(len32));
	memcpy(&len16, data, sizeof(len16));
	return message ? len32 : len16;
}

static void grow_len(uint8_t *data, bool message, size_t by, bool shrink)
{
	size_t len = read_len(data, message);
	uint32_t len32 = (uint32_t)(shrink ? len - by : len + by);
	uint16_t len16 = (uint16_t)len32;

	memcpy(data, message ? (void *)&len32 : (void *)&len16, message ? sizeof(len32) : sizeof(len16));
}

/* Whether the bytes look like attributes from beginning to end. */
static bool is_nest(const uint8_t *data, size_t size)
{
	size_t len;

	if (size < MNL_ATTR_HDRLEN)
		return false;
	for (; size >= MNL_ATTR_HDRLEN; data += MNL_ALIGN(len), size -= MNL_ALIGN(len)) {
		len = read_len(data, false);
		if (len < MNL_ATTR_HDRLEN || MNL_ALIGN(len) > size)
			return false;
	}
	return !size;
}

/* Goes at random from message to attribute to attribute in it; returns the depth, 0 if there is no message. */
static unsigned find_place(const uint8_t *data, size_t size, unsigned *state, struct place places[DEPTH_MAX])
{
	size_t begin = 1, end = size, header = sizeof(struct nlmsghdr);
	unsigned depth = 0;

	while (depth < DEPTH_MAX) {
		size_t at = begin, n = 0, len = 0;

		for (; at + header <= end; at += MNL_ALIGN(len)) {
			len = read_len(data + at, !depth);
			if (len < header || MNL_ALIGN(len) > end - at)
				break;
			if (next_random(state) % ++n == 0)
				places[depth] = (struct place){ at, len };
		}
		if (!n)
			break;
		begin = places[depth].at + header;
		end = places[depth].at + places[depth].len;
		/* nfgenmsg has 4 bytes, other headers 4 to 16 */
		for (unsigned skip = 0; !depth && skip <= 16; skip += 4)
			if (begin + skip <= end && is_nest(data + begin + skip, MNL_ALIGN(end - begin) - skip)) {
				begin += skip;
				break;
			}
		header = MNL_ATTR_HDRLEN;
		depth++;
		if (!is_nest(data + begin, end - begin) || next_random(state) % 8 == 0)
			break;
	}
	return depth;
}

/* Says the sizes of all around a place anew. */
static void resize(uint8_t *data, const struct place *places, unsigned depth, size_t by, bool shrink)
{
	for (unsigned i = 0; i < depth; i++)
		grow_len(data + places[i].at, !i, by, shrink);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	unsigned state = seed, depth;
	struct place places[DEPTH_MAX], *p;
	size_t header, len;

	if (next_random(&state) % 16 == 0)
		return LLVMFuzzerMutate(data, size, max);
	depth = find_place(data, size, &state, places);
	if (!depth)
		return LLVMFuzzerMutate(data, size, max);
	p = &places[depth - 1];
	header = depth == 1 ? sizeof(struct nlmsghdr) : MNL_ATTR_HDRLEN;
	len = MNL_ALIGN(p->len);
	switch (next_random(&state) % 8) {
	case 0: /* without it */
		memmove(data + p->at, data + p->at + len, size - p->at - len);
		resize(data, places, depth - 1, len, true);
		return size - len;
	case 1: /* twice */
		if (size + len > max)
			return size;
		memmove(data + p->at + len, data + p->at, size - p->at);
		resize(data, places, depth - 1, len, false);
		return size + len;
	case 2: /* longer */
		if (size + 4 > max)
			return size;
		memmove(data + p->at + len + 4, data + p->at + len, size - p->at - len);
		memset(data + p->at + p->len, 0, len + 4 - p->len);
		resize(data, places, depth, 4, false);
		return size + 4;
	case 3: /* shorter */
		if (p->len < header + 4)
			return size;
		memmove(data + p->at + len - 4, data + p->at + len, size - p->at - len);
		resize(data, places, depth, 4, true);
		return size - 4;
	case 4: /* another header: length, type */
		LLVMFuzzerMutate(data + p->at, header, header);
		return size;
	default: /* another content */
		if (p->len > header)
			LLVMFuzzerMutate(data + p->at + header, p->len - header, p->len - header);
		else
			LLVMFuzzerMutate(data + p->at, header, header);
		return size;
	}
}
