/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guess.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "addr.h"
#include "item.h"
#include "nearest.h"
#include "options.h"

/*
 * Words that people know from elsewhere, each followed by what does it here: an option with dashes, or a
 * command.  One text: an array of pointers would be relocated at each start.
 */
static const char known_words[] =
	/* other programs' commands */
	"uninstall\0clean\0"
	"remove\0clean\0"
	"delete\0clean\0"
	"cleanup\0clean\0"
	"istio-clean-iptables\0clean\0"
	"status\0show\0"
	"list\0show\0"
	"get\0show\0"
	"validate\0--run-validation\0"
	"verify\0--run-validation\0"
	/* Istio's annotations, without what stands before the slash */
	"interceptionMode\0--istio-inbound-interception-mode\0"
	"includeInboundPorts\0--istio-inbound-ports\0"
	"excludeInboundPorts\0--istio-local-exclude-ports\0"
	"includeOutboundIPRanges\0--istio-service-cidr\0"
	"excludeOutboundIPRanges\0--istio-service-exclude-cidr\0"
	"includeOutboundPorts\0--istio-outbound-ports\0"
	"excludeOutboundPorts\0--istio-local-outbound-ports-exclude\0"
	"excludeInterfaces\0--istio-exclude-interfaces\0"
	"kubevirtInterfaces\0--kube-virt-interfaces\0"
	"reroute-virtual-interfaces\0--kube-virt-interfaces\0"
	/* linkerd's proxy-init */
	"incoming-proxy-port\0--inbound-capture-port\0"
	"outgoing-proxy-port\0--envoy-port\0"
	"ports-to-redirect\0--istio-inbound-ports\0"
	"inbound-ports-to-ignore\0--istio-local-exclude-ports\0"
	"outbound-ports-to-ignore\0--istio-local-outbound-ports-exclude\0"
	"subnets-to-ignore\0--istio-service-exclude-cidr\0"
	"skip-inbound-ports\0--istio-local-exclude-ports\0"
	"skip-outbound-ports\0--istio-local-outbound-ports-exclude\0"
	"skip-subnets\0--istio-service-exclude-cidr\0"
	"simulate\0--dry-run\0"
	"netns\0--network-namespace\0"
	"use-wait-flag\0--wait\0"
	"firewall-bin-path\0--backend\0"
	"firewall-save-bin-path\0--backend\0"
	"iptables-mode\0--backend\0"
	"log-level\0--log_output_level\0"
	"log-format\0--log_as_json\0"
	/* kumactl install transparent-proxy */
	"redirect-outbound-port\0--envoy-port\0"
	"redirect-inbound-port\0--inbound-capture-port\0"
	"redirect-inbound\0--istio-inbound-ports\0"
	"exclude-inbound-ports\0--istio-local-exclude-ports\0"
	"exclude-inbound-ips\0--exclude-inbound-cidrs\0"
	"exclude-outbound-ports\0--istio-local-outbound-ports-exclude\0"
	"exclude-outbound-ips\0--istio-service-exclude-cidr\0"
	"exclude-outbound-tcp-ports-for-uids\0--exclude-outbound-ports-for-uids\0"
	"exclude-outbound-udp-ports-for-uids\0--exclude-outbound-ports-for-uids\0"
	"kuma-dp-user\0--proxy-uid\0"
	"kuma-dp-uid\0--proxy-uid\0"
	"redirect-all-dns-traffic\0--capture-all-dns\0"
	"redirect-dns-port\0--dns-port\0"
	"agent-dns-listener-port\0--dns-port\0"
	"skip-dns-conntrack-zone-split\0--dns-zones\0"
	"ip-family-mode\0--ipv6\0"
	"iptables-executables\0--backend\0"
	"drop-invalid-packets\0--drop-invalid\0"
	"vnet\0--kube-virt-interfaces\0"
	"verbose\0--log_output_level\0";

static void put_option(const char *what, const struct option *option, char text[GUESS_MAX])
{
	char names[OPTION_NAMES_MAX];

	snprintf(text, GUESS_MAX, "; %s %s", what, option_names(option, names));
}

static void put_name(const char *what, const char *name, char text[GUESS_MAX])
{
	snprintf(text, GUESS_MAX, "; %s \"%s\"", what, name);
}

/* What does here what @name does elsewhere: a command, or an option with dashes; NULL if it is none of those words. */
static const char *find_here(const char *name)
{
	for (const char *known = known_words, *here; *known; known = here + strlen(here) + 1) {
		here = known + strlen(known) + 1;
		if (!strcmp(name, known))
			return here;
	}
	return NULL;
}

/* Words of elsewhere, and names of ours in the wrong place; whether @word, up to a '=', is one. */
static bool find_known(const char *word, char text[GUESS_MAX])
{
	const char *slash = memrchr(word, '/', strcspn(word, "=")), *here;
	char name[64] = "";
	size_t n;

	word = slash ? slash + 1 : word;
	n = strcspn(word, "=");
	if (!n || n >= sizeof(name))
		return false;
	memcpy(name, word, n);
	here = find_here(name);
	if (here && *here == '-')
		put_option("here it is", option_find(here + 2, strlen(here + 2)), text);
	else if (here)
		put_name("here it is", here, text);
	else if (command_find(name) < COMMANDS)
		put_name("there is the command", name, text);
	else if (option_find(name, n))
		put_option("there is", option_find(name, n), text);
	return *text;
}

const char *guess_option(const char *word, char text[GUESS_MAX])
{
	struct nearest nearest = { .word = word };

	*text = '\0';
	if (find_known(word, text))
		return text;
	for (const struct option *o = options; o < options + OPTIONS; o++)
		if (o->name)
			nearest_try(&nearest, o->name);
	if (nearest.name)
		put_option("the nearest is", option_find(nearest.name, strlen(nearest.name)), text);
	return text;
}

const char *guess_command(const char *word, char text[GUESS_MAX])
{
	struct nearest nearest = { .word = word };

	*text = '\0';
	if (find_known(word, text))
		return text;
	for (enum command c = 0; c < COMMANDS; c++)
		nearest_try(&nearest, command_name(c));
	if (nearest.name)
		put_name("the nearest is", nearest.name, text);
	return text;
}

/* Our own variables and those of istio-iptables are compared without the prefix, which is easily forgotten or put. */
static const char *without_prefix(const char *variable)
{
	size_t n = strlen(VARIABLE_PREFIX);

	return strncmp(variable, VARIABLE_PREFIX, n) ? variable : variable + n;
}

const char *guess_variable(const char *name, char text[GUESS_MAX])
{
	struct nearest nearest = { .word = without_prefix(name) };

	*text = '\0';
	for (const struct option *o = options; o < options + OPTIONS; o++) {
		const char *before = nearest.name;

		if (!o->variable)
			continue;
		nearest_try(&nearest, without_prefix(o->variable));
		if (nearest.name != before)
			snprintf(text, GUESS_MAX, "; the nearest is %s", o->variable);
	}
	return text;
}

bool guess_is_command(const char *word)
{
	const char *here = find_here(word);

	return command_find(word) < COMMANDS || (here && *here != '-');
}

/* The dashes that word processors and web pages make of a '-': U+2010 to U+2015, and the minus sign, U+2212. */
static bool has_wrong_dash(const char *word)
{
	const unsigned char *s = (const unsigned char *)word;

	return s[0] == 0xe2 && ((s[1] == 0x80 && s[2] >= 0x90 && s[2] <= 0x95) || (s[1] == 0x88 && s[2] == 0x92));
}

static bool is_list_item(const char *word)
{
	struct prefix prefix;
	struct range port;
	size_t n = strlen(word);

	return !port_parse(word, &port) || !prefix_parse(word, &prefix, NULL) ||
	       (n && (*word == ',' || word[n - 1] == ','));
}

const char *guess_cause(const char *word)
{
	if (has_wrong_dash(word))
		return "its dash is not the one of the keyboard, '-', as happens to text that was pasted";
	if (choice_find(BOOLEANS, word, true) >= 0)
		return "a boolean takes its value behind a '=': --name=false";
	if (is_list_item(word))
		return "the items of a list are parted by commas, without blanks: 80,443";
	if (access(word, F_OK) == 0)
		return "it is a file: a shell puts files in the place of * unless it is quoted: '*'";
	return NULL;
}
