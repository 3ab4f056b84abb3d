/* SPDX-License-Identifier: ISC */
/* network.conf: its settings, read and written. For the store alone. */
#ifndef HP_SYS_STORE_CONF_H
#define HP_SYS_STORE_CONF_H

#include <stddef.h>

#include "base/err.h"
#include "member/network.h"

struct hp_store;

/* Longest text that init and join write, with its NUL. */
#define HP_STORE_CONF_TEXT 2048

/**
 * struct hp_store_conf - What the file says that other files say too
 * @network: [Network] Name
 * @id:      [Network] Id
 * @node:    [Interface] Name
 * @overlay: [Interface] Address
 */
struct hp_store_conf {
	char network[HP_NAME_TEXT];
	struct hp_public id;
	char node[HP_NAME_TEXT];
	struct hp_overlay overlay;
};

/* Reads the file at @path into @out and the servers, @s->iface and the stock
 * peers of @s. Returns what hp_conf_load() returns; @s may be half filled.
 */
enum hp_err hp_store_conf_load(const char *path, struct hp_store *s,
			       struct hp_store_conf *out, struct hp_fault *f)
	HP_MUST_CHECK;
/* The text of the file for a new network. Returns its length. */
size_t hp_store_conf_text(const struct hp_store *s,
			  char out[HP_STORE_CONF_TEXT]);

#endif
