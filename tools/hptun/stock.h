/* SPDX-License-Identifier: ISC */
/*
 * What hptun peer, export and invite have in common: addresses inside the
 * network that are asked for, and stock peers that must not clash with anybody.
 */
#ifndef TOOLS_HPTUN_STOCK_H
#define TOOLS_HPTUN_STOCK_H

#include "../cli.h"
#include "base/err.h"

/**
 * struct stock_edit - A network whose configuration is being edited
 * @store: loaded while @lock was held
 * @lock, @fd: keep others from editing meanwhile
 */
struct stock_edit {
	struct hp_store *store;
	char lock[HP_PATH_MAX];
	int fd;
};

/* Loads and locks the network of @cli. End with stock_edit_end(). */
enum hp_err stock_edit_begin(struct stock_edit *e, const struct cli *cli,
			     struct hp_fault *f) HP_MUST_CHECK;
void stock_edit_end(struct stock_edit *e);

/* One IPv4 address, no port. HP_ERR_FORMAT. */
enum hp_err stock_value_address(const char *text, struct hp_addr *out,
				struct hp_fault *f) HP_MUST_CHECK;
/* @addr as a node of the network @s has it; HP_ERR_FORMAT outside of it. */
enum hp_err stock_overlay(const struct hp_store *s, const struct hp_addr *addr,
			  struct hp_overlay *out, struct hp_fault *f)
	HP_MUST_CHECK;
/**
 * stock_place() - Give @peer addresses inside the network
 * @addr: the IPv4 one; HP_AF_NONE: a free one, where the members file is
 *
 * The IPv6 address follows from it, as for a node.
 *
 * Return: HP_OK; HP_ERR_FORMAT; HP_ERR_FULL; HP_ERR_DENIED: @addr is needed on
 *         this host; HP_ERR_IO. @f filled.
 */
enum hp_err stock_place(const struct hp_store *s, const struct hp_addr *addr,
			struct hp_stock_peer *peer, struct hp_fault *f)
	HP_MUST_CHECK;
/* Nobody in the network may have its name, key or AllowedIPs. HP_ERR_EXISTS, or
 * what loading the members returns.
 */
enum hp_err stock_check(const struct hp_store *s,
			const struct hp_stock_peer *peer, struct hp_fault *f)
	HP_MUST_CHECK;
/* Says how a running daemon takes the change over. */
void stock_next(const struct hp_store *s, FILE *out);

#endif
