/* SPDX-License-Identifier: ISC */
/* A TUN device for a test program: single packets, no offload. */
#ifndef TESTS_NATBOX_TUN_H
#define TESTS_NATBOX_TUN_H

/* Makes interface @name; a descriptor that does not block, or -1, and @program
 * has said why.
 */
int tun_open(const char *name, const char *program);

#endif
