/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What istio-inject is configured to do: the configuration file, loaded and checked. */
#ifndef ISTIO_INIT_INJECT_CONFIG_H
#define ISTIO_INIT_INJECT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>

#include "err.h"
#include "util.h"

/* Which container makes or proves the rules. */
enum init_kind { INIT_CONTAINER, INIT_CNI, INIT_NONE };
#define INIT_KINDS "container|cni|none"

enum pod_order { ORDER_AUTO, ORDER_FIRST, ORDER_LAST, ORDER_AFTER };

/* The values of istio-init's options, by src/pod/annotations.def. */
struct capture_values;

/*
 * All strings and json_t are borrowed: they live as long as the configuration.
 * The json_t are never changed; a request only reads them.
 */
struct inject_config {
	bool disabled;                        /* policy: disabled */
	json_t *ignored_namespaces;           /* list of names */
	json_t *never_inject, *always_inject; /* lists of label selectors */
	const char *revision, *proxy;
	enum init_kind init;
	bool validation, native, hold, rewrite_probes, merge_prometheus;
	enum pod_order order;
	const char *order_name; /* ORDER_AFTER: behind this container */
	unsigned status_port;   /* 0: none */
	const char *proxy_ports;
	struct capture_values *capture;
	json_t *init_container;           /* partial Container, or NULL */
	json_t *resources, *proxy_config; /* objects */
	json_t *overlays;                 /* name -> overlay, in file order */
	json_t *default_overlays;         /* list of names */
	json_t *aliases;                  /* name -> list of names */
};

/* Fills all of @cfg with the defaults of a configuration that says nothing; what that takes comes from @arena. */
void inject_config_init(struct inject_config *cfg, struct arena *arena);

/*
 * The checks of what a file says.  They return 0, or -EINVAL with err->what as what was
 * expected (a noun phrase).  @path, where there is one, becomes the JSON pointer (RFC 6901),
 * relative to the value, of the member or item that is wrong.
 */
#define CONFIG_PATH_MAX 512

/* Sets an option of `capture` by its long name; @text is not copied. */
int config_set_capture(struct inject_config *cfg, const char *option, const char *text, struct err *err);
/* `capture`: all of a mapping of options to texts, numbers and booleans, which are not copied. */
int config_set_captures(struct inject_config *cfg, const json_t *values, char path[CONFIG_PATH_MAX], struct err *err);
/* `proxyPorts`: a list of ports as istio-init takes it. */
int config_check_ports(const char *text, struct err *err);
/* `order`, and the annotation istio-inject/order; @name points into @text. */
int config_parse_order(const char *text, enum pod_order *order, const char **name, struct err *err);
/* neverInject, alwaysInject: the whole list of label selectors. */
int config_check_selectors(const json_t *selectors, char path[CONFIG_PATH_MAX], struct err *err);
/* One overlay; `initContainer`. */
int config_check_overlay(const json_t *overlay, char path[CONFIG_PATH_MAX], struct err *err);
int config_check_init_container(const json_t *container, char path[CONFIG_PATH_MAX], struct err *err);
/* `resources`; `proxyConfig`: the keys of it that count here. */
int config_check_resources(const json_t *resources, char path[CONFIG_PATH_MAX], struct err *err);
int config_check_proxy_config(const json_t *proxy_config, char path[CONFIG_PATH_MAX], struct err *err);
/* What needs the whole: `default` and `aliases` name overlays, initContainer is there. @path begins with the key. */
int config_check_whole(const struct inject_config *cfg, char path[CONFIG_PATH_MAX], struct err *err);

#endif
