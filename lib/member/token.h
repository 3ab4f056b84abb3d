/* SPDX-License-Identifier: ISC */
/*
 * The token: one line of text that makes a host a member. It holds the
 * network's secret and the seed of a one-time invite key, so it is itself a
 * secret. A check in each group of 40 characters tells where a typo is, and a
 * hash over the whole that there is none.
 */
#ifndef HP_MEMBER_TOKEN_H
#define HP_MEMBER_TOKEN_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/key.h"
#include "base/rng.h"
#include "member/cert.h"
#include "member/network.h"

/* Longest token, with its NUL. */
#define HP_TOKEN_TEXT 1280
/* Longest date, with its NUL: "2026-01-31 12:00 UTC". */
#define HP_DATE_TEXT 32

/**
 * struct hp_token - What a token says
 * @net:    the network, with its servers and their keys
 * @grant:  whom it lets in
 * @invite: seed of the invite key
 */
struct hp_token {
	struct hp_network net;
	struct hp_grant grant;
	struct hp_secret invite;
};

/**
 * hp_token_make() - Make a token and its one-time invite key
 * @net:   the network (borrowed)
 * @root:  seed of the root key
 * @grant: serial, name, overlay and until_s are read
 * @out:   gives the text; wipe it after use
 */
void hp_token_make(const struct hp_network *net, const struct hp_secret *root,
		   const struct hp_grant *grant, const struct hp_rng *rng,
		   char out[HP_TOKEN_TEXT]);
/**
 * hp_token_parse() - Read a token; white space anywhere in it is skipped
 * @wall_s: UTC seconds
 * @out:    gives what it says; wipe it with hp_token_wipe()
 *
 * Return: HP_OK; HP_ERR_FORMAT (not a token, or damaged; @f->column then
 *         tells where), HP_ERR_SHORT (cut off), HP_ERR_VERSION, HP_ERR_AUTH
 *         (forged), HP_ERR_EXPIRED; @f filled, @out wiped.
 */
enum hp_err hp_token_parse(const char *text, uint64_t wall_s,
			   struct hp_token *out, struct hp_fault *f)
	HP_MUST_CHECK;
void hp_token_wipe(struct hp_token *t);

/* UTC date and time of @wall_s. Returns @out. */
char *hp_date_text(uint64_t wall_s, char out[HP_DATE_TEXT]);

#endif
