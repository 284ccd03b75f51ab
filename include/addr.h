/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The values that rules are made of, and their strict parsers. */
#ifndef ISTIO_INIT_ADDR_H
#define ISTIO_INIT_ADDR_H

#include <stdbool.h>
#include <stdint.h>

#include "family.h"

/* An address block. @addr is in network order, 4 or 16 bytes used, host bits are zero. */
struct prefix {
	uint8_t family; /* enum family */
	uint8_t len;    /* bits */
	uint8_t addr[16];
};

/* Ports, UIDs or GIDs, both ends included, host order. */
struct range {
	uint32_t lo, hi;
};

/* An interface name; a trailing '+' stands for any rest. */
struct iface {
	char name[16];
};

struct mark {
	uint32_t value, mask;
};

/*
 * A list of one option.  @all: the list was '*', and @items is empty.
 * Items are in the order given, without duplicates.
 */
struct range_list {
	struct range *items;
	uint32_t n;
	bool all;
};

struct iface_list {
	struct iface *items;
	uint32_t n;
};

/* @loopback: some address, as it was written (before masking), is a loopback address. */
struct prefix_list {
	struct prefix *items;
	uint32_t n;
};

struct cidr_list {
	struct prefix_list of[FAMILIES];
	bool all;
	bool loopback;
};

/*
 * The parsers take a whole NUL-terminated word and return NULL, or what was
 * expected instead, as the end of a sentence ("a port 1-65535 or a range a-b").
 */
const char *port_parse(const char *word, struct range *port);
const char *prefix_parse(const char *word, struct prefix *prefix, bool *loopback);

/* Whether the address is in 127.0.0.0/8, or is ::1. */
bool prefix_is_loopback(const struct prefix *p);
/*
 * What the kernel takes (dev_valid_name() in net/core/dev.c), but for what the text of rules could not
 * be read back with: quotes, backslashes, '*'.
 */
const char *iface_parse(const char *word, struct iface *iface);
const char *mark_parse(const char *word, uint32_t *value);
/* A decimal number of at most @max, digits only. */
bool number_parse(const char *word, uint32_t max, uint32_t *value);

bool prefix_equal(const struct prefix *a, const struct prefix *b);
bool prefix_contains(const struct prefix *outer, const struct prefix *inner);

/*
 * Text of an address as glibc's inet_ntop writes it (musl writes ::127.0.0.53
 * as ::7f00:35; iptables-save, linked with glibc, does not).
 */
#define ADDR_TEXT_MAX 46
#define PREFIX_TEXT_MAX (ADDR_TEXT_MAX + 4)
const char *addr_text(enum family family, const uint8_t *addr, char text[ADDR_TEXT_MAX]);
const char *prefix_text(const struct prefix *prefix, char text[PREFIX_TEXT_MAX]);

#endif
