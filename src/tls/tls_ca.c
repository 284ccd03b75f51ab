/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CA certificates: taken from files, made, and used to sign. */
#include "tls_ca.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mbedtls/oid.h>
#include <mbedtls/pem.h>
#include <mbedtls/psa_util.h>

#include "util.h"

#include "tls_private.h"

/* RFC 5280, section 4.1.2.2: positive, at most 20 bytes. */
#define SERIAL_LEN 16
/* What a certificate with the longest allowed names takes, in DER and PEM. */
#define CERT_LEN_MAX (64u << 10)
#define KEY_LEN_MAX 4096

struct tls_ca {
	mbedtls_x509_crt crt;
	mbedtls_pk_context key;
};

static int failed(struct err *err, const char *what, int error)
{
	return err_set(err, STATUS_FAILED, EIO, "cannot make %s: error -0x%04x of Mbed TLS", what, (unsigned)-error);
}

static int put_certificates(const mbedtls_x509_crt *crt, struct buffer *pem)
{
	auto_free unsigned char *text = xcalloc(1, CERT_LEN_MAX);
	size_t len;

	for (; crt; crt = crt->next) {
		int rc;

		if (mbedtls_x509_crt_get_ca_istrue(crt) != 1)
			continue;
		rc = mbedtls_pem_write_buffer("-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n",
					      crt->raw.p, crt->raw.len, text, CERT_LEN_MAX, &len);
		if (rc)
			return rc;
		buffer_puts(pem, (const char *)text);
	}
	return 0;
}

int tls_ca_bundle(const char *path, struct buffer *pem, struct err *err)
{
	size_t before = pem->len;
	mbedtls_x509_crt chain;
	int rc;

	mbedtls_x509_crt_init(&chain);
	rc = tls_certificates_load(&chain, path, err);
	if (!rc && put_certificates(&chain, pem))
		rc = err_set(err, STATUS_USAGE, EFBIG, "%s: a certificate of it is too long", path);
	if (!rc && pem->len == before)
		rc = err_set(err, STATUS_USAGE, EINVAL, "%s: expected a certificate of a CA (basicConstraints CA:TRUE)",
			     path);
	mbedtls_x509_crt_free(&chain);
	return rc;
}

/* A new key of EC P-256 into @key, which is initialized. */
static int make_key(mbedtls_pk_context *key)
{
	int rc = mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));

	return rc ? rc :
		    mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key), mbedtls_psa_get_random,
					MBEDTLS_PSA_RANDOM_STATE);
}

static int put_key(mbedtls_pk_context *key, struct buffer *pem)
{
	unsigned char text[KEY_LEN_MAX];
	int rc = mbedtls_pk_write_key_pem(key, text, sizeof(text));

	if (!rc)
		buffer_puts(pem, (const char *)text);
	explicit_bzero(text, sizeof(text));
	return rc;
}

static int set_period(mbedtls_x509write_cert *cert, const struct tls_period *period)
{
	char from[16], to[16];
	struct tm tm;

	strftime(from, sizeof(from), "%Y%m%d%H%M%S", gmtime_r(&(time_t){ period->from }, &tm));
	strftime(to, sizeof(to), "%Y%m%d%H%M%S", gmtime_r(&(time_t){ period->to }, &tm));
	return mbedtls_x509write_crt_set_validity(cert, from, to);
}

static int set_serial(mbedtls_x509write_cert *cert)
{
	unsigned char serial[SERIAL_LEN];
	int rc = mbedtls_psa_get_random(MBEDTLS_PSA_RANDOM_STATE, serial, sizeof(serial));

	serial[0] = (unsigned char)((serial[0] & 0x3f) | 0x40); /* positive, and of one length */
	return rc ? rc : mbedtls_x509write_crt_set_serial_raw(cert, serial, sizeof(serial));
}

/* What both kinds of certificates have. */
static int set_common(mbedtls_x509write_cert *cert, const char *subject, const struct tls_period *period, bool is_ca)
{
	unsigned usage = is_ca ? MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN :
				 MBEDTLS_X509_KU_DIGITAL_SIGNATURE;
	int rc = mbedtls_x509write_crt_set_subject_name(cert, subject);

	mbedtls_x509write_crt_set_md_alg(cert, MBEDTLS_MD_SHA256);
	rc = rc ? rc : set_serial(cert);
	rc = rc ? rc : set_period(cert, period);
	rc = rc ? rc : mbedtls_x509write_crt_set_basic_constraints(cert, is_ca, -1);
	rc = rc ? rc : mbedtls_x509write_crt_set_key_usage(cert, usage);
	rc = rc ? rc : mbedtls_x509write_crt_set_subject_key_identifier(cert);
	return rc ? rc : mbedtls_x509write_crt_set_authority_key_identifier(cert);
}

static int put_certificate(mbedtls_x509write_cert *cert, struct buffer *pem)
{
	auto_free unsigned char *text = xcalloc(1, CERT_LEN_MAX);
	int rc = mbedtls_x509write_crt_pem(cert, text, CERT_LEN_MAX, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);

	if (!rc)
		buffer_puts(pem, (const char *)text);
	return rc;
}

static struct tls_ca *ca_new(void)
{
	struct tls_ca *ca = xcalloc(1, sizeof(*ca));

	mbedtls_x509_crt_init(&ca->crt);
	mbedtls_pk_init(&ca->key);
	return ca;
}

void tls_ca_free(struct tls_ca *ca)
{
	if (!ca)
		return;
	mbedtls_x509_crt_free(&ca->crt);
	mbedtls_pk_free(&ca->key);
	free(ca);
}

int64_t tls_ca_end(const struct tls_ca *ca)
{
	return tls_seconds(&ca->crt.valid_to);
}

static int self_sign(struct tls_ca *ca, const char *name, const struct tls_period *period)
{
	struct buffer pem = { 0 }, subject = { 0 };
	mbedtls_x509write_cert cert;
	int rc = make_key(&ca->key);

	buffer_printf(&subject, "CN=%s", name);
	mbedtls_x509write_crt_init(&cert);
	mbedtls_x509write_crt_set_subject_key(&cert, &ca->key);
	mbedtls_x509write_crt_set_issuer_key(&cert, &ca->key);
	rc = rc ? rc : mbedtls_x509write_crt_set_issuer_name(&cert, subject.data);
	rc = rc ? rc : set_common(&cert, subject.data, period, true);
	rc = rc ? rc : put_certificate(&cert, &pem);
	rc = rc ? rc : mbedtls_x509_crt_parse(&ca->crt, (const unsigned char *)pem.data, pem.len + 1);
	mbedtls_x509write_crt_free(&cert);
	buffer_free(&pem);
	buffer_free(&subject);
	return rc;
}

struct tls_ca *tls_ca_make(const char *name, const struct tls_period *period, struct err *err)
{
	struct tls_ca *ca = ca_new();
	int rc = self_sign(ca, name, period);

	if (!rc)
		return ca;
	failed(err, "a CA", rc);
	tls_ca_free(ca);
	return NULL;
}

struct tls_ca *tls_ca_load(const char *cert_path, const char *key_path, struct err *err)
{
	struct tls_ca *ca = ca_new();
	int rc = tls_certificates_load(&ca->crt, cert_path, err);

	if (!rc && mbedtls_x509_crt_get_ca_istrue(&ca->crt) != 1)
		rc = err_set(err, STATUS_USAGE, EINVAL, "%s: expected a certificate of a CA (basicConstraints CA:TRUE)",
			     cert_path);
	if (!rc)
		rc = tls_key_load(&ca->key, key_path, err);
	if (!rc && mbedtls_pk_check_pair(&ca->crt.pk, &ca->key, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE))
		rc = err_set(err, STATUS_USAGE, EINVAL, "%s: expected the key of the certificate in %s", key_path,
			     cert_path);
	if (!rc)
		return ca;
	tls_ca_free(ca);
	return NULL;
}

int tls_ca_print(const struct tls_ca *ca, struct buffer *cert, struct buffer *key, struct err *err)
{
	int rc = put_certificates(&ca->crt, cert);

	/* the library writes nothing to it */
	rc = rc ? rc : put_key((mbedtls_pk_context *)&ca->key, key);
	return rc ? failed(err, "the files of the CA", rc) : 0;
}

/* serverAuth (RFC 5280, section 4.2.1.12) and the names. */
static int set_server(mbedtls_x509write_cert *cert, const char *const *names, unsigned n)
{
	mbedtls_asn1_sequence usage = {
		.buf = { MBEDTLS_ASN1_OID, sizeof(MBEDTLS_OID_SERVER_AUTH) - 1, (unsigned char *)MBEDTLS_OID_SERVER_AUTH },
	};
	auto_free mbedtls_x509_san_list *list = xcalloc(n, sizeof(*list));
	int rc = mbedtls_x509write_crt_set_ext_key_usage(cert, &usage);

	for (unsigned i = 0; i < n; i++) {
		list[i].node.type = MBEDTLS_X509_SAN_DNS_NAME;
		list[i].node.san.unstructured_name.p = (unsigned char *)names[i];
		list[i].node.san.unstructured_name.len = strlen(names[i]);
		list[i].next = i + 1 < n ? &list[i + 1] : NULL;
	}
	return rc ? rc : mbedtls_x509write_crt_set_subject_alternative_name(cert, list);
}

/*
 * The CA's name as it is encoded there, since who verifies compares the bytes: the parts are borrowed, and
 * in the library's order for writing, from the last to the first.  The caller frees the list.
 */
static mbedtls_asn1_named_data *issuer_list(const mbedtls_x509_name *name)
{
	mbedtls_asn1_named_data *list;
	unsigned n = 0, i;

	for (const mbedtls_x509_name *at = name; at; at = at->next)
		n++;
	list = xcalloc(n + 1, sizeof(*list));
	for (i = n; i > 0 && name; i--, name = name->next) {
		list[i - 1].oid = name->oid;
		list[i - 1].val = name->val;
		list[i - 1].next = i < n ? &list[i] : NULL;
	}
	return list;
}

int tls_ca_issue(const struct tls_ca *ca, const char *const *names, unsigned n, const struct tls_period *period,
		 struct buffer *cert, struct buffer *key, struct err *err)
{
	auto_free mbedtls_asn1_named_data *issuer = issuer_list(&ca->crt.subject);
	struct buffer subject = { 0 };
	mbedtls_x509write_cert made;
	mbedtls_pk_context own;
	int rc;

	mbedtls_x509write_crt_init(&made);
	mbedtls_pk_init(&own);
	buffer_printf(&subject, "CN=%s", names[0]);
	rc = make_key(&own);
	mbedtls_x509write_crt_set_subject_key(&made, &own);
	mbedtls_x509write_crt_set_issuer_key(&made, (mbedtls_pk_context *)&ca->key);
	made.MBEDTLS_PRIVATE(issuer) = issuer;
	rc = rc ? rc : set_common(&made, subject.data, period, false);
	rc = rc ? rc : set_server(&made, names, n);
	rc = rc ? rc : put_certificate(&made, cert);
	rc = rc ? rc : put_key(&own, key);
	made.MBEDTLS_PRIVATE(issuer) = NULL;
	mbedtls_x509write_crt_free(&made);
	mbedtls_pk_free(&own);
	buffer_free(&subject);
	return rc ? failed(err, "a certificate", rc) : 0;
}
