/* SPDX-License-Identifier: ISC */
#include "base/tls_pin.h"

#include <sodium.h>
#include <string.h>

#define PIN_PREFIX "sha256/"

enum hp_err hp_tls_pin_parse(const char *text, struct hp_tls_pin *out,
			     struct hp_fault *f)
{
	static const char how[] =
		"write sha256/ and 44 characters of base64, as the server "
		"prints them when it starts";
	size_t skip = strlen(PIN_PREFIX);
	struct hp_tls_pin pin;
	size_t len;

	if (strncmp(text, PIN_PREFIX, skip) ||
	    sodium_base642bin(pin.b, sizeof(pin.b), text + skip,
			      strlen(text + skip), NULL, &len, NULL,
			      sodium_base64_VARIANT_ORIGINAL) ||
	    len != sizeof(pin.b))
		return hp_fault_set(f, HP_ERR_FORMAT, how,
				    "\"%.60s\" is not the hash of a key", text);
	*out = pin;
	return HP_OK;
}

char *hp_tls_pin_text(const struct hp_tls_pin *pin, char out[HP_TLS_PIN_TEXT])
{
	memcpy(out, PIN_PREFIX, strlen(PIN_PREFIX) + 1);
	sodium_bin2base64(out + strlen(PIN_PREFIX),
			  HP_TLS_PIN_TEXT - strlen(PIN_PREFIX), pin->b,
			  sizeof(pin->b), sodium_base64_VARIANT_ORIGINAL);
	return out;
}
