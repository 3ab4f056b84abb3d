/* SPDX-License-Identifier: ISC */
/*
 * The probe on the wire: sealing and opening one, the tag by which a receiver
 * finds whose it is, and the window that drops replays. Layout and rules:
 * PROTOCOL.md, "Probes". What probes mean is punch.c's.
 */
#ifndef HP_PUNCH_PROBE_H
#define HP_PUNCH_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/crypto.h"
#include "base/datagram.h"
#include "base/err.h"
#include "base/key.h"
#include "base/rng.h"
#include "punch/nat.h"
#include "punch/punch.h"

/* The sealed part: kind, flags, four be64, an address in a slot of 19. */
#define HP_PROBE_BODY (2 + 4 * 8 + HP_ADDR_WIRE_MAX)
#define HP_PROBE_HEAD (HP_WIRE_HEAD + HP_PUNCH_TAG_LEN)
/* A probe without padding, as responses always are; and the longest. */
#define HP_PROBE_MIN (HP_PROBE_HEAD + HP_BOX_OVERHEAD + HP_PROBE_BODY)
#define HP_PROBE_MAX HP_PUNCH_LONGEST

/* On the wire; never renumber. */
enum hp_probe_kind {
	HP_PROBE_REQUEST = 1,
	HP_PROBE_RESPONSE = 2,
	HP_PROBE_NOMINATE = 3,	/* a request, and: let us use this path */
	HP_PROBE_GUESS = 4,	/* a word on a round of guessing */
};

/* The sender's packets go over this path now. */
#define HP_PROBE_IN_USE 0x01
/* The sender's opening volley has just left: punch with me. */
#define HP_PROBE_PUNCH 0x02
#define HP_PROBE_FLAGS (HP_PROBE_IN_USE | HP_PROBE_PUNCH)

/* How far the sender is in a round of guessing; on the wire. */
enum hp_guess_step {
	HP_GUESS_ASK = 1,   /* let us guess; I am gathering my facts */
	HP_GUESS_FACTS = 2, /* here they are */
	HP_GUESS_BEGUN = 3, /* and all my sockets are open */
};

/**
 * struct hp_guess_word - What a probe of kind HP_PROBE_GUESS says
 * @have:    I have your facts
 * @heard:   your probes reach me from where you said you are: as far as I am
 *           concerned your NAT keeps to one port
 * @methods: enum hp_method, those of guessing that the sender may use
 * @mapping and the rest: as in struct hp_nat_facts; all 0 with HP_GUESS_ASK
 * @room:    mappings that the sender may make yet
 * @attempt: rounds that failed before this one
 */
struct hp_guess_word {
	enum hp_guess_step step;
	bool have;
	bool heard;
	uint32_t methods;
	enum hp_nat_mapping mapping;
	enum hp_nat_ports ports;
	int stride;
	uint16_t last;
	uint16_t lo;
	uint16_t hi;
	uint16_t room;
	uint8_t attempt;
};

/**
 * struct hp_probe - What a probe says
 * @flags:     HP_PROBE_*
 * @dst_epoch: run of the receiver it is meant for
 * @src_epoch: run of the sender
 * @seq:       rises with each probe of @src_epoch, from 1
 * @txid:      of a request; its response repeats it. Of a round of guessing
 * @seen:      in a response: where the request came from; else HP_AF_NONE
 * @guess:     only with HP_PROBE_GUESS; takes the place of @seen
 * @pad:       bytes of padding (0 in responses, and with HP_PROBE_GUESS)
 */
struct hp_probe {
	enum hp_probe_kind kind;
	uint8_t flags;
	uint64_t dst_epoch;
	uint64_t src_epoch;
	uint64_t seq;
	uint64_t txid;
	struct hp_addr seen;
	struct hp_guess_word guess;
	size_t pad;
};

/* A key and a tag for each direction: a probe that is reflected to its sender
 * carries the wrong tag and opens with no key of his.
 */
struct hp_probe_keys {
	struct hp_secret tx;
	struct hp_secret rx;
	uint8_t tx_tag[HP_PUNCH_TAG_LEN];
	uint8_t rx_tag[HP_PUNCH_TAG_LEN];
};

/* From the shared secret of the pair. Wipe @keys after use. */
void hp_probe_keys_init(struct hp_probe_keys *keys,
			const struct hp_secret *shared,
			const struct hp_public *own,
			const struct hp_public *peer);

/**
 * hp_probe_seal() - Write a probe
 * @out: gets HP_PROBE_MIN + @m->pad bytes; at most HP_PROBE_MAX
 *
 * Return: bytes written.
 */
size_t hp_probe_seal(const struct hp_probe_keys *keys,
		     const struct hp_rng *rng, const struct hp_probe *m,
		     uint8_t out[HP_PROBE_MAX]);

/**
 * hp_probe_open() - Authenticate and read a probe
 *
 * Return: HP_OK; HP_ERR_SHORT; HP_ERR_TYPE (no probe, or not with the peer's
 *         tag); HP_ERR_AUTH; HP_ERR_FORMAT (authentic, but a field is out of
 *         range or it is too long). @m is untouched on error.
 */
enum hp_err hp_probe_open(const struct hp_probe_keys *keys, const uint8_t *buf,
			  size_t len, struct hp_probe *m) HP_MUST_CHECK;

/* Probes overtake each other by less than this (at 500/s: 2 s). */
#define HP_PROBE_WINDOW 1024

/* Zeroed: nothing was seen. */
struct hp_probe_window {
	uint64_t top;
	uint64_t seen[HP_PROBE_WINDOW / 64];
};

/* Takes note of an authenticated sequence; false: seen before, or too old. */
bool hp_probe_window_take(struct hp_probe_window *w, uint64_t seq);

#endif
