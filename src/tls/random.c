/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The only source of Mbed TLS's random bytes (MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG): the kernel's, which a copy of
 * the program or a restart cannot repeat.
 */
#include <errno.h>
#include <sys/random.h>

#include <psa/crypto.h>

psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *context, uint8_t *output,
					     size_t size, size_t *length)
{
	(void)context;
	for (*length = 0; *length < size;) {
		ssize_t n = getrandom(output + *length, size - *length, 0);

		if (n < 0 && errno != EINTR)
			return PSA_ERROR_INSUFFICIENT_ENTROPY;
		*length += n > 0 ? (size_t)n : 0;
	}
	return PSA_SUCCESS;
}
