/* SPDX-License-Identifier: ISC */
#include "misfit.h"

#include "ports.h"
#include "sys/udp.h"
#include "tun.h"

/* A fragment that is refused is lost, as packets are: whether the path works is
 * seen elsewhere.
 */
static void send_piece(const struct misfit *m, const struct ports *ports,
		       const struct hp_path *path, const struct hp_pkt *p)
{
	const struct hp_udp *u = ports_find(ports, m->thread, path->sock);

	if (u)
		(void)!hp_udp_send(u, path, 0, p->data, p->len);
}

static void tell(struct misfit *m, struct hp_forward *f, const struct tun *tun,
		 const struct hp_pkt *p, uint32_t mtu, uint64_t now_ns)
{
	struct hp_pkt told = hp_pkt_of(m->room, sizeof(m->room), 0, 0);
	uint32_t len;

	hp_fib_count(f->fib, HP_DROP_TOO_BIG);
	if (!hp_toobig_allowed(&m->limit, now_ns) ||
	    hp_toobig_make(p->data, p->len, mtu, told.data, &len) ||
	    !hp_pkt_put(&told, len))
		return;
	/* A device that takes nothing has no sender who waits for it. */
	(void)!tun_write_one(tun, &told);
}

void misfit_handle(struct misfit *m, struct hp_forward *f,
		   const struct ports *ports, const struct tun *tun,
		   const struct hp_pkt *p, uint32_t mtu, uint64_t now_ns)
{
	struct hp_forward_out out;
	struct hp_fragmenter s;
	struct hp_pkt piece;
	uint32_t len;

	/* Far from those of other threads. */
	if (!m->id)
		m->id = (uint32_t)now_ns + ((uint32_t)m->thread << 28);
	if (hp_fragment_begin(&s, p->data, p->len, mtu, ++m->id)) {
		tell(m, f, tun, p, mtu, now_ns);
		return;
	}
	while ((len = hp_fragment_len(&s)) &&
	       len <= sizeof(m->room) - HP_HEADROOM - HP_TAILROOM) {
		piece = hp_pkt_of(m->room, sizeof(m->room), HP_HEADROOM, len);
		hp_fragment_next(&s, piece.data);
		hp_forward_out(f, &piece, 1, &out, now_ns);
		if (out.verdict == HP_VERDICT_SEND)
			send_piece(m, ports, out.path, &piece);
	}
}
