/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Certificates as files, beside the connections of tls.h: what an API server is to trust, and how it is made. */
#ifndef ISTIO_INIT_TLS_CA_H
#define ISTIO_INIT_TLS_CA_H

#include <stdint.h>

#include "buffer.h"
#include "err.h"

/*
 * Appends the CA certificates of a PEM file in PEM, and nothing else that the file may hold; they need
 * not be self-signed, and may have expired.  -errno with @err: STATUS_FAILED for a file that cannot be
 * read, STATUS_USAGE if it holds no CA certificate, or something that is no certificate.
 */
int tls_ca_bundle(const char *path, struct buffer *pem, struct err *err);

/* A certificate that can sign, and its key. */
struct tls_ca;

/* Seconds since 1970. */
struct tls_period {
	int64_t from, to;
};

/*
 * A new one, self-signed, EC P-256, with that common name (at most 64 bytes), or the one in two PEM
 * files.  NULL with @err; tls_setup comes first.
 */
struct tls_ca *tls_ca_make(const char *name, const struct tls_period *period, struct err *err);
struct tls_ca *tls_ca_load(const char *cert_path, const char *key_path, struct err *err);
void tls_ca_free(struct tls_ca *ca);

/* When its certificate ends. */
int64_t tls_ca_end(const struct tls_ca *ca);
/* Both in PEM; of a loaded one they are as in the files, but for the layout. */
int tls_ca_print(const struct tls_ca *ca, struct buffer *cert, struct buffer *key, struct err *err);

/*
 * A server's certificate with a key of its own, EC P-256, both in PEM; @names are DNS names, the first
 * is its common name, too (at most 64 bytes).  0 or -errno with @err.
 */
int tls_ca_issue(const struct tls_ca *ca, const char *const *names, unsigned n, const struct tls_period *period,
		 struct buffer *cert, struct buffer *key, struct err *err);

#endif
