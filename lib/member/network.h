/* SPDX-License-Identifier: ISC */
/*
 * A network: its root public key (its id), its secret, what follows from the
 * two, and where its rendezvous servers are. Names of nodes and their overlay
 * addresses are defined here too. No file, no clock.
 */
#ifndef HP_MEMBER_NETWORK_H
#define HP_MEMBER_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/key.h"
#include "base/path.h"
#include "base/tls_pin.h"

/* Longest name of a node or network, with its NUL. */
#define HP_NAME_TEXT 33
/* Most rendezvous servers of a network. */
#define HP_SERVERS_MAX 4
/* Longest host name of one, with its NUL; "HOST:PORT" with its NUL. */
#define HP_SERVER_HOST 72
#define HP_SERVER_TEXT 88
#define HP_SERVER_PORT 8888
#define HP_SERVER_TLS_PORT 443
/* Under what a node registers at the rendezvous: no name to be seen. */
#define HP_SLOT_LEN 16

/**
 * struct hp_server - A rendezvous server as its user names it
 * @host: DNS name or IP address, no brackets
 * @port: UDP port, and that of TCP where UDP is blocked
 * @over: HP_OVER_UDP: UDP first, TCP and TLS where it is blocked; else nothing
 *        but that, at @port
 */
struct hp_server {
	char host[HP_SERVER_HOST];
	uint16_t port;
	enum hp_transport over;
};

/**
 * struct hp_overlay - A node's IPv4 address inside the tunnel
 * @ip:   network byte order
 * @bits: prefix length of the network's subnet, 8 to 30
 */
struct hp_overlay {
	uint8_t ip[4];
	uint8_t bits;
};

/**
 * struct hp_network - A network as a member knows it
 * @name:     what this host calls it
 * @id:       root Ed25519 public key
 * @secret:   shared by all members
 * @server:   @n_servers rendezvous servers, in order of preference
 * @pin:      @n_pins keys that its servers may show over TLS; none: what the
 *            authorities of the system vouch for
 * @reg_seed: Ed25519 seed under which members register at the rendezvous
 * @reg_public: its public half: all that the rendezvous knows of the network
 * @record_key: seals records and offers
 * @slot_key: turns names into slots
 *
 * Made by hp_network_init(), which derives all from @reg_seed on; end it with
 * hp_network_wipe(). May be copied.
 */
struct hp_network {
	char name[HP_NAME_TEXT];
	struct hp_public id;
	struct hp_secret secret;
	struct hp_server server[HP_SERVERS_MAX];
	unsigned int n_servers;
	struct hp_tls_pin pin[HP_TLS_PINS_MAX];
	unsigned int n_pins;
	struct hp_secret reg_seed;
	struct hp_public reg_public;
	struct hp_secret record_key;
	struct hp_secret slot_key;
};

/* @name must be a good name (hp_name_parse()). No servers yet. */
void hp_network_init(struct hp_network *net, const char *name,
		     const struct hp_public *id,
		     const struct hp_secret *secret);
void hp_network_wipe(struct hp_network *net);
/* HP_ERR_FULL beyond HP_SERVERS_MAX; HP_ERR_EXISTS when already there. */
enum hp_err hp_network_add_server(struct hp_network *net,
				  const struct hp_server *s) HP_MUST_CHECK;

/**
 * hp_network_slot() - Where the node @name registers for @purpose
 * @purpose: NULL: the tunnel; another word registers beside it ("echo")
 * @name:    any case
 */
void hp_network_slot(const struct hp_network *net, const char *purpose,
		     const char *name, uint8_t out[HP_SLOT_LEN]);
/* The WireGuard preshared key of two nodes, by their X25519 public keys, in
 * either order.
 */
void hp_network_psk(const struct hp_network *net, const struct hp_public *a,
		    const struct hp_public *b, struct hp_secret *out);
/**
 * hp_network_pair_key() - The key that only two nodes share: seals probes
 * @own:   our X25519 secret
 * @peer:  the peer's X25519 public key
 *
 * Both ends get the same. Of it hp_note_seal() derives its own.
 *
 * Return: HP_OK; HP_ERR_KEY when @peer is of low order.
 */
enum hp_err hp_network_pair_key(const struct hp_network *net,
				const struct hp_secret *own,
				const struct hp_public *peer,
				struct hp_secret *out) HP_MUST_CHECK;

/* The subnet of @o: 10.9.0.0/24. */
struct hp_prefix hp_overlay_subnet(const struct hp_overlay *o);
/* The address alone, port 0. */
struct hp_addr hp_overlay_addr4(const struct hp_overlay *o);
/* The IPv6 address that goes with it, in the network's own unique local
 * prefix (RFC 4193): fdXX:XXXX:XXXX::HOST, X from the network id.
 */
struct hp_addr hp_overlay_addr6(const struct hp_public *net_id,
				const struct hp_overlay *o);
/* That prefix: 64 bits. */
struct hp_prefix hp_overlay_subnet6(const struct hp_public *net_id);
/* True when a node may have it: 8 to 30 bits, unicast, neither the subnet's
 * first address nor its last.
 */
bool hp_overlay_ok(const struct hp_overlay *o);
bool hp_overlay_eq(const struct hp_overlay *a, const struct hp_overlay *b);

/* "10.9.0.1/24". HP_ERR_FORMAT with @f filled, @out untouched. */
enum hp_err hp_overlay_parse(const char *text, struct hp_overlay *out,
			     struct hp_fault *f) HP_MUST_CHECK;

/**
 * hp_name_parse() - Read the name of a node or a network
 * @text: 1 to 32 of a-z, 0-9 and '-', a letter first; upper case is folded
 *
 * Return: HP_OK; HP_ERR_FORMAT with @f filled, @out untouched.
 */
enum hp_err hp_name_parse(const char *text, char out[HP_NAME_TEXT],
			  struct hp_fault *f) HP_MUST_CHECK;
/**
 * hp_server_parse() - Read "HOST", "HOST:PORT", "IP6" or "[IP6]:PORT", perhaps
 * behind "tcp://" or "tls://" (port 443 without another)
 *
 * Return: HP_OK; HP_ERR_FORMAT with @f filled, @out untouched.
 */
enum hp_err hp_server_parse(const char *text, struct hp_server *out,
			    struct hp_fault *f) HP_MUST_CHECK;
/* "s.example.net:8888", "tls://[2001:db8::1]:443". Returns @out. */
char *hp_server_text(const struct hp_server *s, char out[HP_SERVER_TEXT]);

/* What stands in front of a server's name: "", "tcp://", "tls://"; and takes it
 * off a text.
 */
const char *hp_server_scheme(enum hp_transport over);
enum hp_transport hp_server_scheme_take(const char **text);

/**
 * hp_network_from_word() - A throwaway network out of a word
 * @word: what both sides typed
 * @net:  gives the network, named "room", without servers
 * @root: gives the seed of its root key: whoever knows the word is root
 *
 * Argon2id over 64 MiB: some 100 ms, so that guessing words costs.
 *
 * Return: HP_OK; HP_ERR_NOMEM; HP_ERR_FORMAT when @word is empty.
 */
enum hp_err hp_network_from_word(const char *word, struct hp_network *net,
				 struct hp_secret *root) HP_MUST_CHECK;

#endif
