/* SPDX-License-Identifier: ISC */
/* What a set request of WireGuard's user space API does to an interface. */
#ifndef TUND_APPLY_H
#define TUND_APPLY_H

#include <stdint.h>

struct device;
struct hp_wg;
struct uapi_request;

/**
 * apply_request() - Do what @r asks for
 * @r: a set request without error
 *
 * What may fail for reasons of the system (port, mark) is done first, so that
 * a request that fails there has changed nothing.
 *
 * Return: 0; -EADDRINUSE, -EPERM, -ENOMEM, -EIO.
 */
int apply_request(struct device *d, struct hp_wg *wg,
		  const struct uapi_request *r, uint64_t now_ns);

#endif
