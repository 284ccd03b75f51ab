/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_TLS_PEM_H
#define ISTIO_INIT_TLS_PEM_H

#include "buffer.h"

#define TLS_PEM_CERTIFICATE "CERTIFICATE"
#define TLS_PEM_KEY "EC PRIVATE KEY" /* RFC 5915 */

/* Appends DER as PEM (RFC 7468) under that label. */
void tls_pem_put(struct buffer *pem, const char *label, const void *der, size_t len);

#endif
