/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tls_ca.h"

#include <errno.h>

#include <mbedtls/pem.h>

#include "tls_private.h"
#include "tls_pem.h"

static void put_certificates(const mbedtls_x509_crt *crt, struct buffer *pem)
{
	for (; crt; crt = crt->next)
		if (mbedtls_x509_crt_get_ca_istrue(crt) == 1)
			tls_pem_put(pem, TLS_PEM_CERTIFICATE, crt->raw.p, crt->raw.len);
}

int tls_ca_bundle(const char *path, struct buffer *pem, struct err *err)
{
	size_t before = pem->len;
	mbedtls_x509_crt chain;
	int rc;

	mbedtls_x509_crt_init(&chain);
	rc = tls_certificates_load(&chain, path, err);
	if (!rc) {
		put_certificates(&chain, pem);
		if (pem->len == before)
			rc = err_set(err, STATUS_USAGE, EINVAL,
				     "%s: expected a certificate of a CA (basicConstraints CA:TRUE)", path);
	}
	mbedtls_x509_crt_free(&chain);
	return rc;
}
