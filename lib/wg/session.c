/* SPDX-License-Identifier: ISC */
#include "wg/session.h"

#include <stdlib.h>
#include <sodium.h>

#include "base/bytes.h"
#include "base/pkt.h"
#include "wg/aead.h"
#include "wg/wire.h"

struct hp_session *hp_session_new(const struct hp_aead *aead,
				  struct hp_fib_peer *peer,
				  const struct hp_session_keys *keys,
				  uint32_t local, uint32_t remote,
				  bool initiator, uint64_t now_ns)
{
	struct hp_session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->peer = peer;
	if (hp_aead_key_init(aead, &s->send, keys->suite, &keys->send) ||
	    hp_aead_key_init(aead, &s->recv, keys->suite, &keys->recv)) {
		hp_session_free(s);
		return NULL;
	}
	s->birth_ns = now_ns;
	s->local = local;
	s->remote = remote;
	s->initiator = initiator;
	/* The answer to our initiation has proved that the peer has them. */
	atomic_init(&s->confirmed, initiator);
	return s;
}

void hp_session_free(struct hp_session *s)
{
	if (!s)
		return;
	hp_aead_key_wipe(&s->send);
	hp_aead_key_wipe(&s->recv);
	sodium_memzero(s, sizeof(*s));
	free(s);
}

/* Most packets of one key. WireGuard's limits are those of ChaCha20-Poly1305;
 * for AES-GCM see HP_AES_REJECT_AFTER_MESSAGES.
 */
static uint64_t reject_after(const struct hp_session *s)
{
	return s->send.suite == HP_SUITE_AES ? HP_AES_REJECT_AFTER_MESSAGES :
					       HP_WG_REJECT_AFTER_MESSAGES;
}

static uint64_t rekey_after(const struct hp_session *s)
{
	return s->send.suite == HP_SUITE_AES ? HP_AES_REKEY_AFTER_MESSAGES :
					       HP_WG_REKEY_AFTER_MESSAGES;
}

static bool young(const struct hp_session *s, uint64_t now_ns)
{
	return hp_time_since(now_ns, s->birth_ns) < HP_WG_REJECT_AFTER_TIME;
}

bool hp_session_usable(const struct hp_session *s, uint64_t now_ns)
{
	return young(s, now_ns) &&
	       atomic_load_explicit(&s->counter, memory_order_relaxed) <
		       reject_after(s);
}

bool hp_session_wants_rekey(struct hp_session *s, bool sent, uint64_t now_ns)
{
	uint64_t age_ns = hp_time_since(now_ns, s->birth_ns);
	uint64_t limit_ns = sent ? HP_WG_REKEY_AFTER_TIME :
				   HP_WG_REKEY_RECEIVER_TIME;

	if (!(s->initiator && age_ns >= limit_ns) &&
	    atomic_load_explicit(&s->counter, memory_order_relaxed) <
		    rekey_after(s))
		return false;
	if (atomic_load_explicit(&s->rekey_asked, memory_order_relaxed))
		return false;
	return !atomic_exchange_explicit(&s->rekey_asked, true,
					 memory_order_relaxed);
}

enum hp_err hp_session_seal(struct hp_session *s, struct hp_pkt *p,
			    uint32_t pad, uint64_t now_ns,
			    struct hp_aead_op *op)
{
	uint8_t *head;
	uint64_t counter;

	if (p->head < sizeof(struct hp_wire_data) ||
	    p->tail < pad + HP_WG_TAG)
		return HP_ERR_FULL;
	/* Looked at first, so that refused packets cannot wrap it round. */
	if (!hp_session_usable(s, now_ns))
		return HP_ERR_KEY;
	counter = atomic_fetch_add_explicit(&s->counter, 1,
					    memory_order_relaxed);
	if (counter >= reject_after(s))
		return HP_ERR_KEY;
	memset(p->data + p->len, 0, pad);
	*op = (struct hp_aead_op){
		.key = &s->send,
		.counter = counter,
		.data = p->data,
		.len = p->len + pad,
	};
	head = p->data - sizeof(struct hp_wire_data);
	hp_put_le32(head + offsetof(struct hp_wire_data, type), HP_WG_DATA);
	hp_put_le32(head + offsetof(struct hp_wire_data, receiver), s->remote);
	hp_put_le64(head + offsetof(struct hp_wire_data, counter), counter);
	*p = (struct hp_pkt){
		.data = head,
		.len = op->len + HP_WG_DATA_MIN,
		.head = p->head - (uint32_t)sizeof(struct hp_wire_data),
		.tail = p->tail - pad - HP_WG_TAG,
	};
	return HP_OK;
}

enum hp_err hp_session_open(const struct hp_session *s, const struct hp_pkt *p,
			    uint64_t now_ns, struct hp_aead_op *op)
{
	uint64_t counter = hp_get_le64(p->data + offsetof(struct hp_wire_data,
							  counter));

	if (!young(s, now_ns) || counter >= reject_after(s))
		return HP_ERR_KEY;
	if (!hp_replay_fresh(&s->replay, counter))
		return HP_ERR_REPLAY;
	*op = (struct hp_aead_op){
		.key = &s->recv,
		.counter = counter,
		.data = p->data + sizeof(struct hp_wire_data),
		.len = p->len - (uint32_t)HP_WG_DATA_MIN,
	};
	return HP_OK;
}

/* Waits for no more than the few instructions of another thread's marking; and
 * as a path leads to one thread, there is hardly ever one.
 */
static bool mark(struct hp_session *s, uint64_t counter)
{
	bool fresh;

	while (atomic_flag_test_and_set_explicit(&s->marking,
						 memory_order_acquire))
		;
	fresh = hp_replay_accept(&s->replay, counter);
	atomic_flag_clear_explicit(&s->marking, memory_order_release);
	return fresh;
}

enum hp_err hp_session_opened(struct hp_session *s, struct hp_pkt *p,
			      const struct hp_aead_op *op)
{
	if (!op->ok)
		return HP_ERR_AUTH;
	if (!mark(s, op->counter))
		return HP_ERR_REPLAY;
	p->data = op->data;
	p->len = op->len;
	p->head += sizeof(struct hp_wire_data);
	p->tail += HP_WG_TAG;
	return HP_OK;
}
