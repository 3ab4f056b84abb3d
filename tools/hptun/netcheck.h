/* SPDX-License-Identifier: ISC */
/*
 * hptun netcheck in parts: netcheck.c the command line, netcheck_run.c the
 * sockets and the loop, netcheck_meet.c whether servers serve us,
 * netcheck_stream.c whether TCP and TLS reach them,
 * netcheck_gateway.c whether the gateway opens ports,
 * netcheck_show.c what is printed.
 */
#ifndef TOOLS_HPTUN_NETCHECK_H
#define TOOLS_HPTUN_NETCHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "../cli.h"
#include "host_addrs.h"
#include "meet/client.h"
#include "member/network.h"
#include "node/netcheck.h"
#include "sys/portmap.h"
#include "sys/udp.h"

/* Subnets inside the tunnel of the network that is meant. */
#define NETCHECK_OVERLAYS 2

/**
 * struct netcheck_service - What a server does for the network
 * @asked:   it was asked, because it answered by STUN
 * @served:  it took the registration, after @rtt_ns
 * @relay:   and relays
 * @refused: why it took none, 0: it did, or did not answer
 */
struct netcheck_service {
	bool asked;
	bool served;
	bool relay;
	enum hp_meet_reason refused;
	uint64_t rtt_ns;
};

/**
 * struct netcheck_stream - A server over TCP, or TLS
 * @asked:  it was tried, at @port
 * @works:  it answered, after @rtt_ns, connecting included
 * @why:    it did not, for people
 */
struct netcheck_stream {
	bool asked;
	bool works;
	uint16_t port;
	uint64_t rtt_ns;
	char why[160];
};

/**
 * struct netcheck_report - What is to be found out, and what was
 * @server:  @n_servers of them; @error: why its name was not found, "": it was
 * @service: of each; @stream: over TCP, over TLS
 * @pin:     @n_pins keys that servers may show
 * @seed:    under which the network registers, with @has_seed; it is wiped
 * @overlay: @n_overlay subnets inside our tunnel
 * @forbidden: this host itself forbade to send (EPERM)
 * @interfaces, @exclude: as configured
 * @gateway: how it answers who wants a port opened
 * @nat64:   prefix behind which IPv4 is, HP_AF_NONE: it is not behind one
 * @addr:    @n_addrs addresses of this host (owned)
 */
struct netcheck_report {
	struct hp_server server[HP_SERVERS_MAX];
	char error[HP_SERVERS_MAX][80];
	unsigned int n_servers;
	struct netcheck_service service[HP_SERVERS_MAX];
	struct netcheck_stream stream[HP_SERVERS_MAX][2];
	struct hp_tls_pin pin[HP_TLS_PINS_MAX];
	unsigned int n_pins;
	struct hp_secret seed;
	bool has_seed;
	struct hp_prefix overlay[NETCHECK_OVERLAYS];
	size_t n_overlay;
	bool lifetime;
	bool forbidden;
	struct hp_ifpatterns interfaces;
	struct hp_ifpatterns exclude;
	struct hp_ifaddr *addr;
	size_t n_addrs;
	struct hp_portmap_info gateway;
	struct hp_prefix nat64;
	struct hp_netcheck_facts facts;
};

/* Fills @r. HP_OK; HP_ERR_AGAIN when a signal ended it, @signo; other errors
 * with @f filled.
 */
enum hp_err netcheck_run(struct netcheck_report *r, int *signo,
			 struct hp_fault *f) HP_MUST_CHECK;

/* Fills @r->service once the facts are there: 3 s at most. */
enum hp_err netcheck_meet(struct netcheck_report *r, struct hp_fault *f)
	HP_MUST_CHECK;

/* Fills @r->stream after that: 4 s at most. */
enum hp_err netcheck_streams(struct netcheck_report *r, struct hp_fault *f)
	HP_MUST_CHECK;
/* Is any server reached so? */
bool netcheck_stream_works(const struct netcheck_report *r);
void netcheck_stream_print(const struct netcheck_report *r, unsigned int i);
json_t *netcheck_stream_json(const struct netcheck_report *r, unsigned int i,
			     bool tls);

/**
 * struct netcheck_gateway - The gateway is asked beside all else
 * @udp: a port that is opened for a moment; not one that is measured with
 */
struct netcheck_gateway {
	struct hp_udp udp;
	struct hp_portmap *map;
	struct hp_portmap_info *info;
};

/* Begins to ask; @info is filled from then on. Zero @g, and close its socket,
 * before; end with netcheck_gateway_end() in any case.
 */
enum hp_err netcheck_gateway_begin(struct netcheck_gateway *g,
				   struct hp_loop *loop,
				   struct hp_portmap_info *info,
				   struct hp_fault *f) HP_MUST_CHECK;
void netcheck_gateway_end(struct netcheck_gateway *g);
/* Will peers be told of a port that it opens? Once the facts are there. */
bool netcheck_gateway_opens(const struct netcheck_report *r);
void netcheck_gateway_print(const struct netcheck_report *r);
json_t *netcheck_gateway_json(const struct netcheck_report *r);

/* Did any server answer? */
bool netcheck_udp_works(const struct netcheck_report *r);
void netcheck_print(const struct netcheck_report *r);
/* Gives the document; NULL: no memory. */
json_t *netcheck_json(const struct netcheck_report *r);

#endif
