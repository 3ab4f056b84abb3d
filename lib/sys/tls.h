/* SPDX-License-Identifier: ISC */
/*
 * TLS 1.3 as an HTTPS port speaks it, for lib/sys/stream.h: what a server shows
 * and what a client believes. OpenSSL's libssl does the work.
 */
#ifndef HP_SYS_TLS_H
#define HP_SYS_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/tls_pin.h"

struct hp_tls;
struct ssl_st;

/**
 * hp_tls_server() - What a server shows
 * @cert: file: its certificate first, then the chain; PEM
 * @key:  file; PEM
 *
 * Return: HP_OK, @out given; HP_ERR_IO, HP_ERR_KEY (they do not fit) or
 *         HP_ERR_NOMEM with @f filled.
 */
enum hp_err hp_tls_server(const char *cert, const char *key,
			  struct hp_tls **out, struct hp_fault *f)
	HP_MUST_CHECK;
/**
 * hp_tls_client() - What a client believes
 * @pins: with any, a server needs one of these keys, and no more is asked of
 *        its certificate; without, that must be good by the system's
 *        authorities and be made out to the server's name
 *
 * Return: HP_OK, @out given; HP_ERR_NOMEM with @f filled.
 */
enum hp_err hp_tls_client(const struct hp_tls_pin *pins, size_t n_pins,
			  struct hp_tls **out, struct hp_fault *f)
	HP_MUST_CHECK;
/* Connections that were made with it go on. NULL is fine. */
void hp_tls_free(struct hp_tls *t);

/* Connections to come use @from, which it takes, in place of what @t had. Those
 * that stand refer to @t and go on.
 */
void hp_tls_swap(struct hp_tls *t, struct hp_tls *from);

/* The pin of the key that a server shows, for people who want to pin it. */
void hp_tls_server_pin(const struct hp_tls *t, struct hp_tls_pin *out);

/* For lib/sys/stream.c: a connection on @fd; @host: whom a client means; NULL:
 * we are the server. NULL when out of memory.
 */
struct ssl_st *hp_tls_begin(const struct hp_tls *t, int fd, const char *host);
/* Is the server whom we mean? Call it once the handshake is over. */
bool hp_tls_believes(const struct hp_tls *t, struct ssl_st *ssl);
/* Why the handshake failed, for people: "the certificate has expired". */
void hp_tls_why(const struct hp_tls *t, struct ssl_st *ssl, char *out,
		size_t len);

#endif
