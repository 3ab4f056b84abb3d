/* SPDX-License-Identifier: ISC */
/* What the path machine tells about itself, and in which words. */
#include <errno.h>
#include <string.h>

#include "punch/machine.h"

enum hp_punch_fault hp_punch_fault_of(int sys_errno)
{
	switch (sys_errno) {
	case ECONNREFUSED:
		return HP_PUNCH_REFUSED;
	case EPERM:
	case EACCES:
		return HP_PUNCH_DENIED;
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
	case ENETDOWN:
	case EAFNOSUPPORT:
		return HP_PUNCH_UNREACHABLE;
	case EMSGSIZE:
		return HP_PUNCH_TOO_LONG;
	default:
		return HP_PUNCH_LOCAL;
	}
}

/* What two NATs tell: none, when a hole is possible in theory. */
static enum hp_punch_reason nat_reason(const struct hp_punch *p)
{
	bool own = p->own_mapping == HP_MAPPING_APDM;
	bool peer = p->peer_mapping == HP_MAPPING_APDM;

	if (own && peer)
		return HP_PUNCH_WHY_NAT_BOTH;
	if (peer && p->own_mapping != HP_MAPPING_NONE)
		return HP_PUNCH_WHY_NAT_PEER;
	if (own && p->peer_mapping != HP_MAPPING_NONE)
		return HP_PUNCH_WHY_NAT_OWN;
	return HP_PUNCH_WHY_NONE;
}

/* Why the last round failed. */
static enum hp_punch_reason failure(const struct hp_punch *p)
{
	size_t sent = 0, refused = 0, denied = 0, heard = 0, known = 0;
	bool valid = false;
	enum hp_punch_reason nat = nat_reason(p);

	for (size_t i = 1; i < p->paths.n; i++) {
		const struct hp_track *t = p->paths.track[i];

		known++;
		valid |= t->valid;
		sent += t->sent;
		heard += t->heard;
		denied += t->denied;
		refused += t->errors >= t->sent;
	}
	/* It works, and the peer chose the relay. */
	if (valid)
		return HP_PUNCH_WHY_LOSSY;
	if (!heard && sent && denied >= sent)
		return HP_PUNCH_WHY_BLOCKED;
	if (!heard && refused == known)
		return HP_PUNCH_WHY_NO_CANDIDATE;
	if (p->guess && p->guess->stage != HP_GUESS_OFF)
		return HP_PUNCH_WHY_GUESSING;
	if (p->guess && p->guess->why != HP_PUNCH_WHY_NONE)
		return p->guess->why;
	if (nat != HP_PUNCH_WHY_NONE)
		return nat;
	return heard ? HP_PUNCH_WHY_ONE_WAY : HP_PUNCH_WHY_SILENT;
}

static enum hp_punch_reason reason(const struct hp_punch *p)
{
	switch (p->state) {
	case HP_PUNCH_IDLE:
		return HP_PUNCH_WHY_IDLE;
	case HP_PUNCH_TRYING:
		return HP_PUNCH_WHY_TRYING;
	case HP_PUNCH_DIRECT:
		return HP_PUNCH_WHY_NONE;
	case HP_PUNCH_DOUBT:
		return HP_PUNCH_WHY_LOST;
	case HP_PUNCH_RELAYED:
		return p->lossy ? HP_PUNCH_WHY_LOSSY : failure(p);
	}
	return HP_PUNCH_WHY_NONE;
}

static struct hp_punch_path_info path_info(const struct hp_punch *p, size_t i)
{
	const struct hp_track *t = p->paths.track[i];

	return (struct hp_punch_path_info){
		.path = t->path,
		.kind = t->kind,
		.sent = t->sent,
		.answered = t->answered,
		.heard = t->heard,
		.errors = t->errors,
		.denied = t->denied,
		.valid = t->valid,
		.in_use = p->peer_epoch && i == p->use,
		.rtt_ns = t->srtt_ns,
		.heard_ns = t->heard_ns,
		.seen = t->seen,
	};
}

void hp_punch_get_info(const struct hp_punch *p, struct hp_punch_info *out)
{
	memset(out, 0, sizeof(*out));
	out->state = p->state;
	out->reason = reason(p);
	out->peer_mapping = p->peer_mapping;
	out->controlling = p->controlling;
	if (p->use)
		out->direct = p->paths.track[p->use]->path;
	if (p->doubt)
		out->doubt = p->paths.track[p->doubt]->path;
	out->pong_ns = p->pong_ns;
	out->pongs = p->pongs;
	out->rtt_ns = p->paths.track[p->use]->srtt_ns;
	out->since_ns = p->since_ns;
	out->retry_ns = p->retry_ns;
	out->rounds = p->rounds;
	out->low_ttl = p->low_ttl;
	out->pmtu = p->pmtu.state;
	out->tx = p->tx;
	out->tx_bytes = p->tx_bytes;
	out->rx = p->rx;
	out->throttled = p->throttled;
	out->guess_ns = HP_NEVER;
	if (p->guess) {
		out->guessing = p->guess->stage != HP_GUESS_OFF;
		out->guess_ns = p->guess->due_ns;
		out->sockets = p->guess->n_socks;
	}
	out->guesses = p->guessed.rounds;
	out->guess_probes = p->guessed.probes;
	out->guess_hits = p->guessed.hits;
	memcpy(out->drops, p->drops, sizeof(out->drops));
	for (size_t i = 0; i < p->paths.n; i++)
		if (hp_path_set(&p->paths.track[i]->path))
			out->paths[out->n_paths++] = path_info(p, i);
}

const char *hp_punch_state_text(enum hp_punch_state state)
{
	switch (state) {
	case HP_PUNCH_IDLE:
		return "idle";
	case HP_PUNCH_TRYING:
		return "trying";
	case HP_PUNCH_DIRECT:
		return "direct";
	case HP_PUNCH_DOUBT:
		return "in doubt";
	case HP_PUNCH_RELAYED:
		return "relayed";
	}
	return "unknown";
}

const char *hp_punch_reason_text(enum hp_punch_reason reason)
{
	switch (reason) {
	case HP_PUNCH_WHY_NONE:
		return "direct";
	case HP_PUNCH_WHY_IDLE:
		return "not introduced to the peer yet";
	case HP_PUNCH_WHY_TRYING:
		return "still trying";
	case HP_PUNCH_WHY_LOST:
		return "the direct path fell silent; trying again";
	case HP_PUNCH_WHY_LOSSY:
		return "the direct path loses packets";
	case HP_PUNCH_WHY_NO_CANDIDATE:
		return "no address of the peer can be reached from here";
	case HP_PUNCH_WHY_BLOCKED:
		return "a firewall on this host refuses to send to the peer";
	case HP_PUNCH_WHY_NAT_BOTH:
		return "both NATs give each destination another port";
	case HP_PUNCH_WHY_NAT_PEER:
		return "the peer's NAT gives each destination another port";
	case HP_PUNCH_WHY_NAT_OWN:
		return "our NAT gives each destination another port";
	case HP_PUNCH_WHY_GUESSING:
		return "the ports of a NAT are being guessed";
	case HP_PUNCH_WHY_GUESS_FAILED:
		return "the ports of a NAT were guessed in vain; trying again";
	case HP_PUNCH_WHY_GUESS_QUEUED:
		return "the ports of a NAT are to be guessed when other "
		       "peers' rounds leave room";
	case HP_PUNCH_WHY_GUESS_OFF:
		return "guessing the ports of a NAT is switched off here or at "
		       "the peer";
	case HP_PUNCH_WHY_GUESS_HOPELESS:
		return "both NATs give each destination another port, out of "
		       "too many to guess";
	case HP_PUNCH_WHY_ONE_WAY:
		return "probes of the peer arrive, but ours are not answered";
	case HP_PUNCH_WHY_SILENT:
		return "no probe of the peer arrived";
	}
	return "unknown";
}
