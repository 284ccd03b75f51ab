/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One packet's way through the chains of one ruleset, as the kernel goes it. */
#ifndef ISTIO_INIT_WALKER_H
#define ISTIO_INIT_WALKER_H

#include "packet.h"

/* One rule that matched. */
struct explain_step {
	enum table_id table;
	enum hook hook;
	const char *chain;
	unsigned depth;
	bool policy;      /* no rule: the chain's policy, which drops what comes to its end */
	struct rule rule; /* as its layer holds it: lists of one */
	const struct rule *source;
};

enum fate {
	FATE_PASSES,
	FATE_REDIRECTED,
	FATE_TPROXIED,
	FATE_TRANSLATED, /* DNAT */
	FATE_DROPPED,
	FATE_LOST, /* TPROXY takes it, but no ip rule or no route brings it into the pod */
};

/* Returns that one packet can meet, one behind the other, and be told of. */
#define REASONS_MAX 64
/* Rules of which something cannot be read, that one packet can meet and be asked about. */
#define GUESSES_MAX 64

struct decision {
	enum table_id table;
	enum hook hook;
	const struct chain *chain;
	const struct rule *rule;
};

/* Whether a rule that cannot be read holds: nobody knows, so that each walk tries another answer. */
struct guess {
	struct decision at;
	bool taken;
};

/* Where the packet ends. */
struct outcome {
	enum fate fate;
	uint16_t port;
	bool foreign;    /* a rule of a user's own has decided */
	bool retargeted; /* nat changes the destination of what TPROXY has taken */
	bool anything;   /* a rule was taken that does what we cannot read */
	const uint8_t *addr;
};

struct walker {
	const struct ruleset *rs;
	struct packet packet;
	struct explain_step **steps; /* those of rules that hold are noted there; NULL: nowhere */
	unsigned *n_steps;
	enum table_id table;
	struct outcome outcome;
	struct decision leave; /* the last RETURN or ACCEPT of a table that captures */
	bool asleep;           /* a chain with rules was passed over: it hangs in no hook */
	bool any_group;        /* as if the sender were in each of the owner groups that are captured */
	struct decision skip[REASONS_MAX];
	unsigned n_skip;
	struct guess guesses[GUESSES_MAX]; /* the first @n_guesses are given, later ones are noted as not taken */
	unsigned n_guesses, next_guess;
};

/* From the beginning, with the guesses given; false if chains jump in a circle. */
bool walk_packet(struct walker *w, const struct packet *packet);

/* The tables of a hook, in the order in which a packet comes by them. */
extern const enum table_id walk_order[TABLES];

/* Whether rules of this table and hook can capture a packet. */
bool walk_captures(enum table_id table, enum hook hook);

/* Where the table begins in the hook; NULL if nothing of it hangs there: *@asleep, if rules of it are passed over so. */
const struct chain *walk_base_chain(const struct ruleset *rs, enum table_id table, enum hook hook, enum family family,
				    bool *asleep);

void walk_note_step(struct explain_step **steps, unsigned *n, const struct walker *w, const struct decision *at,
		    unsigned depth);

#endif
