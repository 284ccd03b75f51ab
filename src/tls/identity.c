/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Certificates and keys from files. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/pem.h>
#include <mbedtls/psa_util.h>
#include <mbedtls/rsa.h>

#include "tls_private.h"
#include "util.h"

#define PEM_LEN_MAX (1u << 20)
#define RSA_BITS_MIN 2048

/* The whole file with a NUL, which the parsers want to be counted. */
static int pem_read(const char *path, char **text, size_t *len, struct err *err)
{
	int rc = read_file(path, PEM_LEN_MAX, text, len);

	if (rc == -EFBIG)
		return err_set(err, STATUS_USAGE, EFBIG, "%s: more than 1 MiB", path);
	if (rc)
		return err_set(err, STATUS_FAILED, -rc, "%s: %s", path, strerror(-rc));
	++*len;
	return 0;
}

int tls_certificates_load(mbedtls_x509_crt *chain, const char *path, struct err *err)
{
	auto_free char *text = NULL;
	size_t len;
	int rc = pem_read(path, &text, &len, err), failed;

	if (rc)
		return rc;
	failed = strstr(text, "-----BEGIN ") ? mbedtls_x509_crt_parse(chain, (const unsigned char *)text, len) : -1;
	if (failed > 0)
		return err_set(err, STATUS_USAGE, EINVAL, "%s: %d of its certificates cannot be read", path, failed);
	if (failed)
		return err_set(err, STATUS_USAGE, EINVAL, "%s: expected a certificate in PEM", path);
	return 0;
}

static int key_check(const mbedtls_pk_context *key, const char *path, struct err *err)
{
	mbedtls_pk_type_t type = mbedtls_pk_get_type(key);

	if (type == MBEDTLS_PK_RSA && mbedtls_pk_get_bitlen(key) >= RSA_BITS_MIN)
		return 0;
	if (type == MBEDTLS_PK_ECKEY) {
		mbedtls_ecp_group_id group = mbedtls_pk_ec(*key)->MBEDTLS_PRIVATE(grp).id;

		if (group == MBEDTLS_ECP_DP_SECP256R1 || group == MBEDTLS_ECP_DP_SECP384R1)
			return 0;
	}
	return err_set(err, STATUS_USAGE, EINVAL, "%s: expected a key of EC P-256 or P-384, or RSA from %d bits", path,
		       RSA_BITS_MIN);
}

int tls_key_load(mbedtls_pk_context *key, const char *path, struct err *err)
{
	auto_free char *text = NULL;
	size_t len;
	bool encrypted;
	int rc = pem_read(path, &text, &len, err), failed;

	if (rc)
		return rc;
	failed = strstr(text, "-----BEGIN ") ? mbedtls_pk_parse_key(key, (const unsigned char *)text, len, NULL, 0,
								    mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE) :
					       -1;
	encrypted = strstr(text, "ENCRYPTED") != NULL;
	explicit_bzero(text, len);
	if (failed)
		return err_set(err, STATUS_USAGE, EINVAL, "%s: expected a private key in PEM%s", path,
			       encrypted ? " that is not encrypted" : ", of EC P-256 or P-384, or RSA");
	return key_check(key, path, err);
}

/* Days since 1970-01-01 of a date, by H. Hinnant's days_from_civil: years begin in March. */
static int64_t days_from_date(int64_t year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year, era = y / 400, of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

int64_t tls_seconds(const mbedtls_x509_time *time)
{
	return ((days_from_date(time->year, time->mon, time->day) * 24 + time->hour) * 60 + time->min) * 60 + time->sec;
}

static int identity_fill(struct tls_identity *to, const char *cert_path, const char *key_path, struct err *err)
{
	static const char *protocols[] = { "http/1.1", NULL };
	int rc = tls_certificates_load(&to->chain, cert_path, err);

	rc = rc ? rc : tls_key_load(&to->key, key_path, err);
	if (rc)
		return rc;
	if (mbedtls_pk_check_pair(&to->chain.pk, &to->key, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE))
		return err_set(err, STATUS_USAGE, EINVAL, "%s: the key is not that of the certificate %s", key_path,
			       cert_path);
	if (tls_configure(&to->config, MBEDTLS_SSL_IS_SERVER) || mbedtls_ssl_conf_alpn_protocols(&to->config, protocols) ||
	    mbedtls_ssl_conf_own_cert(&to->config, &to->chain, &to->key))
		return err_set(err, STATUS_FAILED, ENOMEM, "%s: out of memory", cert_path);
	mbedtls_ssl_conf_authmode(&to->config, MBEDTLS_SSL_VERIFY_NONE);
	to->validity.not_before = tls_seconds(&to->chain.valid_from);
	to->validity.not_after = tls_seconds(&to->chain.valid_to);
	if (mbedtls_x509_serial_gets(to->validity.serial, sizeof(to->validity.serial), &to->chain.serial) < 0)
		to->validity.serial[0] = '\0';
	return 0;
}

struct tls_identity *tls_identity_load(const char *cert_path, const char *key_path, struct err *err)
{
	struct tls_identity *identity = xcalloc(1, sizeof(*identity));

	identity->holders = 1;
	mbedtls_ssl_config_init(&identity->config);
	mbedtls_x509_crt_init(&identity->chain);
	mbedtls_pk_init(&identity->key);
	if (!identity_fill(identity, cert_path, key_path, err))
		return identity;
	tls_identity_release(identity);
	return NULL;
}

struct tls_identity *tls_identity_hold(struct tls_identity *identity)
{
	identity->holders++;
	return identity;
}

void tls_identity_release(struct tls_identity *identity)
{
	if (!identity || --identity->holders)
		return;
	mbedtls_ssl_config_free(&identity->config);
	mbedtls_x509_crt_free(&identity->chain);
	mbedtls_pk_free(&identity->key);
	free(identity);
}

const struct tls_validity *tls_identity_validity(const struct tls_identity *identity)
{
	return &identity->validity;
}
