/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Certificates as files, beside the connections of tls.h: what an API server is to trust. */
#ifndef ISTIO_INIT_TLS_CA_H
#define ISTIO_INIT_TLS_CA_H

#include "buffer.h"
#include "err.h"

/*
 * Appends the CA certificates of a PEM file in PEM, and nothing else that the file may hold; they need
 * not be self-signed, and may have expired.  -errno with @err: STATUS_FAILED for a file that cannot be
 * read, STATUS_USAGE if it holds no CA certificate, or something that is no certificate.
 */
int tls_ca_bundle(const char *path, struct buffer *pem, struct err *err);

#endif
