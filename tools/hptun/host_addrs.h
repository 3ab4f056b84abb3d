/* SPDX-License-Identifier: ISC */
/* The addresses of this host, asked of the C library: needs no root. */
#ifndef TOOLS_HPTUN_HOST_ADDRS_H
#define TOOLS_HPTUN_HOST_ADDRS_H

#include <stddef.h>

#include "punch/candidates.h"

/* All addresses of this host in @out, to be freed; what looks like a tunnel is
 * marked. Returns their number.
 */
size_t host_addrs(struct hp_ifaddr **out);

#endif
