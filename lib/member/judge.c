/* SPDX-License-Identifier: ISC */
#include "member/judge.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "member/cert.h"
#include "member/token.h"

/* Certificates of which it is remembered that their signatures are right. */
#define PROVEN 256
#define PROVEN_LEN 32

struct hp_judge {
	struct hp_public net_id;
	uint8_t proven[PROVEN][PROVEN_LEN]; /* digests, by serial */
	struct hp_pin *pin; /* @n, sorted by name */
	size_t n;
	size_t cap;
	uint64_t generation;
	uint32_t number; /* of the list, 0: none */
	size_t n_revoked;
	uint32_t revoked[HP_REVOKED_MAX];
	size_t list_len;
	uint8_t list[HP_REVOKED_WIRE_MAX];
};

struct hp_judge *hp_judge_new(const struct hp_public *net_id)
{
	struct hp_judge *j = calloc(1, sizeof(*j));

	if (j)
		j->net_id = *net_id;
	return j;
}

void hp_judge_free(struct hp_judge *j)
{
	if (!j)
		return;
	free(j->pin);
	free(j);
}

/* First pin whose name is not below @name. */
static size_t pin_place(const struct hp_judge *j, const char *name)
{
	size_t low = 0;
	size_t high = j->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (strcmp(j->pin[mid].name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct hp_pin *pin_find(const struct hp_judge *j, const char *name)
{
	size_t at = pin_place(j, name);

	if (at == j->n || strcmp(j->pin[at].name, name))
		return NULL;
	return &j->pin[at];
}

enum hp_err hp_judge_add_pin(struct hp_judge *j, const struct hp_pin *pin)
{
	size_t at = pin_place(j, pin->name);

	if (pin_find(j, pin->name))
		return HP_ERR_EXISTS;
	if (j->n == HP_PINS_MAX)
		return HP_ERR_FULL;
	if (j->n == j->cap) {
		size_t cap = j->cap ? 2 * j->cap : 16;
		struct hp_pin *grown = realloc(j->pin, cap * sizeof(*grown));

		if (!grown)
			return HP_ERR_NOMEM;
		j->pin = grown;
		j->cap = cap;
	}
	memmove(&j->pin[at + 1], &j->pin[at], (j->n - at) * sizeof(*j->pin));
	j->pin[at] = *pin;
	j->n++;
	j->generation++;
	return HP_OK;
}

/* Another name, not revoked, that holds the address. */
static const struct hp_pin *address_owner(const struct hp_judge *j,
					  const struct hp_cert *cert)
{
	for (size_t i = 0; i < j->n; i++)
		if (!memcmp(j->pin[i].overlay.ip, cert->grant.overlay.ip, 4) &&
		    strcmp(j->pin[i].name, cert->grant.name) &&
		    !hp_judge_is_revoked(j, j->pin[i].serial))
			return &j->pin[i];
	return NULL;
}

/* Another name, not revoked, that showed the same X25519 key first. Who shows
 * a key need not own it, and must not take its owner's place.
 */
static const struct hp_pin *key_owner(const struct hp_judge *j,
				      const struct hp_cert *cert)
{
	for (size_t i = 0; i < j->n; i++)
		if (hp_public_eq(&j->pin[i].key, &cert->key) &&
		    strcmp(j->pin[i].name, cert->grant.name) &&
		    !hp_judge_is_revoked(j, j->pin[i].serial))
			return &j->pin[i];
	return NULL;
}

static bool pin_fits(const struct hp_pin *p, const struct hp_cert *c)
{
	return hp_public_eq(&p->key, &c->key) &&
	       hp_public_eq(&p->sign, &c->sign) &&
	       hp_overlay_eq(&p->overlay, &c->grant.overlay);
}

static struct hp_pin pin_of(const struct hp_cert *c)
{
	struct hp_pin p = {
		.serial = c->grant.serial,
		.overlay = c->grant.overlay,
		.key = c->key,
		.sign = c->sign,
		.until_s = c->kind == HP_CERT_GRANTED ? c->grant.until_s : 0,
	};

	memcpy(p.name, c->grant.name, sizeof(p.name));
	return p;
}

/* The date no longer limits who has shown a permanent certificate once. */
static void note_permanent(struct hp_judge *j, struct hp_pin *pin,
			   const struct hp_cert *c)
{
	if (c->kind != HP_CERT_PERMANENT || !pin->until_s)
		return;
	pin->until_s = 0;
	j->generation++;
}

/* The part of the drawing in the header below "pin of that name". */
static enum hp_err pin_check(struct hp_judge *j, const struct hp_cert *c,
			     struct hp_fault *f)
{
	const char *name = c->grant.name;
	struct hp_pin *pin = pin_find(j, name);
	const struct hp_pin *owner;
	struct hp_pin fresh;

	if (pin && c->grant.serial < pin->serial)
		return hp_fault_set(f, HP_ERR_REVOKED,
				    "join again there with the newest token",
				    "%s shows an invitation that a later one "
				    "replaced", name);
	if (pin && c->grant.serial == pin->serial) {
		if (pin_fits(pin, c)) {
			note_permanent(j, pin, c);
			return HP_OK;
		}
		return hp_fault_set(f, HP_ERR_PIN,
				    "two hosts used one token: revoke the "
				    "name, then invite it again",
				    "%s shows other keys than when it was "
				    "first met", name);
	}
	owner = address_owner(j, c);
	if (owner)
		return hp_fault_set(f, HP_ERR_PIN,
				    "invite one of the two again with "
				    "--address",
				    "%s shows the address of %s", name,
				    owner->name);
	owner = key_owner(j, c);
	if (owner)
		return hp_fault_set(f, HP_ERR_PIN,
				    "each node makes keys of its own: join "
				    "again there",
				    "%s shows the key of %s", name,
				    owner->name);
	fresh = pin_of(c);
	if (!pin)
		return hp_judge_add_pin(j, &fresh);
	*pin = fresh;
	j->generation++;
	return HP_OK;
}

/* Each introduction shows the certificate again; a digest costs a hundredth of
 * its two signatures.
 */
static bool is_proven(struct hp_judge *j, const struct hp_cert *cert)
{
	uint8_t *known = j->proven[cert->grant.serial % PROVEN];
	uint8_t wire[HP_CERT_WIRE_MAX], digest[PROVEN_LEN];
	struct hp_wr w = hp_wr_of(wire, sizeof(wire));
	struct hp_piece piece = { wire, 0 };

	hp_cert_put(&w, cert);
	piece.len = w.len;
	hp_blake2b(digest, sizeof(digest), NULL, &piece, 1);
	if (!memcmp(known, digest, sizeof(digest)))
		return true;
	if (hp_cert_check(&j->net_id, cert))
		return false;
	memcpy(known, digest, sizeof(digest));
	return true;
}

enum hp_err hp_judge_check(struct hp_judge *j, const struct hp_cert *cert,
			   uint64_t wall_s, struct hp_fault *f)
{
	const struct hp_grant *g = &cert->grant;
	char date[HP_DATE_TEXT];

	if (!is_proven(j, cert))
		return hp_fault_set(f, HP_ERR_AUTH,
				    "it is not a member of this network",
				    "the certificate of %s does not verify",
				    g->name);
	if (hp_judge_is_revoked(j, g->serial))
		return hp_fault_set(f, HP_ERR_REVOKED,
				    "invite it again if that was a mistake",
				    "%s was revoked", g->name);
	if (cert->kind == HP_CERT_GRANTED && wall_s > g->until_s)
		return hp_fault_set(f, HP_ERR_EXPIRED,
				    "invite it again; or check this host's "
				    "clock",
				    "the invitation of %s ended on %s, before "
				    "it met the holder of the root key",
				    g->name, hp_date_text(g->until_s, date));
	return pin_check(j, cert, f);
}

uint64_t hp_judge_generation(const struct hp_judge *j)
{
	return j->generation;
}

size_t hp_judge_pin_count(const struct hp_judge *j)
{
	return j->n;
}

const struct hp_pin *hp_judge_pin(const struct hp_judge *j, size_t i)
{
	return &j->pin[i];
}

const struct hp_pin *hp_judge_find(const struct hp_judge *j, const char *name)
{
	return pin_find(j, name);
}

char *hp_pin_text(const struct hp_pin *pin, char out[HP_PIN_TEXT])
{
	char key[HP_KEY_TEXT];
	char sign[HP_KEY_TEXT];
	int len;

	len = snprintf(out, HP_PIN_TEXT,
		 "%s %" PRIu32 " %u.%u.%u.%u/%u %s %s", pin->name, pin->serial,
		 pin->overlay.ip[0], pin->overlay.ip[1], pin->overlay.ip[2],
		 pin->overlay.ip[3], pin->overlay.bits,
		 hp_public_text(&pin->key, key),
		 hp_public_text(&pin->sign, sign));
	if (pin->until_s)
		snprintf(out + len, HP_PIN_TEXT - (size_t)len, " %" PRIu64,
			 pin->until_s);
	return out;
}

static bool number_parse(const char *text, uint64_t max, uint64_t *out)
{
	unsigned long long v;
	char *end;

	if (text[0] < '0' || text[0] > '9' || strlen(text) > 19)
		return false;
	v = strtoull(text, &end, 10);
	if (*end || v > max)
		return false;
	*out = v;
	return true;
}

enum hp_err hp_pin_parse(const char *text, struct hp_pin *out,
			 struct hp_fault *f)
{
	static const char how[] = "NAME SERIAL ADDRESS/BITS KEY KEY [UNTIL]";
	char copy[HP_PIN_TEXT];
	struct hp_pin p = { 0 };
	char *rest = copy;
	char *field[5];
	uint64_t serial;

	if (strlen(text) >= sizeof(copy))
		return hp_fault_set(f, HP_ERR_FORMAT, how, "line too long");
	strcpy(copy, text);
	for (size_t i = 0; i < 5; i++)
		field[i] = strsep(&rest, " ");
	if (!field[4] || (rest && !number_parse(rest, INT64_MAX, &p.until_s)))
		return hp_fault_set(f, HP_ERR_FORMAT, how,
				    "a pin has five fields, and a date");
	if (hp_name_parse(field[0], p.name, f) ||
	    hp_overlay_parse(field[2], &p.overlay, f))
		return HP_ERR_FORMAT;
	if (!number_parse(field[1], UINT32_MAX, &serial))
		return hp_fault_set(f, HP_ERR_FORMAT, how,
				    "\"%s\" is not a serial number", field[1]);
	if (hp_public_parse(field[3], &p.key) ||
	    hp_public_parse(field[4], &p.sign))
		return hp_fault_set(f, HP_ERR_FORMAT, how,
				    "the keys of %s are damaged", p.name);
	p.serial = (uint32_t)serial;
	*out = p;
	return HP_OK;
}

/* What is signed of a list: a label, the network, then the list as it is. */
#define LIST_LABEL "hptun revoked v1"
#define LIST_SIGNED_MAX \
	(sizeof(LIST_LABEL) + HP_KEY_LEN + HP_REVOKED_WIRE_MAX)

static size_t list_signed(uint8_t buf[LIST_SIGNED_MAX],
			  const struct hp_public *net_id, const uint8_t *body,
			  size_t len)
{
	struct hp_wr w = hp_wr_of(buf, LIST_SIGNED_MAX);

	hp_wr_copy(&w, LIST_LABEL, sizeof(LIST_LABEL));
	hp_wr_copy(&w, net_id->b, sizeof(net_id->b));
	hp_wr_copy(&w, body, len);
	return w.len;
}

enum hp_err hp_revoked_make(const struct hp_secret *root, uint32_t number,
			    const uint32_t *serials, size_t n,
			    uint8_t out[HP_REVOKED_WIRE_MAX], size_t *len)
{
	struct hp_wr w = hp_wr_of(out, HP_REVOKED_WIRE_MAX);
	uint8_t buf[LIST_SIGNED_MAX];
	struct hp_public net_id;
	struct hp_sig sig;

	if (n > HP_REVOKED_MAX)
		return HP_ERR_FULL;
	hp_wr_be32(&w, number);
	hp_wr_be16(&w, (uint16_t)n);
	for (size_t i = 0; i < n; i++)
		hp_wr_be32(&w, serials[i]);
	hp_sign_public(root, &net_id);
	hp_sign(root, buf, list_signed(buf, &net_id, out, w.len), &sig);
	hp_wr_copy(&w, sig.b, sizeof(sig.b));
	*len = w.len;
	return HP_OK;
}

enum hp_err hp_judge_revoke(struct hp_judge *j, const uint8_t *list,
			    size_t len)
{
	struct hp_rd r = hp_rd_of(list, len);
	uint32_t serial[HP_REVOKED_MAX];
	uint8_t buf[LIST_SIGNED_MAX];
	struct hp_sig sig;
	uint32_t number;
	enum hp_err err;
	size_t body;
	size_t n;

	number = hp_rd_be32(&r);
	n = hp_rd_be16(&r);
	if (r.bad)
		return HP_ERR_SHORT;
	if (n > HP_REVOKED_MAX || !number)
		return HP_ERR_FORMAT;
	for (size_t i = 0; i < n; i++)
		serial[i] = hp_rd_be32(&r);
	body = len - r.left;
	hp_rd_copy(&r, sig.b, sizeof(sig.b));
	if (r.bad)
		return HP_ERR_SHORT;
	if (!hp_rd_done(&r))
		return HP_ERR_FORMAT;
	err = hp_sign_check(&j->net_id, buf,
			    list_signed(buf, &j->net_id, list, body), &sig);
	if (err)
		return err;
	if (number <= j->number)
		return HP_ERR_REPLAY;
	j->number = number;
	j->n_revoked = n;
	memcpy(j->revoked, serial, n * sizeof(*serial));
	memcpy(j->list, list, len);
	j->list_len = len;
	return HP_OK;
}

const uint8_t *hp_judge_revoked(const struct hp_judge *j, size_t *len)
{
	*len = j->list_len;
	return j->list_len ? j->list : NULL;
}

uint32_t hp_judge_revoked_number(const struct hp_judge *j)
{
	return j->number;
}

bool hp_judge_is_revoked(const struct hp_judge *j, uint32_t serial)
{
	for (size_t i = 0; i < j->n_revoked; i++)
		if (j->revoked[i] == serial)
			return true;
	return false;
}
