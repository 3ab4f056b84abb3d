/* SPDX-License-Identifier: ISC */
#include "punch/mapped.h"

enum hp_mapped_verdict hp_mapped_judge(const struct hp_addr *mapped,
					 const struct hp_addr *seen,
					 size_t n_seen)
{
	bool other = false;

	if (mapped->family == HP_AF_NONE)
		return HP_MAPPED_ABSENT;
	switch (hp_addr_scope(mapped)) {
	case HP_SCOPE_GLOBAL:
		break;
	case HP_SCOPE_SHARED:
		return HP_MAPPED_SHARED;
	case HP_SCOPE_NONE:
	case HP_SCOPE_LOOPBACK:
	case HP_SCOPE_LINK:
	case HP_SCOPE_PRIVATE:
		return HP_MAPPED_PRIVATE;
	}
	for (size_t i = 0; i < n_seen; i++) {
		if (hp_addr_same_ip(&seen[i], mapped))
			return HP_MAPPED_ANNOUNCED;
		/* A server in our own LAN says nothing of the outside. */
		other |= seen[i].family == mapped->family &&
			 hp_addr_scope(&seen[i]) == HP_SCOPE_GLOBAL;
	}
	return other ? HP_MAPPED_ELSEWHERE : HP_MAPPED_UNPROVEN;
}

const char *hp_mapped_protocol_text(enum hp_mapped_protocol p)
{
	switch (p) {
	case HP_MAPPED_BY_PCP:
		return "PCP";
	case HP_MAPPED_BY_NATPMP:
		return "NAT-PMP";
	case HP_MAPPED_BY_UPNP:
		return "UPnP";
	}
	return "unknown";
}

const char *hp_mapped_verdict_text(enum hp_mapped_verdict v)
{
	switch (v) {
	case HP_MAPPED_ABSENT:
		return "no mapping";
	case HP_MAPPED_UNPROVEN:
		return "not told to peers: no server has seen us yet";
	case HP_MAPPED_PRIVATE:
		return "not told to peers: a private address, so another NAT "
		       "stands before the gateway";
	case HP_MAPPED_SHARED:
		return "not told to peers: an address of the provider's NAT";
	case HP_MAPPED_ELSEWHERE:
		return "not told to peers: servers see us under another "
		       "address";
	case HP_MAPPED_ANNOUNCED:
		return "told to peers";
	}
	return "unknown";
}

const char *hp_mapped_verdict_word(enum hp_mapped_verdict v)
{
	switch (v) {
	case HP_MAPPED_ABSENT:
		return "none";
	case HP_MAPPED_UNPROVEN:
		return "unproven";
	case HP_MAPPED_PRIVATE:
		return "private";
	case HP_MAPPED_SHARED:
		return "shared";
	case HP_MAPPED_ELSEWHERE:
		return "elsewhere";
	case HP_MAPPED_ANNOUNCED:
		return "announced";
	}
	return "unknown";
}
