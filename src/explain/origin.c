/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which option asks for a rule that lets a packet go, by what the rule tests. */
#include <string.h>

#include "explain.h"
#include "util.h"

#define KIND(kind) (1u << MATCH_##kind)
/* An owner that is not the one named. */
#define OTHERS (1u << 15)

static const struct {
	uint16_t hook; /* enum hook */
	uint16_t kinds;
	const char *origin;
} shapes[] = {
	{ HOOK_OUTPUT, KIND(MARK), "--bypass-mark" },
	{ HOOK_OUTPUT, KIND(DPORT) | KIND(UID), "--exclude-outbound-ports-for-uids" },
	{ HOOK_OUTPUT, KIND(DPORT), "--istio-local-outbound-ports-exclude" },
	{ HOOK_OUTPUT, KIND(OIF), "--istio-exclude-interfaces" },
	{ HOOK_OUTPUT, KIND(SRC) | KIND(OIF), "the proxy's inbound connection to the application" },
	{ HOOK_OUTPUT, KIND(OIF) | KIND(UID) | OTHERS, "--proxy-uid" },
	{ HOOK_OUTPUT, KIND(OIF) | KIND(DPORT) | KIND(UID) | OTHERS, "--proxy-uid" },
	{ HOOK_OUTPUT, KIND(OIF) | KIND(DPORT), "--proxy-uid" },
	{ HOOK_OUTPUT, KIND(OIF) | KIND(GID) | OTHERS, "--proxy-gid" },
	{ HOOK_OUTPUT, KIND(OIF) | KIND(DPORT) | KIND(GID) | OTHERS, "--proxy-gid" },
	{ HOOK_OUTPUT, KIND(UID), "--proxy-uid or --exclude-outbound-uids" },
	{ HOOK_OUTPUT, KIND(GID), "--proxy-gid or --exclude-outbound-gids" },
	{ HOOK_OUTPUT, KIND(GID) | OTHERS, "ISTIO_OUTBOUND_OWNER_GROUPS" },
	{ HOOK_OUTPUT, 0, "ISTIO_OUTBOUND_OWNER_GROUPS" },
	{ HOOK_OUTPUT, KIND(DST), "--istio-service-exclude-cidr" },
	{ HOOK_OUTPUT, KIND(NFPROTO), "--ipv6" },
	{ HOOK_PREROUTING, KIND(NFPROTO), "--ipv6" },
	{ HOOK_PREROUTING, KIND(IIF), "--istio-exclude-interfaces or --kube-virt-interfaces" },
	{ HOOK_PREROUTING, KIND(SRC), "--exclude-inbound-cidrs" },
	{ HOOK_PREROUTING, KIND(DPORT), "--istio-local-exclude-ports or --inbound-tunnel-port" },
	{ HOOK_PREROUTING, KIND(MARK), "--istio-inbound-tproxy-mark: already on its way to the proxy" },
	{ HOOK_PREROUTING, KIND(SRC) | KIND(IIF), "the proxy's inbound connection to the application" },
	{ HOOK_PREROUTING, KIND(IIF) | KIND(MARK), "the application's own connection over lo" },
};

const char *rule_guess_origin(const struct rule *rule, const char *chain, enum hook hook)
{
	bool builtin = !strcmp(chain, hook_name(hook));
	uint32_t kinds = 0;

	if (rule->target.kind != TARGET_RETURN)
		return NULL;
	for (unsigned i = 0; i < rule->n_matches; i++) {
		const struct match *m = &rule->matches[i];

		if (m->kind == MATCH_PROTO)
			continue;
		kinds |= 1u << m->kind;
		if ((m->kind == MATCH_UID || m->kind == MATCH_GID) && m->invert)
			kinds |= OTHERS;
		if (builtin)
			continue;
		if (m->kind == MATCH_DST && prefix_is_loopback(&m->prefixes[0]))
			return "loopback traffic is never captured";
		/* With sets nobody's name is in the rule that lets go what is left of lo. */
		if (rule->n_matches == 1 && m->kind == MATCH_OIF && !strcmp(m->ifaces[0].name, "lo"))
			return "--proxy-uid";
	}
	/* Others in the built-in chains are a user's own. */
	if (builtin && kinds != KIND(IIF) && kinds != KIND(OIF) && kinds != KIND(NFPROTO))
		return NULL;
	for (unsigned i = 0; i < ARRAY_SIZE(shapes); i++)
		if (shapes[i].hook == hook && shapes[i].kinds == kinds)
			return shapes[i].origin;
	return NULL;
}
