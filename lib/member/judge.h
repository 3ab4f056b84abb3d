/* SPDX-License-Identifier: ISC */
/*
 * The judge decides whether a certificate is accepted: signatures, date,
 * revocation, and the pin: the keys first seen for a grant. It owns the pins
 * and the newest revocation list; keeping them on disk is the shell's work.
 *
 *	check(cert):  chain of signatures   no -> HP_ERR_AUTH
 *	              serial on the list   yes -> HP_ERR_REVOKED
 *	              grant's date past    yes -> HP_ERR_EXPIRED
 *	              pin of that name:
 *	                none                   -> pinned now
 *	                same serial, same keys -> fine
 *	                same serial, others    -> HP_ERR_PIN
 *	                newer serial           -> the root's will: pinned anew
 *	                older serial           -> HP_ERR_REVOKED (superseded)
 *	              address or X25519 key pinned to another name that is
 *	              not revoked              -> HP_ERR_PIN
 */
#ifndef HP_MEMBER_JUDGE_H
#define HP_MEMBER_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/key.h"
#include "member/network.h"

struct hp_cert;
struct hp_judge;

/* Most pins, and most revoked serials: a list fits one datagram. */
#define HP_PINS_MAX 16384
#define HP_REVOKED_MAX 256
/* Longest revocation list in bytes: head, serials, signature. */
#define HP_REVOKED_WIRE_MAX (6 + 4 * HP_REVOKED_MAX + HP_SIG_LEN)
/* Longest text line of a pin, with its NUL. */
#define HP_PIN_TEXT 192

/**
 * struct hp_pin - What is remembered of a node that was accepted once
 * @name:    of the node
 * @serial:  of its grant
 * @overlay: its address
 * @key:     X25519
 * @sign:    Ed25519
 * @until_s: end of its grant; 0: its certificate is permanent
 */
struct hp_pin {
	char name[HP_NAME_TEXT];
	uint32_t serial;
	struct hp_overlay overlay;
	struct hp_public key;
	struct hp_public sign;
	uint64_t until_s;
};

/* A judge of the network @net_id, without pins or list; NULL: no memory. */
struct hp_judge *hp_judge_new(const struct hp_public *net_id);
void hp_judge_free(struct hp_judge *j);

/**
 * hp_judge_check() - Accept or refuse a certificate; pin it at first sight
 * @cert:   borrowed
 * @wall_s: UTC seconds, for the date of a grant
 * @f:      why not, for a person; may be NULL
 *
 * Asking again about an accepted one changes nothing.
 *
 * Return: HP_OK; HP_ERR_AUTH, _EXPIRED, _REVOKED, _PIN as drawn above;
 *         HP_ERR_FULL (HP_PINS_MAX); HP_ERR_NOMEM. Nothing is pinned then.
 */
enum hp_err hp_judge_check(struct hp_judge *j, const struct hp_cert *cert,
			   uint64_t wall_s, struct hp_fault *f) HP_MUST_CHECK;

/* Counts each change of the pins, so that the shell knows when to store. */
uint64_t hp_judge_generation(const struct hp_judge *j);
size_t hp_judge_pin_count(const struct hp_judge *j);
/* @i in [0, count), by name; borrowed until the next change. */
const struct hp_pin *hp_judge_pin(const struct hp_judge *j, size_t i);
/* NULL when nobody of that name is pinned. */
const struct hp_pin *hp_judge_find(const struct hp_judge *j,
				   const char *name);
/* Puts back a stored pin. HP_ERR_EXISTS, HP_ERR_FULL, HP_ERR_NOMEM. */
enum hp_err hp_judge_add_pin(struct hp_judge *j, const struct hp_pin *pin)
	HP_MUST_CHECK;
/* One line of text, without newline: name serial address/bits key sign, and
 * the end of the grant, seconds since 1970, unless it is permanent.
 * Returns @out.
 */
char *hp_pin_text(const struct hp_pin *pin, char out[HP_PIN_TEXT]);
/* HP_ERR_FORMAT with @f filled (cause, remedy, column), @out untouched. */
enum hp_err hp_pin_parse(const char *text, struct hp_pin *out,
			 struct hp_fault *f) HP_MUST_CHECK;

/**
 * hp_revoked_make() - Sign a revocation list
 * @root:    seed of the root key
 * @number:  of the list; higher than that of any before, from 1
 * @serials: @n serials, any order
 * @out:     gives the list; @len gets its bytes
 *
 * Return: HP_OK; HP_ERR_FULL when @n is above HP_REVOKED_MAX.
 */
enum hp_err hp_revoked_make(const struct hp_secret *root, uint32_t number,
			    const uint32_t *serials, size_t n,
			    uint8_t out[HP_REVOKED_WIRE_MAX], size_t *len)
	HP_MUST_CHECK;
/**
 * hp_judge_revoke() - Take over a newer revocation list
 *
 * Ask hp_judge_check() about the peers again after HP_OK.
 *
 * Return: HP_OK: newer, taken over; HP_ERR_REPLAY: not newer than ours;
 *         HP_ERR_SHORT, _FORMAT, _AUTH. Unchanged on error.
 */
enum hp_err hp_judge_revoke(struct hp_judge *j, const uint8_t *list,
			    size_t len) HP_MUST_CHECK;
/* The newest list as it came, for passing on and storing; NULL: none. */
const uint8_t *hp_judge_revoked(const struct hp_judge *j, size_t *len);
/* Its number; 0: none. Travels in records, so that peers know who lacks it. */
uint32_t hp_judge_revoked_number(const struct hp_judge *j);
bool hp_judge_is_revoked(const struct hp_judge *j, uint32_t serial);

#endif
