/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a diagram tests: a packet's fields, their variables, and values of these. */
#ifndef ISTIO_INIT_FIELDS_H
#define ISTIO_INIT_FIELDS_H

#include <stdint.h>

/* In the order in which they are tested: long lists of one address stay apart from all that comes behind. */
enum field {
	FIELD_DST,
	FIELD_SRC,
	FIELD_IIF, /* names */
	FIELD_OIF,
	FIELD_PROTO,
	FIELD_DPORT,
	FIELD_SPORT,
	FIELD_UID,     /* or NO_SOCKET */
	FIELD_GID,     /* likewise */
	FIELD_MARK,    /* bit for bit with the connection's mark behind it */
	FIELD_FLAGS,   /* TCP's */
	FIELD_CTSTATE, /* which bit of CTSTATE_... */
	FIELD_GUESS,   /* a bit for each rule that cannot be read: whether it holds */
	FIELDS
};

#define GUESS_BITS 4096

/* A field is one variable; if rules test it by masks, one for each of its bits, the most significant first. */
extern const struct field_variables {
	uint16_t first, n, bits; /* @bits: of each variable's values */
} field_variables[FIELDS];

enum field field_of(uint32_t variable);

/* The variable behind those of the field; FIELDS: behind all. */
uint32_t field_end(enum field field);

/* As a number; of an address or a name its 16 bytes in network order, padded with zeros. */
struct value {
	uint64_t high, low;
};

/* Of UID and GID: no socket has sent the packet. */
#define NO_SOCKET ((uint64_t)1 << 32)

int value_compare(struct value a, struct value b);
struct value value_of_bytes(const uint8_t bytes[16]);
void value_to_bytes(struct value value, uint8_t bytes[16]);
/* The one before, and behind; past the end it begins again. */
struct value value_before(struct value value);
struct value value_behind(struct value value);
/* The largest of @bits. */
struct value value_max(unsigned bits);

#endif
