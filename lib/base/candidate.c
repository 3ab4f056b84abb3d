/* SPDX-License-Identifier: ISC */
#include "base/candidate.h"

const char *hp_method_text(enum hp_method m)
{
	switch (m) {
	case HP_METHOD_HOST:
		return "host";
	case HP_METHOD_REFLEXIVE:
		return "reflexive";
	case HP_METHOD_LOW_TTL:
		return "low-ttl";
	case HP_METHOD_PREDICT:
		return "predict";
	case HP_METHOD_BIRTHDAY:
		return "birthday";
	case HP_METHOD_REBIND:
		return "rebind";
	case HP_METHOD_RELAY:
		return "relay";
	case HP_METHOD_IPV6:
		return "ipv6";
	case HP_METHOD_MAPPED:
		return "mapped";
	}
	return "unknown";
}
