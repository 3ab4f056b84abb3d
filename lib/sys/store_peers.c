/* SPDX-License-Identifier: ISC */
#include "sys/store_peers.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sys/conf.h"
#include "sys/store.h"

/* Longest text of one section, with its NUL. */
#define SECTION_TEXT (512 + HP_STORE_ALLOWED_MAX * (HP_PREFIX_TEXT + 2))

/* ---- values -------------------------------------------------------------- */

enum hp_err hp_value_public(const char *text, struct hp_public *out,
			    struct hp_fault *f)
{
	if (hp_public_parse(text, out) == HP_OK)
		return HP_OK;
	return hp_fault_set(f, HP_ERR_FORMAT,
			    "a key is 44 characters of base64, as `wg pubkey` "
			    "prints it",
			    "this is not a public key");
}

enum hp_err hp_value_psk(const char *text, struct hp_secret *out,
			 struct hp_fault *f)
{
	if (hp_secret_parse(text, out) == HP_OK)
		return HP_OK;
	return hp_fault_set(f, HP_ERR_FORMAT, "write what `wg genpsk` prints",
			    "this is not a preshared key");
}

enum hp_err hp_value_endpoint(const char *text, struct hp_server *out,
			      struct hp_fault *f)
{
	const char *colon = strrchr(text, ':');

	if (!colon || (colon != strchr(text, ':') && !strstr(text, "]:")))
		return hp_fault_set(f, HP_ERR_FORMAT,
				    "write HOST:PORT, or [IP]:PORT for IPv6",
				    "\"%.60s\" has no port", text);
	return hp_server_parse(text, out, f);
}

enum hp_err hp_value_keepalive(const char *text, uint16_t *out_s,
			       struct hp_fault *f)
{
	uint32_t s = 0;
	enum hp_err err = HP_OK;

	if (strcasecmp(text, "off"))
		err = hp_value_u32(text, 0, UINT16_MAX, &s, f);
	if (!err)
		*out_s = (uint16_t)s;
	return err;
}

enum hp_err hp_stock_peer_allow(struct hp_stock_peer *peer,
				const struct hp_prefix *p, struct hp_fault *f)
{
	if (peer->n_allowed == HP_STORE_ALLOWED_MAX)
		return hp_fault_set(f, HP_ERR_FULL, "join some of them",
				    "more than %d prefixes in one [Peer]",
				    HP_STORE_ALLOWED_MAX);
	peer->allowed[peer->n_allowed++] = *p;
	return HP_OK;
}

/* ---- finding ------------------------------------------------------------- */

const struct hp_stock_peer *hp_store_peer_find(const struct hp_store *s,
					       const char *word)
{
	struct hp_public key;
	bool is_key = hp_public_parse(word, &key) == HP_OK;

	for (size_t i = 0; i < s->n_peers; i++) {
		const struct hp_stock_peer *p = &s->peer[i];

		if (is_key ? hp_public_eq(&p->key, &key)
			   : p->name[0] && !strcasecmp(p->name, word))
			return p;
	}
	return NULL;
}

const struct hp_stock_peer *hp_store_peer_at(const struct hp_store *s,
					     const struct hp_prefix *p)
{
	for (size_t i = 0; i < s->n_peers; i++)
		for (unsigned int k = 0; k < s->peer[i].n_allowed; k++)
			if (hp_prefix_eq(&s->peer[i].allowed[k], p))
				return &s->peer[i];
	return NULL;
}

/* ---- text ---------------------------------------------------------------- */

static size_t section_text(const struct hp_stock_peer *p, char *out,
			   size_t cap)
{
	char prefix[HP_PREFIX_TEXT], host[HP_SERVER_TEXT], key[HP_KEY_TEXT];
	size_t n = (size_t)snprintf(out, cap, "\n[Peer]\n");

	if (p->name[0])
		n += (size_t)snprintf(out + n, cap - n, "Name = %s\n",
				      p->name);
	n += (size_t)snprintf(out + n, cap - n, "PublicKey = %s\n",
			      hp_public_text(&p->key, key));
	if (p->has_psk)
		n += (size_t)snprintf(out + n, cap - n, "PresharedKey = %s\n",
				      hp_secret_text(&p->psk, key));
	sodium_memzero(key, sizeof(key));
	for (unsigned int i = 0; i < p->n_allowed; i++)
		n += (size_t)snprintf(out + n, cap - n, "%s%s%s",
				      i ? ", " : "AllowedIPs = ",
				      hp_prefix_text(&p->allowed[i], prefix),
				      i + 1 == p->n_allowed ? "\n" : "");
	if (p->has_endpoint)
		n += (size_t)snprintf(out + n, cap - n, "Endpoint = %s\n",
				      hp_server_text(&p->endpoint, host));
	if (p->keepalive_s)
		n += (size_t)snprintf(out + n, cap - n,
				      "PersistentKeepalive = %u\n",
				      p->keepalive_s);
	return n;
}

/* What a line is, the way sys/conf.c reads it. */
static bool line_says(const char *line, size_t len, bool *header, bool *peer)
{
	size_t from = strspn(line, " \t\r\n");

	*header = *peer = false;
	if (from >= len || line[from] == '#')
		return false;
	*header = line[from] == '[';
	*peer = *header && !strncasecmp(line + from, "[Peer]", 6);
	return true;
}

enum hp_err hp_peer_section(const char *text, size_t nth, size_t *start,
			    size_t *end)
{
	size_t at = 0, seen = 0, len;
	bool header, peer, inside = false;

	for (; text[at]; at += len) {
		len = strcspn(text + at, "\n");
		len += text[at + len] == '\n';
		if (!line_says(text + at, len, &header, &peer))
			continue;
		if (inside && header)
			return HP_OK;
		if (peer && seen++ == nth) {
			inside = true;
			*start = at;
		}
		if (inside)
			*end = at + len;
	}
	return inside ? HP_OK : HP_ERR_UNKNOWN;
}

/* ---- the file ------------------------------------------------------------ */

/* Writes @text in which bytes @start to @end are replaced by @with. */
static enum hp_err replace(const char *path, const char *text, size_t len,
			   size_t start, size_t end, const char *with,
			   size_t with_len, struct hp_fault *f)
{
	size_t total = len - (end - start) + with_len;
	char *fresh = malloc(total + 1);
	enum hp_err err;

	if (!fresh)
		return hp_fault_set(f, HP_ERR_NOMEM, "", "out of memory");
	memcpy(fresh, text, start);
	memcpy(fresh + start, with, with_len);
	memcpy(fresh + start + with_len, text + end, len - end);
	/* It may hold preshared keys from now on. */
	err = hp_file_save(path, fresh, total, 0600, f);
	sodium_memzero(fresh, total);
	free(fresh);
	return err;
}

static enum hp_err conf_read(const struct hp_store *s, char path[HP_PATH_MAX],
			     char **text, size_t *len, struct hp_fault *f)
{
	enum hp_err err = hp_path_join(path, s->config, "network.conf", f);

	return err ? err : hp_file_load(path, false, text, len, f);
}

enum hp_err hp_store_peer_add(const struct hp_store *s,
			      const struct hp_stock_peer *peer,
			      struct hp_fault *f)
{
	char section[SECTION_TEXT + 1], path[HP_PATH_MAX];
	char *text = NULL;
	size_t len = 0, n;
	enum hp_err err;
	bool broken;

	if (s->n_peers >= HP_STORE_PEERS_MAX)
		return hp_fault_set(f, HP_ERR_FULL,
				    "remove one: hptun peer remove NAME",
				    "there are %d stock peers, the most there "
				    "can be", HP_STORE_PEERS_MAX);
	err = conf_read(s, path, &text, &len, f);
	if (err)
		return err;
	/* A last line without its end gets it. */
	broken = len && text[len - 1] != '\n';
	section[0] = '\n';
	n = 1 + section_text(peer, section + 1, SECTION_TEXT);
	err = replace(path, text, len, len, len, section + !broken,
		      n - !broken, f);
	sodium_memzero(section, sizeof(section));
	hp_file_free(text, len);
	return err;
}

enum hp_err hp_store_peer_remove(const struct hp_store *s,
				 const struct hp_stock_peer *peer,
				 struct hp_fault *f)
{
	size_t nth = (size_t)(peer - s->peer);
	size_t len = 0, start = 0, end = 0;
	char path[HP_PATH_MAX];
	char *text = NULL;
	enum hp_err err;

	err = conf_read(s, path, &text, &len, f);
	if (err)
		return err;
	if (hp_peer_section(text, nth, &start, &end))
		err = hp_fault_set(f, HP_ERR_UNKNOWN, "run the command again",
				   "%s was changed meanwhile", path);
	/* The empty line that was written with it. */
	if (!err && start >= 2 && text[start - 1] == '\n' &&
	    text[start - 2] == '\n')
		start--;
	if (!err)
		err = replace(path, text, len, start, end, "", 0, f);
	hp_file_free(text, len);
	return err;
}
