/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One saved rule: what it does. */
#include <arpa/inet.h>
#include <string.h>

#include "saved.h"
#include "util.h"

static const struct {
	const char *name;
	enum target_kind kind;
} targets[] = {
	{ "RETURN", TARGET_RETURN },     { "ACCEPT", TARGET_ACCEPT }, { "DROP", TARGET_DROP },
	{ "REDIRECT", TARGET_REDIRECT }, { "DNAT", TARGET_DNAT },     { "SNAT", TARGET_SNAT },
	{ "TPROXY", TARGET_TPROXY },     { "MARK", TARGET_MARK },     { "CONNMARK", TARGET_NONE },
	{ "CT", TARGET_CT_ZONE },
};

bool saved_mark_read(const char *word, struct mark *mark)
{
	const char *slash = strchr(word, '/');
	char value[16] = "";

	mark->mask = UINT32_MAX;
	if (!slash)
		return !mark_parse(word, &mark->value);
	if ((size_t)(slash - word) >= sizeof(value))
		return false;
	memcpy(value, word, (size_t)(slash - word));
	return !mark_parse(value, &mark->value) && !mark_parse(slash + 1, &mark->mask);
}

bool saved_target_name(struct draft *draft, const struct rule_place *place, const char *name, bool is_goto)
{
	struct target *target = &draft->rule.target;
	const struct chain *chain = ruleset_find(place->rules, place->table, name);

	/* Of a part of a text the chain's own line may be missing. */
	if (is_goto || chain_is_istio(name) || (chain && chain_has_family(chain, place->family))) {
		target->kind = is_goto ? TARGET_GOTO : TARGET_JUMP;
		target->chain = ruleset_strdup(draft->rs, name);
		return true;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(targets); i++)
		if (!strcmp(targets[i].name, name)) {
			target->kind = (uint8_t)targets[i].kind;
			return true;
		}
	draft_set_unread_target(draft, name);
	return false;
}

/* "PORT" alone; a range of ports is none. */
static bool read_port(const char *text, uint16_t *port)
{
	uint32_t value;

	if (!number_parse(text, UINT16_MAX, &value))
		return false;
	*port = (uint16_t)value;
	return true;
}

/* A word of what the model cannot express: several ports or addresses. */
static bool is_range(const char *value)
{
	return strchr(value, '-') && strspn(value, "0123456789abcdefABCDEF.:-[]/") == strlen(value);
}

/* The readers of values: false if the word is none; what is beyond the model leaves the target unread. */
typedef bool option_reader(struct draft *draft, const char *value, bool *known);

static bool read_redirect(struct draft *draft, const char *value, bool *known)
{
	*known = read_port(value, &draft->rule.target.port);
	return *known || is_range(value);
}

/* "[ADDRESS][:PORT]", an IPv6 address before a port in brackets. */
static bool read_translation(struct draft *draft, const char *value, bool *known)
{
	enum family family = draft->rule.families & FAMILY_BIT(IPV6) ? IPV6 : IPV4;
	struct target *target = &draft->rule.target;
	char text[ADDR_TEXT_MAX] = "";
	const char *from = value, *end = value + strlen(value), *colon = family == IPV4 ? strchr(value, ':') : NULL;
	uint8_t *addr;

	if (*from == '[') {
		end = strchr(++from, ']');
		if (!end || (end[1] && end[1] != ':'))
			return false;
		colon = end[1] ? end + 1 : NULL;
	} else if (*from == ':' && from[1] != ':') {
		colon = end = from;
	} else if (colon) {
		end = colon;
	}
	if (is_range(value)) {
		*known = false;
		return true;
	}
	if ((size_t)(end - from) >= sizeof(text) || (colon && !read_port(colon + 1, &target->port)))
		return false;
	memcpy(text, from, (size_t)(end - from));
	if (!*text)
		return target->port;
	addr = ruleset_alloc(draft->rs, family_addr_len(family));
	target->addr = addr;
	return inet_pton(family_af(family), text, addr) == 1;
}

static bool read_on_port(struct draft *draft, const char *value, bool *known)
{
	(void)known;
	return read_port(value, &draft->rule.target.port);
}

/* Only the address of the interface that the packet came in by. */
static bool read_on_ip(struct draft *draft, const char *value, bool *known)
{
	enum family family = draft->rule.families & FAMILY_BIT(IPV6) ? IPV6 : IPV4;
	static const uint8_t any[16];
	uint8_t addr[16] = {};

	if (inet_pton(family_af(family), value, addr) != 1)
		return false;
	*known = !memcmp(addr, any, sizeof(any));
	return true;
}

static bool read_mark(struct draft *draft, const char *value, bool *known)
{
	(void)known;
	return saved_mark_read(value, &draft->rule.target.mark);
}

/* --set-mark clears what is in the mask, or is set; --set-xmark, what is in the mask (iptables-extensions(8)). */
static bool read_set_mark(struct draft *draft, const char *value, bool *known)
{
	struct mark *mark = &draft->rule.target.mark;

	(void)known;
	if (!saved_mark_read(value, mark))
		return false;
	mark->mask |= mark->value;
	return true;
}

static bool read_and_mark(struct draft *draft, const char *value, bool *known)
{
	struct mark *mark = &draft->rule.target.mark;

	(void)known;
	if (mark_parse(value, &mark->mask))
		return false;
	*mark = (struct mark){ 0, ~mark->mask };
	return true;
}

static bool read_or_mark(struct draft *draft, const char *value, bool *known)
{
	struct mark *mark = &draft->rule.target.mark;

	(void)known;
	if (mark_parse(value, &mark->value))
		return false;
	mark->mask = mark->value;
	return true;
}

static bool read_xor_mark(struct draft *draft, const char *value, bool *known)
{
	struct mark *mark = &draft->rule.target.mark;

	(void)known;
	*mark = (struct mark){};
	return !mark_parse(value, &mark->value);
}

static bool read_save(struct draft *draft, const char *value, bool *known)
{
	(void)value;
	(void)known;
	draft->rule.target.kind = TARGET_CONNMARK_SAVE;
	return true;
}

static bool read_restore(struct draft *draft, const char *value, bool *known)
{
	(void)value;
	(void)known;
	draft->rule.target.kind = TARGET_CONNMARK_RESTORE;
	return true;
}

static bool read_whole_mask(struct draft *draft, const char *value, bool *known)
{
	uint32_t mask;

	(void)draft;
	if (mark_parse(value, &mask))
		return false;
	*known = mask == UINT32_MAX;
	return true;
}

static bool read_zone(struct draft *draft, const char *value, bool *known)
{
	(void)known;
	return read_port(value, &draft->rule.target.zone);
}

static const char a_port[] = "a port 0-65535, or a range a-b", an_address[] = "[address][:port] of the part's family",
		  a_mark[] = "a mark, or mark/mask, decimal or 0x...", a_value[] = "a number, decimal or 0x...";

/* @read: NULL: beyond the model. */
static const struct {
	const char *target, *name, *expected; /* @expected: NULL: it has no value */
	option_reader *read;
} options[] = {
	{ "REDIRECT", "--to-ports", a_port, read_redirect },
	{ "REDIRECT", "--to-port", a_port, read_redirect },
	{ "REDIRECT", "--random", NULL, NULL },
	{ "DNAT", "--to-destination", an_address, read_translation },
	{ "DNAT", "--random", NULL, NULL },
	{ "DNAT", "--persistent", NULL, NULL },
	{ "SNAT", "--to-source", an_address, read_translation },
	{ "SNAT", "--random", NULL, NULL },
	{ "SNAT", "--random-fully", NULL, NULL },
	{ "SNAT", "--persistent", NULL, NULL },
	{ "TPROXY", "--on-port", "a port 0-65535", read_on_port },
	{ "TPROXY", "--on-ip", "an address of the part's family", read_on_ip },
	{ "TPROXY", "--tproxy-mark", a_mark, read_mark },
	{ "MARK", "--set-xmark", a_mark, read_mark },
	{ "MARK", "--set-mark", a_mark, read_set_mark },
	{ "MARK", "--and-mark", a_value, read_and_mark },
	{ "MARK", "--or-mark", a_value, read_or_mark },
	{ "MARK", "--xor-mark", a_value, read_xor_mark },
	{ "CONNMARK", "--save-mark", NULL, read_save },
	{ "CONNMARK", "--restore-mark", NULL, read_restore },
	{ "CONNMARK", "--nfmask", a_value, read_whole_mask },
	{ "CONNMARK", "--ctmask", a_value, read_whole_mask },
	{ "CONNMARK", "--mask", a_value, read_whole_mask },
	{ "CONNMARK", "--set-xmark", a_mark, NULL },
	{ "CONNMARK", "--set-mark", a_mark, NULL },
	{ "CONNMARK", "--and-mark", a_value, NULL },
	{ "CONNMARK", "--or-mark", a_value, NULL },
	{ "CONNMARK", "--xor-mark", a_value, NULL },
	{ "CT", "--zone", "a zone 0-65535", read_zone },
	{ "CT", "--zone-orig", "a zone", NULL },
	{ "CT", "--zone-reply", "a zone", NULL },
	{ "CT", "--notrack", NULL, NULL },
	{ "CT", "--helper", "a name", NULL },
	{ "CT", "--ctevents", "events", NULL },
	{ "CT", "--expevents", "events", NULL },
	{ "CT", "--timeout", "a name", NULL },
};

enum saved_option saved_target_option(struct draft *draft, const char *name, const char *option, const char *value,
				      const char **expected)
{
	for (unsigned i = 0; i < ARRAY_SIZE(options); i++) {
		bool known = true;

		if (strcmp(options[i].target, name) != 0 || strcmp(options[i].name, option) != 0)
			continue;
		*expected = options[i].expected;
		if (*expected && !value)
			return SAVED_WRONG;
		if (!options[i].read)
			known = false;
		else if (!options[i].read(draft, value, &known))
			return SAVED_WRONG;
		/* What is read later of it changes nothing any more: it stays unread. */
		if (!known)
			draft->rule.unknown |= UNKNOWN_ACTION;
		return *expected ? SAVED_TAKEN_VALUE : SAVED_TAKEN;
	}
	return SAVED_FOREIGN;
}

/* Whether the target says all that it has to say. */
static bool is_whole(const struct target *target, const char *name)
{
	switch ((enum target_kind)target->kind) {
	case TARGET_REDIRECT:
		return target->port;
	case TARGET_DNAT:
	case TARGET_SNAT:
		return target->addr || target->port;
	case TARGET_NONE:
		return strcmp(name, "CONNMARK") != 0;
	default:
		return true;
	}
}

void saved_target_end(struct draft *draft, const char *name)
{
	if (draft->rule.unknown & UNKNOWN_ACTION || !is_whole(&draft->rule.target, name))
		if (draft->rule.target.kind != TARGET_UNKNOWN)
			draft_set_unread_target(draft, name);
}
