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

/* The decoder lets some bytes beyond ASCII pass, so only what encodes back to
 * the same text is a key.
 */
static enum hp_err key_parse(const char *text, uint8_t *out)
{
	uint8_t key[HP_KEY_LEN];
	char again[HP_KEY_TEXT];
	enum hp_err err = HP_ERR_FORMAT;
	size_t len;

	if (strlen(text) != HP_KEY_TEXT - 1 ||
	    sodium_base642bin(key, sizeof(key), text, HP_KEY_TEXT - 1, NULL,
			      &len, NULL, sodium_base64_VARIANT_ORIGINAL) ||
	    len != sizeof(key))
		goto out;
	if (sodium_memcmp(key_text(key, again), text, HP_KEY_TEXT))
		goto out;
	memcpy(out, key, sizeof(key));
	err = HP_OK;
out:
	sodium_memzero(key, sizeof(key));
	sodium_memzero(again, sizeof(again));
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
