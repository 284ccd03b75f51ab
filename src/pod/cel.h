/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Overlays in CEL, as admission policies of Kubernetes have it. */
#ifndef ISTIO_INIT_POD_CEL_H
#define ISTIO_INIT_POD_CEL_H

#include <stdbool.h>

#include "annotations.h"
#include "member.h"

/* One policy while it is made. */
struct cel {
	const struct inject_config *cfg;
	struct arena *arena;
	json_t *refused; /* lines, see policy.h */
	const char *key; /* of the configuration, which is looked at */
	json_t *overlay; /* the one that every pod gets; {} if none */
	bool sidecar;    /* whether it has the proxy as a sidecar */
};

/*
 * An expression of type dyn, and the one that says whether it is there at all.  The constants "true" and
 * "false" are known as such.
 */
struct cel_value {
	const char *text, *when;
};

/* A key of a template whose value is an expression, and with which one it is there; no user's key begins so. */
#define CEL_TEXT "$cel"
#define CEL_WHEN "$when"

/* Notes that @key (of the configuration) cannot be said. */
void cel_refuse(struct cel *cel, const char *key, const char *what);

#define cel_printf(cel, ...) arena_printf((cel)->arena, __VA_ARGS__)

/* A string literal. */
const char *cel_literal(struct cel *cel, const char *text, size_t len);
const char *cel_quote(struct cel *cel, const char *text);
/* A token of a JSON pointer (RFC 6901). */
const char *cel_pointer(struct cel *cel, const char *token);
/* Conjunction, disjunction, negation, choice; constants are folded. */
const char *cel_and(struct cel *cel, const char *a, const char *b);
const char *cel_or(struct cel *cel, const char *a, const char *b);
const char *cel_not(struct cel *cel, const char *a);
const char *cel_if(struct cel *cel, const char *when, const char *a, const char *b);
bool cel_is(const char *expression, const char *constant);

/* @text with its variables, of type string. */
const char *cel_text(struct cel *cel, const char *text, size_t len);
/* A part of an overlay, whose nulls are left out. */
struct cel_value cel_value(struct cel *cel, const json_t *template);
/* $if of a mapping. */
const char *cel_conditions(struct cel *cel, const json_t *conditions);
/* @over merged over @base, both templates: what is known of lists is their names alone. */
json_t *template_merge(struct cel *cel, json_t *base, json_t *over);
/* A template of an expression. */
json_t *template_cel(const char *text, const char *when);

/* The variable's text, of type string; '' if it is unset. */
const char *cel_variable(struct cel *cel, const char *name, size_t len);
/* Whether the pod has the annotation, and its text, else @otherwise. */
const char *cel_noted(struct cel *cel, enum annotation_id id);
const char *cel_note(struct cel *cel, enum annotation_id id, const char *otherwise);
/* What `variables` of the policy are, as {"name", "expression"}; @proxy: the template of the proxy, or NULL. */
json_t *cel_variables(struct cel *cel, const json_t *proxy);

/* The arguments of the container that makes or proves the rules, a list of strings. */
const char *cel_args(struct cel *cel, bool rules);
/* Variables of options: @list gets them. */
void cel_option_variables(struct cel *cel, json_t *list, const json_t *proxy);
/* Operations that tell the CNI plugin, a list. */
const char *cel_annotate(struct cel *cel);
/* One operation on the annotations, if @when. */
const char *cel_annotation_set(struct cel *cel, const char *name, const char *text, const char *when);

/* Operations that merge a template over the object @object, which is there, at the pointer @path (an expression). */
const char *cel_merge(struct cel *cel, const char *path, const char *object, const json_t *template);
/* Those for the containers of the overlay and of ours; @names: expressions of the lists in the status annotation. */
struct cel_names {
	const char *init_containers, *containers;
};
const char *cel_containers(struct cel *cel, struct cel_names *names);
/* The proxy of the overlay, or NULL; names of all containers that the policy may add, a list of strings. */
json_t *cel_proxy(struct cel *cel);
json_t *cel_container_names(struct cel *cel);
/* Joins expressions of lists. */
const char *cel_plus(struct cel *cel, const char *a, const char *b);

#endif
