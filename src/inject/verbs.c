/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands: what main runs, and what the usage, the help and the nearest word are made from. */
#include "inject.h"

const struct inject_verb inject_verbs[INJECT_VERBS] = {
	{ "inject", "inject", "(or no command) documents in, the same documents with the pods injected out",
	  verb_inject,
	  { "istio-inject -c config.yaml -f app.yaml | kubectl apply -f -",
	    "istio-inject inject -c config.yaml -f app.yaml -o diff" } },
	{ "check", "check", "say which pods would be injected, why, with which options and rules", verb_check,
	  { "istio-inject check -c config.yaml -f app.yaml --show-rules",
	    "istio-inject check -c config.yaml -f app.yaml --namespace-labels istio-injection=enabled -o json" } },
	{ "help", "help [COMMAND]", "print this, or what the command does", verb_help, { NULL } },
	{ "version", "version", "print the version", verb_version, { NULL } },
};
