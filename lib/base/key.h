/* SPDX-License-Identifier: ISC */
/*
 * Keys have types of their own, so that a secret cannot be handed to what
 * prints, and a public key cannot be taken for a secret.
 */
#ifndef HP_BASE_KEY_H
#define HP_BASE_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rng.h"

#define HP_KEY_LEN 32
#define HP_SIG_LEN 64
/* Base64 text of a key, with its NUL: what `wg` shows. */
#define HP_KEY_TEXT 45

struct hp_secret {
	uint8_t b[HP_KEY_LEN];
};

struct hp_public {
	uint8_t b[HP_KEY_LEN];
};

/* An Ed25519 signature. */
struct hp_sig {
	uint8_t b[HP_SIG_LEN];
};

bool hp_public_eq(const struct hp_public *a, const struct hp_public *b);
bool hp_secret_eq(const struct hp_secret *a, const struct hp_secret *b);
bool hp_secret_is_zero(const struct hp_secret *s);
void hp_secret_wipe(struct hp_secret *s);

/* Base64 with padding (RFC 4648, 4). Returns @out. */
char *hp_public_text(const struct hp_public *k, char out[HP_KEY_TEXT]);
enum hp_err hp_public_parse(const char *text, struct hp_public *out)
	HP_MUST_CHECK;
/* The text of a secret is itself secret: wipe @out after use. */
char *hp_secret_text(const struct hp_secret *k, char out[HP_KEY_TEXT]);
enum hp_err hp_secret_parse(const char *text, struct hp_secret *out)
	HP_MUST_CHECK;

#endif
