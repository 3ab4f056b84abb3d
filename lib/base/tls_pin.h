/* SPDX-License-Identifier: ISC */
/*
 * The key of a TLS server, pinned: which of them a client believes without
 * asking an authority. The rest of TLS is lib/sys/tls.h.
 */
#ifndef HP_BASE_TLS_PIN_H
#define HP_BASE_TLS_PIN_H

#include <stdint.h>

#include "base/err.h"

/* Most keys that a client pins; a key's hash, and its text with its NUL. */
#define HP_TLS_PINS_MAX 4
#define HP_TLS_PIN_LEN 32
#define HP_TLS_PIN_TEXT 52

/* SHA-256 of a server's public key (SubjectPublicKeyInfo, as in RFC 7469). */
struct hp_tls_pin {
	uint8_t b[HP_TLS_PIN_LEN];
};

/* "sha256/" and 44 characters of base64. HP_ERR_FORMAT with @f filled, @out
 * untouched.
 */
enum hp_err hp_tls_pin_parse(const char *text, struct hp_tls_pin *out,
			     struct hp_fault *f) HP_MUST_CHECK;
char *hp_tls_pin_text(const struct hp_tls_pin *pin, char out[HP_TLS_PIN_TEXT]);

#endif
