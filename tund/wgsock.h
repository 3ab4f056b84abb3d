/* SPDX-License-Identifier: ISC */
/*
 * The socket of WireGuard's user space API, /var/run/wireguard/IFNAME.sock,
 * where wg(8) looks for it. Reads requests and writes answers; what they mean
 * is in uapi.h, what they do is up to the callbacks.
 */
#ifndef TUND_WGSOCK_H
#define TUND_WGSOCK_H

#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"

struct hp_loop;
struct uapi_request;
struct wgsock;

#define WGSOCK_DIR "/var/run/wireguard"

/**
 * struct wgsock_ops - What requests do
 * @get: write the answer, without its errno line
 * @set: do it; 0 or a negative errno
 */
struct wgsock_ops {
	void (*get)(void *ctx, FILE *out, uint64_t now_ns);
	int (*set)(void *ctx, const struct uapi_request *r, uint64_t now_ns);
};

/**
 * wgsock_new() - Listen for the interface @name
 * @loop: borrowed
 * @ops:  borrowed, called with @ctx
 *
 * A socket that a dead process left is replaced; one that answers is not.
 *
 * Return: HP_OK, @out given; HP_ERR_EXISTS; HP_ERR_NOMEM; HP_ERR_IO.
 */
enum hp_err wgsock_new(struct hp_loop *loop, const char *name,
		       const struct wgsock_ops *ops, void *ctx,
		       struct wgsock **out, struct hp_fault *f) HP_MUST_CHECK;
/* Does anybody listen on the unix socket @path? */
bool wgsock_answers(const char *path);
/* Removes the socket too. NULL is fine. */
void wgsock_free(struct wgsock *w);

#endif
