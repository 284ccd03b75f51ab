/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How often a test of random or of all combinations goes round. */
#ifndef ISTIO_INIT_ROUNDS_H
#define ISTIO_INIT_ROUNDS_H

#include <stdlib.h>

/* @n, divided by ISTIO_INIT_PART if that is set: under valgrind a round takes thirty times as long, and another one of
 * the same kind touches no other memory. */
static inline unsigned rounds(unsigned n)
{
	const char *part = getenv("ISTIO_INIT_PART");

	return part ? n / (unsigned)strtoul(part, NULL, 10) : n;
}

#endif
