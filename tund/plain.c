/* SPDX-License-Identifier: ISC */
#include "plain.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>

#include "apply.h"
#include "base/pkt.h"
#include "daemon.h"
#include "device.h"
#include "engine.h"
#include "log.h"
#include "rtnl.h"
#include "sandbox.h"
#include "sys/clock.h"
#include "sys/loop.h"
#include "sys/rng.h"
#include "sys/store.h"
#include "uapi.h"
#include "wg/device.h"
#include "wgsock.h"

/* 1500 - 40 (IPv6) - 8 (UDP) - 32 (WireGuard): what wg-quick(8) expects. */
#define MTU 1420

struct plain {
	struct log *log;
	struct hp_rng rng;
	struct hp_loop *loop;
	struct rtnl *rtnl;
	struct device *device;
	struct hp_wg *wg;
	struct wgsock *sock;
	struct hp_stamp stamp;
};

/* ---- WireGuard asks ------------------------------------------------------ */

static void wg_send(void *ctx, struct hp_wg_peer *peer,
		    const struct hp_path *path, struct hp_pkt *pkt)
{
	struct plain *p = ctx;

	(void)peer;
	/* What does not go out is lost like on any link: WireGuard's timers
	 * send again.
	 */
	(void)device_send(p->device, path, 0, pkt->data, pkt->len);
}

static void wg_deliver(void *ctx, struct hp_wg_peer *peer,
		       struct hp_pkt *inner)
{
	struct plain *p = ctx;

	(void)peer;
	device_deliver(p->device, inner);
}

static void wg_event(void *ctx, struct hp_wg_peer *peer,
		     enum hp_wg_event event)
{
	struct plain *p = ctx;
	char key[HP_KEY_TEXT];

	if (event == HP_WG_HANDSHAKE_FAILED)
		log_info(p->log, "peer %s does not answer",
			 hp_public_text(hp_wg_peer_public(peer), key));
}

static void wg_timestamp(void *ctx, uint8_t out[12])
{
	struct plain *p = ctx;

	/* Nothing is kept on disk, so nothing can fail; like other plain
	 * WireGuard programs we rely on the clock across restarts.
	 */
	(void)!hp_stamp_next(&p->stamp, hp_clock_wall_ns(), out);
}

static const struct hp_wg_ops wg_ops = {
	.send = wg_send,
	.deliver = wg_deliver,
	.event = wg_event,
	.timestamp = wg_timestamp,
};

static uint64_t wg_deadline(void *ctx)
{
	struct plain *p = ctx;

	return hp_wg_deadline(p->wg);
}

static void wg_tick(void *ctx, uint64_t now_ns)
{
	struct plain *p = ctx;

	hp_wg_tick(p->wg, now_ns);
}

/* ---- the data threads hand over ----------------------------------------- */

static void on_datagram(void *ctx, const struct hp_path *from,
			struct hp_pkt *pkt, uint64_t now_ns)
{
	struct plain *p = ctx;

	/* Counted by the engine, as is what is not of WireGuard. */
	(void)hp_wg_rx(p->wg, from, pkt, now_ns);
}

static void on_inner(void *ctx, struct hp_pkt *pkt, uint64_t now_ns)
{
	struct plain *p = ctx;

	(void)hp_wg_tx(p->wg, pkt, now_ns);
}

static void on_notice(void *ctx, const struct hp_notice *n, uint64_t now_ns)
{
	struct plain *p = ctx;

	hp_wg_notice(p->wg, n, now_ns);
}

/* WireGuard sends to where it last heard the peer, whatever the system says. */
static void on_failed(void *ctx, const struct hp_path *path, int sys_errno,
		      uint64_t now_ns)
{
	(void)ctx;
	(void)path;
	(void)sys_errno;
	(void)now_ns;
}

static void on_gone(void *ctx)
{
	struct plain *p = ctx;

	log_info(p->log, "interface %s was deleted: ending",
		 device_name(p->device));
	hp_loop_stop(p->loop);
}

static const struct device_ops device_ops = {
	.datagram = on_datagram,
	.inner = on_inner,
	.notice = on_notice,
	.failed = on_failed,
	.gone = on_gone,
};

/* ---- wg(8) asks ---------------------------------------------------------- */

static void on_get(void *ctx, FILE *out, uint64_t now_ns)
{
	struct plain *p = ctx;

	uapi_print(out, p->wg, device_port(p->device), device_mark(p->device),
		   now_ns, hp_clock_wall_ns());
}

static int on_set(void *ctx, const struct uapi_request *r, uint64_t now_ns)
{
	struct plain *p = ctx;

	return apply_request(p->device, p->wg, r, now_ns);
}

static const struct wgsock_ops sock_ops = {
	.get = on_get,
	.set = on_set,
};

/* ---- from start to end --------------------------------------------------- */

/* Somebody may have changed the MTU. Once the interface has moved to another
 * namespace we see it no more, and what was last known holds.
 */
static void on_links(void *ctx, uint32_t events, uint64_t now_ns)
{
	struct plain *p = ctx;
	uint32_t mtu;

	(void)events;
	(void)now_ns;
	rtnl_watch_drain(p->rtnl);
	mtu = rtnl_link_mtu_get(p->rtnl, device_index(p->device));
	if (mtu)
		hp_wg_set_mtu(p->wg, mtu);
}

static void on_signal(void *ctx, int signo, uint64_t now_ns)
{
	struct plain *p = ctx;

	(void)now_ns;
	if (signo != SIGHUP) /* there is no file to read again */
		hp_loop_stop(p->loop);
}

static enum hp_err open_loop(struct plain *p, struct hp_fault *f)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	const struct hp_loop_timed timed = { wg_deadline, wg_tick, p };
	enum hp_err err = HP_ERR_IO;

	p->loop = hp_loop_new();
	if (p->loop)
		err = hp_loop_signals(p->loop, signals, 3, on_signal, p);
	if (!err)
		err = hp_loop_timed(p->loop, &timed);
	if (err)
		(void)hp_fault_set(f, err, "", "cannot make an event loop: %s",
				   strerror(errno));
	return err;
}

static enum hp_err open_engine(struct plain *p, enum hp_aead_engine engine,
			       struct hp_fault *f)
{
	struct hp_wg_cfg cfg = {
		.ops = &wg_ops,
		.ctx = p,
		.rng = &p->rng,
	};
	struct hp_aead_choice choice;
	enum hp_err err;

	/* Stock peers speak WireGuard's cipher alone. */
	err = engine_choose(engine, HP_CIPHER_CHACHA, &choice, f);
	if (err)
		return err;
	cfg.engine = choice.engine;
	p->rng = hp_rng_system();
	p->wg = hp_wg_new(&cfg);
	if (!p->wg)
		return hp_fault_set(f, HP_ERR_NOMEM, "",
				    "cannot make the WireGuard engine");
	hp_wg_set_mtu(p->wg, MTU);
	return HP_OK;
}

static enum hp_err open_links(struct plain *p, struct hp_fault *f)
{
	enum hp_err err;
	int fd;

	p->rtnl = rtnl_new(f);
	if (!p->rtnl)
		return HP_ERR_IO;
	err = rtnl_link_mtu(p->rtnl, device_index(p->device), MTU, f);
	fd = rtnl_watch_fd(p->rtnl);
	if (!err && fd >= 0 && hp_loop_watch(p->loop, fd, EPOLLIN, on_links, p))
		err = hp_fault_set(f, HP_ERR_IO, "", "cannot watch netlink");
	return err;
}

static enum hp_err begin(struct plain *p, const struct device_cfg *device,
			 enum hp_aead_engine engine, struct hp_fault *f)
{
	enum hp_err err = open_engine(p, engine, f);

	if (!err)
		err = open_loop(p, f);
	if (!err)
		err = device_new(p->loop, p->log, device, &p->device, f);
	if (!err)
		err = open_links(p, f);
	if (!err)
		err = wgsock_new(p->loop, device->name, &sock_ops, p, &p->sock, f);
	if (err)
		return err;
	if (sandbox_enter())
		log_warn(p->log, "cannot give up rights: %s", strerror(errno));
	return device_start(p->device, p->wg, false, NULL, &device_ops, p,
			    f);
}

static void end(struct plain *p)
{
	wgsock_free(p->sock);
	device_free(p->device);
	rtnl_free(p->rtnl);
	hp_wg_free(p->wg);
	hp_loop_free(p->loop);
}

enum hp_err plain_run(const struct device_cfg *device,
		      enum hp_aead_engine engine, struct daemon *daemon,
		      struct log *log, struct hp_fault *f)
{
	struct plain p = { .log = log };
	enum hp_err err = begin(&p, device, engine, f);

	if (!err) {
		daemon_ready(daemon, log);
		err = hp_loop_run(p.loop);
		if (err)
			(void)hp_fault_set(f, err, "", "the event loop: %s",
					   strerror(errno));
	}
	end(&p);
	return err;
}
