/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the rules need beside rules: lo up, ::6 on lo, TPROXY's ip rule and route.  Plain data that
 * src/kernel/route reads and writes, and the judgement of it (pure).
 */
#ifndef ISTIO_INIT_ROUTES_H
#define ISTIO_INIT_ROUTES_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"

#define ROUTE_NODAD 2u /* IFA_F_NODAD of linux/if_addr.h: Envoy binds the address at once */

enum route_kind { ROUTE_LO_UP, ROUTE_ADDRESS, ROUTE_RULE, ROUTE_ROUTE };

/* One thing that is there, or is to be there. */
struct route_object {
	uint8_t kind;     /* enum route_kind */
	uint8_t family;   /* enum family */
	uint8_t protocol; /* of RULE and ROUTE: RTPROT_... of linux/rtnetlink.h */
	uint8_t scope;    /* of ROUTE: RT_SCOPE_... */
	bool plain;       /* RULE: "fwmark mark lookup table" with all bits of the mark, and nothing else is tested */
	bool ambient;     /* RULE: likewise with ambient mode's bits, mark and table; ROUTE: in that table */
	struct prefix address; /* ADDRESS: on lo */
	uint32_t flags;        /* ADDRESS: IFA_F_... of linux/if_addr.h */
	uint32_t mark, mask;   /* RULE */
	uint32_t priority;     /* RULE; ROUTE: its metric */
	uint32_t table;        /* RULE; ROUTE: a "local default dev lo" in it, and nothing else said */
};

/* What is live.  ip rules that lead to tables of users' own, and such routes; addresses only as far as they matter. */
struct routes {
	bool lo_up, lo_has_ipv4;
	bool has_ipv6;   /* the kernel has IPv6, and lo is not shut off by sysctl */
	unsigned global; /* mask of families with an address that is neither loopback nor link-local, nor ::6 on lo */
	struct route_object *inbound6; /* ::6 on lo, or NULL */
	struct route_object *objects;  /* RULE and ROUTE */
	unsigned n;
};

struct routes_want {
	bool nothing;          /* a clean */
	bool ambient;          /* what ambient mode wrote goes, too */
	bool inbound6;         /* ::6/128 on lo */
	unsigned tproxy;       /* mask of families with ip rule and route */
	uint32_t mark, table;  /* of the options */
	const uint32_t *marks; /* of TPROXY installs, live or wanted, @n_marks of them: ip rules for these are Istio's */
	unsigned n_marks;
};

/*
 * Calls @add for each object that is missing, in the order in which they are to be added, and @remove for each that is
 * there and stale: Istio's, and not wanted.
 */
typedef void (*routes_visit)(const struct route_object *object, void *data);
void routes_compare(const struct routes *live, const struct routes_want *want, routes_visit add, routes_visit remove,
		    void *data);

/* A new network namespace's, with lo up. */
extern const struct routes routes_of_nothing;

/* Calls @visit for the same objects as routes_compare does, but for lo: IPv4's first; ip rules, routes, address. */
void routes_list(const struct routes *live, const struct routes_want *want, unsigned families, routes_visit visit,
		 void *data);

/* As ip(8) has it: "ip rule add fwmark 1337 lookup 133 priority 32765", without "add" or "del". */
#define ROUTE_TEXT_MAX 128
const char *route_text(const struct route_object *object, const char *verb, char text[ROUTE_TEXT_MAX]);

#endif
