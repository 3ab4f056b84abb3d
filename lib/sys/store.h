/* SPDX-License-Identifier: ISC */
/*
 * A network on this host's disk. CONFIG/NAME/ (0700) holds what its owner
 * wrote and the keys; STATE/NAME/ what the daemon learns, written by it alone:
 *
 *	CONFIG/NAME/network.conf    settings
 *	            network.secret  shared secret, 0600
 *	            node.key        X25519 secret, 0600
 *	            sign.key        Ed25519 seed, 0600
 *	            cert            our certificate
 *	            root.key        seed of the root key, 0600; where init ran
 *	            members         who was invited; where init ran
 *	STATE/NAME/ pins            nodes met
 *	            revoked         newest revocation list
 *	            cert            permanent certificate, when given one
 *	            cache           where nodes were reached, sealed
 *	            timestamp       handshake timestamps reserved so far
 *	RUN/NAME.sock, RUN/NAME.pid control socket and lock of the daemon
 *
 * A member counts as joined once its pin has the serial of its invitation, so
 * the daemon need not write to CONFIG.
 */
#ifndef HP_SYS_STORE_H
#define HP_SYS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/candidate.h"
#include "base/err.h"
#include "base/key.h"
#include "member/cert.h"
#include "member/judge.h"
#include "member/network.h"
#include "sys/disk.h"
#include "sys/tls.h"
#include "wg/aead.h"

#define HP_STORE_MTU 1408
/* Most networks on one host, and [Peer] sections and prefixes of one. */
#define HP_STORE_NETWORKS_MAX 64
#define HP_STORE_PEERS_MAX 256
#define HP_STORE_ALLOWED_MAX 32
#define HP_STORE_USER 33

struct hp_members;
struct hp_node;

/* Where things are; strings are borrowed. */
struct hp_dirs {
	const char *config;
	const char *run;
	const char *state;
};

/* From HPTUN_CONFIG_DIR, HPTUN_RUN_DIR, HPTUN_STATE_DIR, or the defaults
 * /etc/hptun, /run/hptun, /var/lib/hptun.
 */
struct hp_dirs hp_dirs_default(void);

/**
 * struct hp_stamp - Source of handshake timestamps
 * @path:     file of the reservation; "" keeps none
 * @last_ns:  last one given
 * @bound_ns: all up to here are reserved on disk
 */
struct hp_stamp {
	char path[HP_PATH_MAX];
	uint64_t last_ns;
	uint64_t bound_ns;
};

/* What [Interface] says beyond the identity. */
struct hp_iface {
	uint16_t listen_port; /* 0: the system chooses */
	char device[16];
	uint16_t mtu;
	bool offload;
	bool beacon;
	uint32_t threads; /* that move data; 0: by the processors */
	bool allow_relay;
	uint32_t relay_rate;  /* bytes per second, 0: no limit */
	uint32_t methods;     /* enum hp_method */
	enum hp_cipher_policy cipher;
	enum hp_aead_engine engine;
	struct hp_ifpatterns interfaces;
	struct hp_ifpatterns exclude;
	char owner[HP_STORE_USER];
	char group[HP_STORE_USER];
};

/* A stock WireGuard peer: a [Peer] section. */
struct hp_stock_peer {
	char name[HP_NAME_TEXT]; /* "": it has none */
	struct hp_public key;
	bool has_psk;
	struct hp_secret psk;
	bool has_endpoint;
	struct hp_server endpoint;
	uint16_t keepalive_s; /* 0: off */
	unsigned int n_allowed;
	struct hp_prefix allowed[HP_STORE_ALLOWED_MAX];
};

/**
 * struct hp_store - A network as loaded
 * @name:     of its directory; also net.name
 * @net:      the network
 * @id:       this node; the certificate is the best one there is
 * @has_root: @root is the seed of the root key
 * @iface:    settings
 * @peer:     @n_peers stock peers
 * @stamp:    see hp_store_timestamp()
 */
struct hp_store {
	char name[HP_NAME_TEXT];
	char config[HP_PATH_MAX];	/* CONFIG/NAME */
	char state[HP_PATH_MAX];	/* STATE/NAME */
	char socket[HP_PATH_MAX];	/* RUN/NAME.sock */
	char lock[HP_PATH_MAX];		/* RUN/NAME.pid */
	struct hp_network net;
	struct hp_identity id;
	bool has_root;
	struct hp_secret root;
	struct hp_iface iface;
	struct hp_stock_peer *peer;
	size_t n_peers;
	struct hp_stamp stamp;
};

/* Names of the networks on this host, sorted; @n gets their number. A host
 * without any is HP_OK and 0. HP_ERR_IO, HP_ERR_FULL with @f filled.
 */
enum hp_err hp_store_list(const struct hp_dirs *dirs,
			  char names[][HP_NAME_TEXT], size_t cap, size_t *n,
			  struct hp_fault *f) HP_MUST_CHECK;
/**
 * hp_store_pick() - The network that is meant
 * @name: as given with --network; NULL: the only one there is
 *
 * Return: HP_OK; HP_ERR_UNKNOWN: no network here, several, or none of that
 *         name; HP_ERR_FORMAT: not a name. @f tells what to do.
 */
enum hp_err hp_store_pick(const struct hp_dirs *dirs, const char *name,
			  char out[HP_NAME_TEXT], struct hp_fault *f)
	HP_MUST_CHECK;
/**
 * hp_store_open() - Load a network
 * @name: NULL: the only one there is
 * @out:  gives the store; end with hp_store_close()
 *
 * Return: HP_OK; what hp_store_pick() returns; HP_ERR_DENIED: a secret file
 *         others can read; HP_ERR_FORMAT: with file, line and column in the
 *         cause; HP_ERR_KEY, HP_ERR_AUTH: keys and certificate do not fit;
 *         HP_ERR_NOMEM; HP_ERR_IO. @f filled.
 */
enum hp_err hp_store_open(const struct hp_dirs *dirs, const char *name,
			  struct hp_store **out, struct hp_fault *f)
	HP_MUST_CHECK;
/* Wipes and frees; NULL is fine. */
void hp_store_close(struct hp_store *s);

/* Paths of the network @name filled in, the rest zero and default. */
enum hp_err hp_store_init(struct hp_store *s, const struct hp_dirs *dirs,
			  const char *name, struct hp_fault *f) HP_MUST_CHECK;
/* Writes a new network: all of it or nothing. @m: the first members, where the
 * root key is, else NULL. HP_ERR_EXISTS, HP_ERR_IO.
 */
enum hp_err hp_store_create(const struct hp_store *s,
			    const struct hp_members *m, struct hp_fault *f)
	HP_MUST_CHECK;
/* Removes keys and state of a network. HP_ERR_IO. */
enum hp_err hp_store_remove(const struct hp_store *s, struct hp_fault *f)
	HP_MUST_CHECK;
/* The first hptunN that no network on this host has as its Device. */
enum hp_err hp_store_free_device(const struct hp_dirs *dirs, char out[16],
				 struct hp_fault *f) HP_MUST_CHECK;

/* A judge with the pins and the revocation list on disk, and ourselves
 * pinned. A damaged file is an error, never an empty memory.
 */
enum hp_err hp_store_judge(const struct hp_store *s, struct hp_judge **out,
			   struct hp_fault *f) HP_MUST_CHECK;
/* Write what the judge knows; what the node was given. HP_ERR_IO. */
enum hp_err hp_store_save_pins(const struct hp_store *s,
			       const struct hp_judge *j, struct hp_fault *f)
	HP_MUST_CHECK;
enum hp_err hp_store_save_revoked(const struct hp_store *s,
				  const struct hp_judge *j,
				  struct hp_fault *f) HP_MUST_CHECK;
enum hp_err hp_store_save_cert(const struct hp_store *s,
			       const struct hp_cert *cert, struct hp_fault *f)
	HP_MUST_CHECK;

/* Where peers were reached: into the node, before it starts, and from it;
 * @port: the one it had, 0: not known. A damaged file is HP_ERR_FORMAT, HP_ERR_AUTH or the like with @f filled, and
 * is to be passed over; none is HP_OK.
 */
enum hp_err hp_store_load_cache(const struct hp_store *s, struct hp_node *n,
				uint16_t *port, struct hp_fault *f)
	HP_MUST_CHECK;
enum hp_err hp_store_save_cache(const struct hp_store *s,
				const struct hp_node *n, struct hp_fault *f)
	HP_MUST_CHECK;

/**
 * hp_store_timestamp() - A TAI64N timestamp above all given before
 * @out: be64 seconds from 2^62 (TAI), be32 nanoseconds
 *
 * Higher than every one before, also across restarts and when the clock was
 * set back or, once, far ahead: an upper bound is on disk before use.
 *
 * Return: HP_OK; HP_ERR_IO: @out is good, but a crash could repeat it.
 */
enum hp_err hp_store_timestamp(struct hp_store *s, uint8_t out[12])
	HP_MUST_CHECK;
/* The parts of it: reads the file at @path ("" keeps none) ... */
enum hp_err hp_stamp_open(struct hp_stamp *s, const char *path,
			  struct hp_fault *f) HP_MUST_CHECK;
/* ... and gives the next one at @wall_ns. */
enum hp_err hp_stamp_next(struct hp_stamp *s, uint64_t wall_ns,
			  uint8_t out[12]) HP_MUST_CHECK;

/**
 * struct hp_member - A line of the members file
 * @name:    of the node
 * @serial:  of its newest invitation
 * @overlay: its address
 * @until_s: when the invitation ends; 0: our own, made by init
 * @revoked: it may not take part any more
 */
struct hp_member {
	char name[HP_NAME_TEXT];
	uint32_t serial;
	struct hp_overlay overlay;
	uint64_t until_s;
	bool revoked;
};

/**
 * struct hp_members - The members file, on the holder of the root key
 * @member:  @n of them, one for each serial, oldest first
 * @number:  of the last revocation list
 */
struct hp_members {
	struct hp_member *member;
	size_t n;
	uint32_t number;
};

/* HP_ERR_DENIED where there is no root key. End with hp_members_free(). */
enum hp_err hp_members_load(const struct hp_store *s, struct hp_members *out,
			    struct hp_fault *f) HP_MUST_CHECK;
/* @dir: config of the store. */
enum hp_err hp_members_save(const char *dir, const struct hp_members *m,
			    struct hp_fault *f) HP_MUST_CHECK;
void hp_members_free(struct hp_members *m);
enum hp_err hp_members_add(struct hp_members *m, const struct hp_member *one)
	HP_MUST_CHECK;
/* The newest line of that name; NULL: none. */
struct hp_member *hp_members_find(const struct hp_members *m,
				  const char *name);
/* A serial above all in the file. */
uint32_t hp_members_serial(const struct hp_members *m);
/**
 * hp_members_free_address() - The lowest address nobody has
 * @s: the network, its stock peers, and this host's address
 *
 * Addresses of revoked members are free again.
 *
 * Return: HP_OK; HP_ERR_FULL.
 */
enum hp_err hp_members_free_address(const struct hp_members *m,
				    const struct hp_store *s,
				    struct hp_overlay *out) HP_MUST_CHECK;

#endif
