/* SPDX-License-Identifier: ISC */
#include "base/key.h"

#include <string.h>
#include <sodium.h>

bool hp_public_eq(const struct hp_public *a, const struct hp_public *b)
{
	return !memcmp(a->b, b->b, HP_KEY_LEN);
}

bool hp_secret_eq(const struct hp_secret *a, const struct hp_secret *b)
{
	return !sodium_memcmp(a->b, b->b, HP_KEY_LEN);
}

bool hp_secret_is_zero(const struct hp_secret *s)
{
	return sodium_is_zero(s->b, HP_KEY_LEN);
}

void hp_secret_wipe(struct hp_secret *s)
{
	sodium_memzero(s, sizeof(*s));
}

static char *key_text(const uint8_t *key, char *out)
{
	return sodium_bin2base64(out, HP_KEY_TEXT, key, HP_KEY_LEN,
				 sodium_base64_VARIANT_ORIGINAL);
}

static enum hp_err key_parse(const char *text, uint8_t *out)
{
	uint8_t key[HP_KEY_LEN];
	enum hp_err err = HP_ERR_FORMAT;
	const char *end;
	size_t len;

	if (!sodium_base642bin(key, sizeof(key), text, strlen(text), NULL,
			       &len, &end, sodium_base64_VARIANT_ORIGINAL) &&
	    len == sizeof(key) && *end == '\0') {
		memcpy(out, key, sizeof(key));
		err = HP_OK;
	}
	sodium_memzero(key, sizeof(key));
	return err;
}

char *hp_public_text(const struct hp_public *k, char out[HP_KEY_TEXT])
{
	return key_text(k->b, out);
}

enum hp_err hp_public_parse(const char *text, struct hp_public *out)
{
	return key_parse(text, out->b);
}

char *hp_secret_text(const struct hp_secret *k, char out[HP_KEY_TEXT])
{
	return key_text(k->b, out);
}

enum hp_err hp_secret_parse(const char *text, struct hp_secret *out)
{
	return key_parse(text, out->b);
}
