/* SPDX-License-Identifier: ISC */
/*
 * To whoever looks at the wire a connection is one to an HTTPS port: the
 * server's name in the clear, as with every web site, and "http/1.1" beside our
 * own protocol in the list that the client offers.
 */
#include "sys/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What may be spoken inside, the best first (RFC 7301, 3.1). */
static const uint8_t protocols[] = "\x07hptun/1\x08http/1.1";

struct hp_tls {
	SSL_CTX *ctx;
	struct hp_tls_pin pin[HP_TLS_PINS_MAX];
	size_t n_pins;
};

/* The newest word of the library about what went wrong. */
static const char *library_says(void)
{
	const char *text = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return text ? text : "for a reason it does not tell";
}

static struct hp_tls *tls_new(const SSL_METHOD *method)
{
	struct hp_tls *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->ctx = SSL_CTX_new(method);
	if (!t->ctx || !SSL_CTX_set_min_proto_version(t->ctx, TLS1_3_VERSION)) {
		hp_tls_free(t);
		return NULL;
	}
	SSL_CTX_set_mode(t->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
				 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				 SSL_MODE_RELEASE_BUFFERS);
	return t;
}

void hp_tls_free(struct hp_tls *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->ctx);
	free(t);
}

void hp_tls_swap(struct hp_tls *t, struct hp_tls *from)
{
	struct hp_tls was = *t;

	*t = *from;
	*from = was;
	hp_tls_free(from);
}

/* A client that offers nothing of this speaks ours all the same, or is not
 * understood soon enough.
 */
static int choose_protocol(SSL *ssl, const unsigned char **out,
			   unsigned char *len, const unsigned char *offered,
			   unsigned int n, void *ctx)
{
	unsigned char *chosen;

	(void)ssl;
	(void)ctx;
	if (SSL_select_next_proto(&chosen, len, protocols,
				  sizeof(protocols) - 1, offered, n) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static enum hp_err load(struct hp_tls *t, const char *cert, const char *key,
			struct hp_fault *f)
{
	if (SSL_CTX_use_certificate_chain_file(t->ctx, cert) != 1)
		return hp_fault_set(f, HP_ERR_IO,
				    "name a file with the certificate and its "
				    "chain in PEM, readable by the server",
				    "cannot use the certificate %s: %s", cert,
				    library_says());
	if (SSL_CTX_use_PrivateKey_file(t->ctx, key, SSL_FILETYPE_PEM) != 1)
		return hp_fault_set(f, HP_ERR_KEY,
				    "name the file with the key of that very "
				    "certificate in PEM, readable by the "
				    "server",
				    "cannot use the key %s: %s", key,
				    library_says());
	return HP_OK;
}

enum hp_err hp_tls_server(const char *cert, const char *key,
			  struct hp_tls **out, struct hp_fault *f)
{
	struct hp_tls *t = tls_new(TLS_server_method());
	enum hp_err err;

	if (!t)
		return hp_fault_set(f, HP_ERR_NOMEM, "", "out of memory");
	err = load(t, cert, key, f);
	if (err) {
		hp_tls_free(t);
		return err;
	}
	/* Nobody comes back soon enough for a ticket to pay. */
	SSL_CTX_set_num_tickets(t->ctx, 0);
	SSL_CTX_set_alpn_select_cb(t->ctx, choose_protocol, NULL);
	*out = t;
	return HP_OK;
}

enum hp_err hp_tls_client(const struct hp_tls_pin *pins, size_t n_pins,
			  struct hp_tls **out, struct hp_fault *f)
{
	struct hp_tls *t = tls_new(TLS_client_method());

	if (!t || SSL_CTX_set_alpn_protos(t->ctx, protocols,
					  sizeof(protocols) - 1)) {
		hp_tls_free(t);
		return hp_fault_set(f, HP_ERR_NOMEM, "", "out of memory");
	}
	t->n_pins = n_pins < HP_TLS_PINS_MAX ? n_pins : HP_TLS_PINS_MAX;
	if (n_pins)
		memcpy(t->pin, pins, t->n_pins * sizeof(*pins));
	SSL_CTX_set_verify(t->ctx,
			   t->n_pins ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
	/* A system without authorities believes nobody, and says so then. */
	if (SSL_CTX_set_default_verify_paths(t->ctx) != 1)
		ERR_clear_error();
	*out = t;
	return HP_OK;
}

/* ---- pins ---- */

static bool pin_of(const X509 *cert, struct hp_tls_pin *out)
{
	unsigned char *der = NULL;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);

	if (len < 0)
		return false;
	crypto_hash_sha256(out->b, der, (unsigned long long)len);
	OPENSSL_free(der);
	return true;
}

void hp_tls_server_pin(const struct hp_tls *t, struct hp_tls_pin *out)
{
	memset(out, 0, sizeof(*out));
	(void)!pin_of(SSL_CTX_get0_certificate(t->ctx), out);
}

/* ---- connections ---- */

/* Whose certificate is asked for, and believed. */
static bool expect(SSL *ssl, const char *host)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	uint8_t ip[16];

	if (inet_pton(AF_INET, host, ip) == 1 ||
	    inet_pton(AF_INET6, host, ip) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(param, host);
	return SSL_set_tlsext_host_name(ssl, host) && SSL_set1_host(ssl, host);
}

struct ssl_st *hp_tls_begin(const struct hp_tls *t, int fd, const char *host)
{
	SSL *ssl = SSL_new(t->ctx);

	if (!ssl || !SSL_set_fd(ssl, fd) || (host && !expect(ssl, host))) {
		SSL_free(ssl);
		return NULL;
	}
	if (host)
		SSL_set_connect_state(ssl);
	else
		SSL_set_accept_state(ssl);
	return ssl;
}

bool hp_tls_believes(const struct hp_tls *t, struct ssl_st *ssl)
{
	X509 *cert = SSL_get0_peer_certificate(ssl);
	struct hp_tls_pin is;

	if (!t->n_pins)
		return true; /* else there had been no end of the handshake */
	if (!cert || !pin_of(cert, &is))
		return false;
	for (size_t i = 0; i < t->n_pins; i++)
		if (!memcmp(&t->pin[i], &is, sizeof(is)))
			return true;
	return false;
}

void hp_tls_why(const struct hp_tls *t, struct ssl_st *ssl, char *out,
		size_t len)
{
	long verified = SSL_get_verify_result(ssl);
	const char *says;

	if (!t->n_pins && verified != X509_V_OK) {
		snprintf(out, len, "its certificate is not believed: %s",
			 X509_verify_cert_error_string(verified));
		ERR_clear_error();
		return;
	}
	says = ERR_peek_last_error() ? library_says() :
				       "the connection was closed";
	snprintf(out, len, "TLS failed: %s", says);
}
