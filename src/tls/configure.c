/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What both sides speak, and how the library's errors are called. */
#include <errno.h>
#include <stdlib.h>

#include <mbedtls/net_sockets.h>
#include <mbedtls/psa_util.h>
#include <psa/crypto.h>

#include "log.h"
#include "util.h"

#include "tls_private.h"

/* Forward secrecy and authenticated ciphers alone (RFC 9325, section 4.2), AES first: CPUs have it. */
static const int ciphers[] = {
	MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
	MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
	MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	0,
};

static const uint16_t groups[] = {
	MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
	MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
	MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1,
	MBEDTLS_SSL_IANA_TLS_GROUP_NONE,
};

void tls_setup(void)
{
	if (psa_crypto_init() == PSA_SUCCESS)
		return;
	log_error("the cryptographic library does not start: is getrandom(2) allowed here?");
	_Exit(STATUS_FAILED);
}

int tls_configure(mbedtls_ssl_config *config, int endpoint)
{
	if (mbedtls_ssl_config_defaults(config, endpoint, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT))
		return -EINVAL;
	mbedtls_ssl_conf_rng(config, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
	mbedtls_ssl_conf_min_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_2);
	mbedtls_ssl_conf_max_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_3);
	mbedtls_ssl_conf_ciphersuites(config, ciphers);
	mbedtls_ssl_conf_groups(config, groups);
	return 0;
}

const char *tls_error_text(int error)
{
	static const struct {
		int error;
		const char *text;
	} texts[] = {
		{ MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION, "no version of TLS that both speak: expected 1.2 or 1.3" },
		{ MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE, "no cipher, group or signature that both speak" },
		{ MBEDTLS_ERR_SSL_NO_APPLICATION_PROTOCOL, "no application protocol that both speak: expected http/1.1" },
		{ MBEDTLS_ERR_SSL_INVALID_MAC, "a record that was changed on its way" },
		{ MBEDTLS_ERR_SSL_INVALID_RECORD, "a malformed record" },
		{ MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE, "a message out of its order" },
		{ MBEDTLS_ERR_SSL_UNEXPECTED_RECORD, "a record out of its order" },
		{ MBEDTLS_ERR_SSL_DECODE_ERROR, "a malformed message" },
		{ MBEDTLS_ERR_SSL_ILLEGAL_PARAMETER, "a parameter that is not allowed" },
		{ MBEDTLS_ERR_SSL_UNSUPPORTED_EXTENSION, "an extension that is missing or not allowed" },
		{ MBEDTLS_ERR_SSL_ALLOC_FAILED, "out of memory" },
		{ MBEDTLS_ERR_SSL_CONN_EOF, "the connection ended" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(texts); i++)
		if (texts[i].error == error)
			return texts[i].text;
	return NULL;
}
