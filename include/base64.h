/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_BASE64_H
#define ISTIO_INIT_BASE64_H

#include <stddef.h>

#include "buffer.h"

/* Appends the bytes in the alphabet of RFC 4648, section 4, padded, in one line. */
void base64_put(struct buffer *out, const void *data, size_t len);

#endif
