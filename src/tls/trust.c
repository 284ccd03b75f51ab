/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a client trusts, and what it sees of a server's certificate. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

#include "tls_private.h"

struct tls_trust *tls_trust_load(const char *ca_path, struct err *err)
{
	struct tls_trust *trust = xcalloc(1, sizeof(*trust));

	mbedtls_ssl_config_init(&trust->config);
	mbedtls_x509_crt_init(&trust->cas);
	if (tls_certificates_load(&trust->cas, ca_path, err) == 0) {
		if (!tls_configure(&trust->config, MBEDTLS_SSL_IS_CLIENT)) {
			mbedtls_ssl_conf_ca_chain(&trust->config, &trust->cas, NULL);
			/* The handshake goes on, so that what is wrong can be told. */
			mbedtls_ssl_conf_authmode(&trust->config, MBEDTLS_SSL_VERIFY_OPTIONAL);
			return trust;
		}
		err_set(err, STATUS_FAILED, ENOMEM, "%s: out of memory", ca_path);
	}
	tls_trust_free(trust);
	return NULL;
}

void tls_trust_free(struct tls_trust *trust)
{
	if (!trust)
		return;
	mbedtls_ssl_config_free(&trust->config);
	mbedtls_x509_crt_free(&trust->cas);
	free(trust);
}

static void add_name(char *names, size_t size, const char *name, size_t len)
{
	size_t n = strlen(names);

	if (n + len + sizeof(", ") < size)
		snprintf(names + n, size - n, "%s%.*s", n ? ", " : "", (int)len, name);
}

/* RFC 5280, section 4.2.1.6: the names that count; whether there is any. */
static bool list_names(const mbedtls_x509_crt *crt, struct tls_peer *peer)
{
	bool any = false;

	for (const mbedtls_x509_sequence *at = &crt->subject_alt_names; at; at = at->next) {
		mbedtls_x509_subject_alternative_name name;
		char text[INET6_ADDRSTRLEN];

		if (!at->buf.len || mbedtls_x509_parse_subject_alt_name(&at->buf, &name))
			continue;
		if (name.type == MBEDTLS_X509_SAN_DNS_NAME) {
			add_name(peer->names, sizeof(peer->names), (const char *)name.san.unstructured_name.p,
				 name.san.unstructured_name.len);
			any = true;
		} else if (name.type == MBEDTLS_X509_SAN_IP_ADDRESS) {
			const mbedtls_x509_buf *ip = &name.san.unstructured_name;

			if (inet_ntop(ip->len == 4 ? AF_INET : AF_INET6, ip->p, text, sizeof(text)))
				add_name(peer->names, sizeof(peer->names), text, strlen(text));
			any = true;
		}
		mbedtls_x509_free_subject_alt_name(&name);
	}
	return any;
}

enum tls_verdict tls_certificate_judge(const mbedtls_x509_crt *crt, uint32_t flags, struct tls_peer *peer)
{
	static const struct {
		uint32_t flags;
		enum tls_verdict verdict;
	} verdicts[] = {
		{ MBEDTLS_X509_BADCERT_NOT_TRUSTED, TLS_UNKNOWN_CA },
		{ MBEDTLS_X509_BADCERT_EXPIRED, TLS_EXPIRED },
		{ MBEDTLS_X509_BADCERT_FUTURE, TLS_NOT_YET_VALID },
		{ MBEDTLS_X509_BADCERT_CN_MISMATCH, TLS_OTHER_NAME },
		{ UINT32_MAX, TLS_UNFIT },
	};

	if (mbedtls_x509_dn_gets(peer->subject, sizeof(peer->subject), &crt->subject) < 0)
		peer->subject[0] = '\0';
	if (mbedtls_x509_dn_gets(peer->issuer, sizeof(peer->issuer), &crt->issuer) < 0)
		peer->issuer[0] = '\0';
	peer->not_before = tls_seconds(&crt->valid_from);
	peer->not_after = tls_seconds(&crt->valid_to);
	/* The library takes the common name where there are no others; the API server does not. */
	if (!list_names(crt, peer))
		flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
	for (unsigned i = 0; i < ARRAY_SIZE(verdicts); i++)
		if (flags & verdicts[i].flags)
			return verdicts[i].verdict;
	return TLS_TRUSTED;
}
