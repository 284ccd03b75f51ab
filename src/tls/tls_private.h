/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this room share. */
#ifndef ISTIO_INJECT_TLS_PRIVATE_H
#define ISTIO_INJECT_TLS_PRIVATE_H

#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#include "tls.h"

struct tls_identity {
	mbedtls_ssl_config config;
	mbedtls_x509_crt chain;
	mbedtls_pk_context key;
	struct tls_validity validity;
	unsigned holders;
};

struct tls_trust {
	mbedtls_ssl_config config;
	mbedtls_x509_crt cas;
};

/* Versions, ciphers and groups of both sides; -EINVAL if the library will not have it. */
int tls_configure(mbedtls_ssl_config *config, int endpoint);

/* Reads the certificates of a PEM file into @chain, which is initialized; -errno with @err. */
int tls_certificates_load(mbedtls_x509_crt *chain, const char *path, struct err *err);

/* The same of a key, which has to be one of those that tls_identity_load takes. */
int tls_key_load(mbedtls_pk_context *key, const char *path, struct err *err);

/* Seconds since 1970. */
int64_t tls_seconds(const mbedtls_x509_time *time);

/* What the library's error means, or NULL. */
const char *tls_error_text(int error);

/* Fills in what @peer tells of the certificate; @flags are those of the library's verification. */
enum tls_verdict tls_certificate_judge(const mbedtls_x509_crt *crt, uint32_t flags, struct tls_peer *peer);

#endif
