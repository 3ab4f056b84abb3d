/* SPDX-License-Identifier: ISC */
/*
 * The stock WireGuard peers of a network: values of their settings, finding
 * them, and adding and removing [Peer] sections of network.conf. Whatever else
 * stands in that file stays as it is, comments too.
 */
#ifndef HP_SYS_STORE_PEERS_H
#define HP_SYS_STORE_PEERS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/key.h"

struct hp_prefix;
struct hp_server;
struct hp_stock_peer;
struct hp_store;

/* Value parsers like those of sys/conf.h. A public key: */
enum hp_err hp_value_public(const char *text, struct hp_public *out,
			    struct hp_fault *f) HP_MUST_CHECK;
/* A preshared key. @text is not repeated in @f. */
enum hp_err hp_value_psk(const char *text, struct hp_secret *out,
			 struct hp_fault *f) HP_MUST_CHECK;
/* HOST:PORT or [IP]:PORT; WireGuard has no default port. */
enum hp_err hp_value_endpoint(const char *text, struct hp_server *out,
			      struct hp_fault *f) HP_MUST_CHECK;
/* Seconds, or "off" */
enum hp_err hp_value_keepalive(const char *text, uint16_t *out_s,
			       struct hp_fault *f) HP_MUST_CHECK;
/* Puts @p into the AllowedIPs of @peer; HP_ERR_FULL. */
enum hp_err hp_stock_peer_allow(struct hp_stock_peer *peer,
				const struct hp_prefix *p, struct hp_fault *f)
	HP_MUST_CHECK;

/* The peer with that name or public key (as text); NULL: none. */
const struct hp_stock_peer *hp_store_peer_find(const struct hp_store *s,
					       const char *word);
/* The peer whose AllowedIPs have exactly @p; NULL: none. */
const struct hp_stock_peer *hp_store_peer_at(const struct hp_store *s,
					     const struct hp_prefix *p);

/**
 * hp_store_peer_add() - Write a [Peer] section at the end of network.conf
 * @s:    as loaded; not changed
 * @peer: without clashes
 *
 * Return: HP_OK; HP_ERR_FULL; HP_ERR_NOMEM; what hp_file_load() and
 *         hp_file_save() return: the file is as it was. @f filled.
 */
enum hp_err hp_store_peer_add(const struct hp_store *s,
			      const struct hp_stock_peer *peer,
			      struct hp_fault *f) HP_MUST_CHECK;
/* Takes the section of @peer, one of @s->peer, away again. The same, and
 * HP_ERR_UNKNOWN when the file has fewer sections by now.
 */
enum hp_err hp_store_peer_remove(const struct hp_store *s,
				 const struct hp_stock_peer *peer,
				 struct hp_fault *f) HP_MUST_CHECK;

/* Finds the @nth [Peer] section in @text, from 0: from its header to the end of
 * its last setting. What comments follow belong to what comes next. @start and
 * @end: offsets in bytes. HP_ERR_UNKNOWN.
 */
enum hp_err hp_peer_section(const char *text, size_t nth, size_t *start,
			    size_t *end) HP_MUST_CHECK;

#endif
