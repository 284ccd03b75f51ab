/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ISTIO_INIT_SETTINGS_H
#define ISTIO_INIT_SETTINGS_H

#include "config.h"

/* The configuration, and options that only decide what is in it. */
struct settings {
	struct config cfg;
	const char *envoy_user, *ignored;
	bool sidecar, native_nftables, help, version, ignored_flag;
	unsigned force_binary; /* word of --force-iptables-binary, counted from 1; 0: none */
};

#endif
