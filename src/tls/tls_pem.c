/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tls_pem.h"

#include "base64.h"

#define LINE 64

void tls_pem_put(struct buffer *pem, const char *label, const void *der, size_t len)
{
	struct buffer text = { 0 };

	base64_put(&text, der, len);
	buffer_printf(pem, "-----BEGIN %s-----\n", label);
	for (size_t at = 0; at < text.len; at += LINE)
		buffer_printf(pem, "%.*s\n", LINE, text.data + at);
	buffer_printf(pem, "-----END %s-----\n", label);
	buffer_free(&text);
}
