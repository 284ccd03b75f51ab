/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tests of a saved rule: their options and values. */
#include <arpa/inet.h>
#include <string.h>

#include "proto.h"
#include "saved.h"
#include "util.h"

static const struct {
	const char *name;
	enum saved_module module;
} modules[] = {
	{ "tcp", MODULE_PORTS },   { "udp", MODULE_PORTS },           { "multiport", MODULE_MULTIPORT },
	{ "owner", MODULE_OWNER }, { "conntrack", MODULE_CONNTRACK }, { "state", MODULE_CONNTRACK },
	{ "mark", MODULE_MARK },   { "connmark", MODULE_CONNMARK },   { "comment", MODULE_COMMENT },
};

void saved_note_unread(struct draft *draft, const char *name)
{
	draft->rule.unknown |= UNKNOWN_TEST;
	rule_note_unread(draft->rs, &draft->rule, name);
}

/* A mask is a length, or as an address: "255.255.0.0"; false: one with holes, which the model does not have. */
static bool read_mask(struct prefix *prefix, const uint8_t mask[16], unsigned len)
{
	while (prefix->len < 8 * len && mask[prefix->len / 8] & 0x80 >> prefix->len % 8)
		prefix->len++;
	for (unsigned i = prefix->len; i < 8 * len; i++)
		if (mask[i / 8] & 0x80 >> i % 8)
			return false;
	return true;
}

static void mask_host_bits(struct prefix *prefix)
{
	for (unsigned i = prefix->len; i < 8 * sizeof(prefix->addr); i++)
		prefix->addr[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
}

static const char *read_prefix(struct draft *draft, char *text, struct prefix *prefix, bool *known)
{
	enum family family = draft->rule.families & FAMILY_BIT(IPV6) ? IPV6 : IPV4;
	const char *expected = family == IPV4 ? "an IPv4 address, or address/length, in a part of IPv4" :
						"an IPv6 address, or address/length, in a part of IPv6";
	unsigned len = family_addr_len(family);
	char *slash = strchr(text, '/');
	uint8_t mask[16] = {};
	uint32_t bits;

	if (slash)
		*slash = '\0';
	*prefix = (struct prefix){ .family = (uint8_t)family };
	if (inet_pton(family_af(family), text, prefix->addr) != 1)
		return expected;
	*known = true;
	if (!slash)
		prefix->len = (uint8_t)(8 * len);
	else if (number_parse(slash + 1, 8 * len, &bits))
		prefix->len = (uint8_t)bits;
	else if (inet_pton(family_af(family), slash + 1, mask) == 1)
		*known = read_mask(prefix, mask, len);
	else
		return family == IPV4 ? "a prefix length 0-32" : "a prefix length 0-128";
	mask_host_bits(prefix);
	return NULL;
}

/* Several are several rules for iptables; here they are one that any of them fits. */
static const char *read_prefixes(struct draft *draft, enum match_kind kind, char *value, bool invert)
{
	auto_free struct prefix *items = NULL;
	const char *expected = NULL;
	bool all_known = true, any = false;
	unsigned n = 0;

	for (char *item; !expected && (item = strsep(&value, ","));) {
		struct prefix *prefix = array_push(&items, &n, sizeof(*prefix));
		bool known = true;

		expected = read_prefix(draft, item, prefix, &known);
		all_known &= known;
		any |= !prefix->len;
	}
	if (expected)
		return expected;
	if (!all_known)
		draft->rule.unknown |= UNKNOWN_TEST;
	else if (!any || invert)
		draft_add_list(draft, kind, invert, items, n);
	return NULL;
}

static const char *read_iface(struct draft *draft, enum match_kind kind, char *value, bool invert)
{
	struct iface iface = {};

	if (!*value || strlen(value) >= sizeof(iface.name))
		return "an interface name of 1-15 bytes";
	memcpy(iface.name, value, strlen(value));
	if (strcmp(value, "+") != 0)
		draft_add(draft, kind, invert, &iface);
	else if (invert)
		draft->rule.unknown |= UNKNOWN_TEST;
	return NULL;
}

/* Of a name that we do not know nobody can tell the number. */
static const char *read_proto(struct draft *draft, enum match_kind kind, char *value, bool invert)
{
	uint32_t proto = 0;
	uint8_t number;

	if (number_parse(value, UINT8_MAX, &proto) || !strcmp(value, "all"))
		;
	else if (proto_find(value, &number))
		proto = number;
	else if (strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789-.+") == strlen(value) && *value > '9')
		saved_note_unread(draft, value);
	else
		return "a protocol's name, or a number 0-255";
	if (proto)
		draft_add(draft, kind, invert, &proto);
	else if (invert)
		draft->rule.unknown |= UNKNOWN_TEST;
	return NULL;
}

/* "a", or "a@sepb" */
static bool read_range(char *text, char sep, uint32_t max, struct range *range)
{
	char *end = strchr(text, sep);

	if (end)
		*end++ = '\0';
	if (!number_parse(text, max, &range->lo))
		return false;
	range->hi = range->lo;
	return !end || (number_parse(end, max, &range->hi) && range->lo <= range->hi);
}

static const char *read_port(struct draft *draft, enum match_kind kind, char *value, bool invert)
{
	struct range range = { 0, UINT16_MAX };

	if (!read_range(value, ':', UINT16_MAX, &range))
		return "a port 0-65535, or a range a:b";
	if (range.lo || range.hi != UINT16_MAX || invert)
		draft_add(draft, kind, invert, &range);
	else
		saved_note_unread(draft, "tcp");
	return NULL;
}

static const char *read_ports(struct draft *draft, enum match_kind kind, char *value, bool invert)
{
	auto_free struct range *items = NULL;
	unsigned n = 0;

	for (char *item; (item = strsep(&value, ","));)
		if (!read_range(item, ':', UINT16_MAX, array_push(&items, &n, sizeof(*items))))
			return "ports 0-65535 or ranges a:b, parted by commas";
	draft_add_list(draft, kind, invert, items, n);
	if (n == 1) /* of one our text makes --dport */
		saved_note_unread(draft, "multiport");
	return NULL;
}

static const char *read_owner(struct draft *draft, enum match_kind kind, char *value, bool invert)
{
	struct range range;

	if (!read_range(value, '-', UINT32_MAX, &range))
		return "a number 0-4294967295, or a range a-b, as iptables-save prints owners";
	draft_add(draft, kind, invert, &range);
	return NULL;
}

static const char *read_states(struct draft *draft, enum match_kind kind, char *value, bool invert)
{
	static const struct {
		const char *name;
		uint32_t bit; /* 0: not in the model */
	} names[] = {
		{ "INVALID", CTSTATE_INVALID },
		{ "NEW", CTSTATE_NEW },
		{ "ESTABLISHED", CTSTATE_ESTABLISHED },
		{ "RELATED", CTSTATE_RELATED },
		{ "UNTRACKED", 0 },
		{ "SNAT", 0 },
		{ "DNAT", 0 },
	};
	uint32_t states = 0;
	bool known = true;

	for (char *item; (item = strsep(&value, ","));) {
		unsigned i = 0;

		while (i < ARRAY_SIZE(names) && strcmp(names[i].name, item) != 0)
			i++;
		if (i == ARRAY_SIZE(names))
			return "states of a connection: INVALID, NEW, RELATED, ESTABLISHED, UNTRACKED, SNAT, DNAT";
		known &= names[i].bit != 0;
		states |= names[i].bit;
	}
	if (known)
		draft_add(draft, kind, invert, &states);
	else
		saved_note_unread(draft, "conntrack");
	return NULL;
}

static const char *read_mark_match(struct draft *draft, enum match_kind kind, char *value, bool invert)
{
	struct mark mark;

	if (!saved_mark_read(value, &mark))
		return "a mark, or mark/mask, decimal or 0x...";
	draft_add(draft, kind, invert, &mark);
	return NULL;
}

/* "FIN,SYN", ALL or NONE */
static bool read_flag_names(char *text, uint32_t *flags)
{
	*flags = 0;
	if (!strcmp(text, "NONE"))
		return true;
	if (!strcmp(text, "ALL")) {
		*flags = TCP_FLAGS_ALL;
		return true;
	}
	for (char *item; (item = strsep(&text, ","));) {
		unsigned i = 0;

		while (i < TCP_FLAG_NAMES && strcasecmp(tcp_flag_names[i], item) != 0)
			i++;
		if (i == TCP_FLAG_NAMES)
			return false;
		*flags |= 1u << i;
	}
	return true;
}

/* Those that are looked at, and those of them that are set. */
static const char *read_tcp_flags(struct draft *draft, enum match_kind kind, char *value, bool invert)
{
	char *mask = strsep(&value, " ");
	struct mark flags;

	if (!value || !read_flag_names(mask, &flags.mask) || !read_flag_names(value, &flags.value))
		return "two lists of FIN, SYN, RST, PSH, ACK and URG, or ALL or NONE";
	if (flags.mask || flags.value || invert)
		draft_add(draft, kind, invert, &flags);
	else
		saved_note_unread(draft, "tcp");
	return NULL;
}

static const char *read_comment(struct draft *draft, enum match_kind kind, char *value, bool invert)
{
	struct rule *rule = &draft->rule;

	(void)kind;
	(void)invert;
	if (rule->comment)
		saved_note_unread(draft, "comment");
	else
		rule->comment = ruleset_strdup(draft->rs, value);
	return NULL;
}

static const struct saved_match_option options[] = {
	{ MODULE_GENERIC, "-s", MATCH_SRC, true, read_prefixes, false, NULL },
	{ MODULE_GENERIC, "--source", MATCH_SRC, true, read_prefixes, false, NULL },
	{ MODULE_GENERIC, "--src", MATCH_SRC, true, read_prefixes, false, NULL },
	{ MODULE_GENERIC, "-d", MATCH_DST, true, read_prefixes, false, NULL },
	{ MODULE_GENERIC, "--destination", MATCH_DST, true, read_prefixes, false, NULL },
	{ MODULE_GENERIC, "--dst", MATCH_DST, true, read_prefixes, false, NULL },
	{ MODULE_GENERIC, "-i", MATCH_IIF, true, read_iface, false, NULL },
	{ MODULE_GENERIC, "--in-interface", MATCH_IIF, true, read_iface, false, NULL },
	{ MODULE_GENERIC, "-o", MATCH_OIF, true, read_iface, false, NULL },
	{ MODULE_GENERIC, "--out-interface", MATCH_OIF, true, read_iface, false, NULL },
	{ MODULE_GENERIC, "-p", MATCH_PROTO, true, read_proto, false, NULL },
	{ MODULE_GENERIC, "--protocol", MATCH_PROTO, true, read_proto, false, NULL },
	{ MODULE_GENERIC, "--proto", MATCH_PROTO, true, read_proto, false, NULL },
	{ MODULE_PORTS, "--sport", MATCH_SPORT, true, read_port, false, NULL },
	{ MODULE_PORTS, "--source-port", MATCH_SPORT, true, read_port, false, NULL },
	{ MODULE_PORTS, "--dport", MATCH_DPORT, true, read_port, false, NULL },
	{ MODULE_PORTS, "--destination-port", MATCH_DPORT, true, read_port, false, NULL },
	{ MODULE_PORTS, "--tcp-flags", MATCH_TCP_FLAGS, true, read_tcp_flags, true, NULL },
	{ MODULE_PORTS, "--syn", MATCH_TCP_FLAGS, true, read_tcp_flags, false, "FIN,SYN,RST,ACK SYN" },
	{ MODULE_MULTIPORT, "--sports", MATCH_SPORT, true, read_ports, false, NULL },
	{ MODULE_MULTIPORT, "--source-ports", MATCH_SPORT, true, read_ports, false, NULL },
	{ MODULE_MULTIPORT, "--dports", MATCH_DPORT, true, read_ports, false, NULL },
	{ MODULE_MULTIPORT, "--destination-ports", MATCH_DPORT, true, read_ports, false, NULL },
	{ MODULE_OWNER, "--uid-owner", MATCH_UID, true, read_owner, false, NULL },
	{ MODULE_OWNER, "--gid-owner", MATCH_GID, true, read_owner, false, NULL },
	{ MODULE_CONNTRACK, "--ctstate", MATCH_CTSTATE, true, read_states, false, NULL },
	{ MODULE_CONNTRACK, "--state", MATCH_CTSTATE, true, read_states, false, NULL },
	{ MODULE_MARK, "--mark", MATCH_MARK, true, read_mark_match, false, NULL },
	{ MODULE_CONNMARK, "--mark", MATCH_CONNMARK, true, read_mark_match, false, NULL },
	{ MODULE_COMMENT, "--comment", MATCH_CONNMARK, false, read_comment, false, NULL },
};

/* What the model cannot express of matches that it knows. */
static const struct {
	enum saved_module module;
	const char *name;
} beyond[] = {
	{ MODULE_PORTS, "--tcp-option" },        { MODULE_MULTIPORT, "--ports" },
	{ MODULE_MULTIPORT, "--port" },          { MODULE_OWNER, "--socket-exists" },
	{ MODULE_OWNER, "--suppl-groups" },      { MODULE_CONNTRACK, "--ctproto" },
	{ MODULE_CONNTRACK, "--ctorigsrc" },     { MODULE_CONNTRACK, "--ctorigdst" },
	{ MODULE_CONNTRACK, "--ctreplsrc" },     { MODULE_CONNTRACK, "--ctrepldst" },
	{ MODULE_CONNTRACK, "--ctorigsrcport" }, { MODULE_CONNTRACK, "--ctorigdstport" },
	{ MODULE_CONNTRACK, "--ctreplsrcport" }, { MODULE_CONNTRACK, "--ctrepldstport" },
	{ MODULE_CONNTRACK, "--ctstatus" },      { MODULE_CONNTRACK, "--ctexpire" },
	{ MODULE_CONNTRACK, "--ctdir" },
};

enum saved_module saved_module_find(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(modules); i++)
		if (!strcmp(modules[i].name, name))
			return modules[i].module;
	return MODULE_UNREAD;
}

const struct saved_match_option *saved_match_find(unsigned loaded, enum saved_module last, const char *name)
{
	const struct saved_match_option *found = NULL;

	for (unsigned i = 0; i < ARRAY_SIZE(options); i++)
		if (loaded & 1u << options[i].module && !strcmp(options[i].name, name) &&
		    (!found || options[i].module == last))
			found = &options[i];
	return found;
}

bool saved_match_is_beyond(unsigned loaded, const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(beyond); i++)
		if (loaded & 1u << beyond[i].module && !strcmp(beyond[i].name, name))
			return true;
	return false;
}
