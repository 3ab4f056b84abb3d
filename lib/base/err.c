/* SPDX-License-Identifier: ISC */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *hp_err_name(enum hp_err err)
{
	switch (err) {
	case HP_OK:
		return "no error";
	case HP_ERR_SHORT:
		return "message cut short";
	case HP_ERR_AUTH:
		return "authentication failed";
	case HP_ERR_REPLAY:
		return "replayed";
	case HP_ERR_KEY:
		return "key missing or not acceptable";
	case HP_ERR_FORMAT:
		return "malformed";
	case HP_ERR_VERSION:
		return "made by another version";
	case HP_ERR_TYPE:
		return "unexpected type of message";
	case HP_ERR_FULL:
		return "limit reached";
	case HP_ERR_LIMIT:
		return "rate limit reached";
	case HP_ERR_EXPIRED:
		return "expired";
	case HP_ERR_UNKNOWN:
		return "not known";
	case HP_ERR_EXISTS:
		return "exists already";
	case HP_ERR_PIN:
		return "keys differ from the ones first seen";
	case HP_ERR_REVOKED:
		return "revoked";
	case HP_ERR_DENIED:
		return "not allowed";
	case HP_ERR_AGAIN:
		return "not now";
	case HP_ERR_NOMEM:
		return "out of memory";
	case HP_ERR_IO:
		return "input/output error";
	case HP_ERR_STATE:
		return "not in this state";
	case HP_ERR_ROUTE:
		return "no peer has this address";
	case HP_ERR_CIPHER:
		return "no cipher that both ends allow";
	}
	return "unknown error";
}

enum hp_err hp_fault_set(struct hp_fault *f, enum hp_err code,
			 const char *remedy, const char *cause, ...)
{
	va_list ap;

	if (!f)
		return code;
	f->code = code;
	f->line = 0;
	f->column = 0;
	va_start(ap, cause);
	vsnprintf(f->cause, sizeof(f->cause), cause, ap);
	va_end(ap);
	snprintf(f->remedy, sizeof(f->remedy), "%s", remedy ? remedy : "");
	return code;
}
