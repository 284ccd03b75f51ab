/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dumps of nf_tables, read by the native backend; then acknowledgements and errors of what it sends. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_backend(NFTABLES, data, size);
	return 0;
}
