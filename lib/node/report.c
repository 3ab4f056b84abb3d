/* SPDX-License-Identifier: ISC */
#include "node/report.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"

/* The head only ever grows at its end: a reader takes what it knows. */
#define FORMAT 1
#define PATHS_A_PART 14
#define PATH_WIRE_MAX (2 + 2 * (1 + HP_ADDR_WIRE_MAX) + 6 * 4)

_Static_assert(PATHS_A_PART * PATH_WIRE_MAX <= HP_REPORT_PART_MAX, "fits");
_Static_assert(1 + (HP_PUNCH_PATHS + PATHS_A_PART - 1) / PATHS_A_PART <=
		       HP_REPORT_PARTS_MAX, "fits");

enum head_flag {
	HEAD_SESSION = 1,
	HEAD_DIRECT = 2,
	HEAD_TRYING = 4,
	HEAD_DOUBT = 8,
};

enum server_flag {
	SERVER_REGISTERED = 1,
	SERVER_LONE_PORT = 2,
	SERVER_STREAM = 4,
};

enum path_flag {
	PATH_VALID = 1,
	PATH_IN_USE = 2,
};

/* An address, or a byte that says there is none. */
static void addr_put(struct hp_wr *w, const struct hp_addr *a)
{
	bool any = a->family != HP_AF_NONE && a->port;

	hp_wr_u8(w, any);
	if (any)
		hp_addr_put(w, a);
}

static struct hp_addr addr_get(struct hp_rd *r)
{
	return hp_rd_u8(r) ? hp_addr_get(r) : (struct hp_addr){ 0 };
}

static bool kind_known(uint8_t kind)
{
	return kind >= HP_CAND_HOST && kind <= HP_CAND_RELAYED;
}

static enum hp_mapping mapping_get(struct hp_rd *r)
{
	uint8_t m = hp_rd_u8(r);

	return m <= HP_MAPPING_APDM ? (enum hp_mapping)m : HP_MAPPING_UNKNOWN;
}

static void nat_put(struct hp_wr *w, const struct hp_report *r)
{
	hp_wr_u8(w, (uint8_t)r->nat);
	hp_wr_u8(w, (uint8_t)r->ports);
	hp_wr_u8(w, r->many_ips);
	hp_wr_be16(w, (uint16_t)r->stride);
	hp_wr_be16(w, r->lo);
	hp_wr_be16(w, r->hi);
	hp_wr_u8(w, (uint8_t)r->guess);
	hp_wr_be32(w, r->guesses);
	hp_wr_be32(w, r->guess_probes);
	hp_wr_be16(w, r->sockets);
	hp_wr_be16(w, r->mappings);
	hp_wr_be16(w, r->mappings_max);
}

static void nat_get(struct hp_rd *rd, struct hp_report *r)
{
	uint8_t nat = hp_rd_u8(rd), ports = hp_rd_u8(rd), guess;

	if (nat <= HP_NAT_MAPPING_APDM)
		r->nat = (enum hp_nat_mapping)nat;
	if (ports <= HP_NAT_PORTS_RANDOM)
		r->ports = (enum hp_nat_ports)ports;
	r->many_ips = hp_rd_u8(rd);
	r->stride = (int16_t)hp_rd_be16(rd);
	r->lo = hp_rd_be16(rd);
	r->hi = hp_rd_be16(rd);
	guess = hp_rd_u8(rd);
	if (guess <= HP_REPORT_GUESS_HOPELESS)
		r->guess = (enum hp_report_guess)guess;
	r->guesses = hp_rd_be32(rd);
	r->guess_probes = hp_rd_be32(rd);
	r->sockets = hp_rd_be16(rd);
	r->mappings = hp_rd_be16(rd);
	r->mappings_max = hp_rd_be16(rd);
}

static void head_put(struct hp_wr *w, const struct hp_report *r)
{
	size_t len = strnlen(r->version, sizeof(r->version) - 1);

	hp_wr_u8(w, FORMAT);
	hp_wr_u8(w, (uint8_t)len);
	hp_wr_copy(w, r->version, len);
	hp_wr_be32(w, r->methods);
	hp_wr_u8(w, (uint8_t)r->mapping);
	hp_wr_u8(w, (uint8_t)r->peer_mapping);
	hp_wr_u8(w, (uint8_t)((r->session ? HEAD_SESSION : 0) |
			      (r->direct ? HEAD_DIRECT : 0) |
			      (r->trying ? HEAD_TRYING : 0) |
			      (r->doubt ? HEAD_DOUBT : 0)));
	hp_wr_be32(w, r->rounds);
	hp_wr_be32(w, r->tx);
	hp_wr_be32(w, r->rx);
	hp_wr_be32(w, r->throttled);
	for (size_t i = 0; i < HP_PUNCH_DROPS; i++)
		hp_wr_be32(w, r->drops[i]);
	hp_wr_u8(w, (uint8_t)r->n_servers);
	for (unsigned int i = 0; i < r->n_servers; i++) {
		const struct hp_report_server *s = &r->server[i];

		hp_wr_u8(w, (uint8_t)((s->registered ? SERVER_REGISTERED : 0) |
				      (s->lone_port ? SERVER_LONE_PORT : 0) |
				      (s->stream ? SERVER_STREAM : 0)));
		hp_wr_u8(w, (uint8_t)s->mapping);
		hp_wr_be32(w, s->rtt_us);
		addr_put(w, &s->addr);
	}
	hp_wr_u8(w, (uint8_t)r->n_cand);
	for (unsigned int i = 0; i < r->n_cand; i++) {
		hp_wr_u8(w, (uint8_t)r->cand[i].kind);
		addr_put(w, &r->cand[i].addr);
	}
	hp_wr_u8(w, (uint8_t)r->n_paths);
	nat_put(w, r);
}

/* Shown on terminals and in logs: nothing but printable characters. */
static void version_get(struct hp_rd *rd, struct hp_report *r)
{
	uint8_t len = hp_rd_u8(rd);

	if (len >= sizeof(r->version))
		rd->bad = true;
	else
		hp_rd_copy(rd, r->version, len);
	for (char *c = r->version; *c; c++)
		if (*c < '!' || *c > '~')
			*c = '?';
}

static void servers_get(struct hp_rd *rd, struct hp_report *r)
{
	r->n_servers = hp_rd_u8(rd);
	rd->bad |= r->n_servers > HP_SERVERS_MAX;
	for (unsigned int i = 0; !rd->bad && i < r->n_servers; i++) {
		struct hp_report_server *s = &r->server[i];
		uint8_t flags = hp_rd_u8(rd);

		s->registered = flags & SERVER_REGISTERED;
		s->lone_port = flags & SERVER_LONE_PORT;
		s->stream = flags & SERVER_STREAM;
		s->mapping = mapping_get(rd);
		s->rtt_us = hp_rd_be32(rd);
		s->addr = addr_get(rd);
	}
}

static enum hp_err head_get(struct hp_rd *rd, struct hp_report *r)
{
	uint8_t flags;

	memset(r, 0, sizeof(*r));
	if (hp_rd_u8(rd) != FORMAT)
		return rd->bad ? HP_ERR_FORMAT : HP_ERR_VERSION;
	version_get(rd, r);
	r->methods = hp_rd_be32(rd);
	r->mapping = mapping_get(rd);
	r->peer_mapping = mapping_get(rd);
	flags = hp_rd_u8(rd);
	r->session = flags & HEAD_SESSION;
	r->direct = flags & HEAD_DIRECT;
	r->trying = flags & HEAD_TRYING;
	r->doubt = flags & HEAD_DOUBT;
	r->rounds = hp_rd_be32(rd);
	r->tx = hp_rd_be32(rd);
	r->rx = hp_rd_be32(rd);
	r->throttled = hp_rd_be32(rd);
	for (size_t i = 0; i < HP_PUNCH_DROPS; i++)
		r->drops[i] = hp_rd_be32(rd);
	servers_get(rd, r);
	r->n_cand = hp_rd_u8(rd);
	rd->bad |= r->n_cand > HP_CANDIDATES_MAX;
	for (unsigned int i = 0; !rd->bad && i < r->n_cand; i++) {
		uint8_t kind = hp_rd_u8(rd);

		rd->bad |= !kind_known(kind);
		r->cand[i].kind = (enum hp_candidate_kind)kind;
		r->cand[i].addr = addr_get(rd);
	}
	r->n_paths = hp_rd_u8(rd);
	nat_get(rd, r);
	return rd->bad || r->n_paths > HP_PUNCH_PATHS ? HP_ERR_FORMAT : HP_OK;
}

static void path_put(struct hp_wr *w, const struct hp_report_path *p)
{
	hp_wr_u8(w, (uint8_t)p->kind);
	hp_wr_u8(w, (uint8_t)((p->valid ? PATH_VALID : 0) |
			      (p->in_use ? PATH_IN_USE : 0)));
	addr_put(w, &p->remote);
	addr_put(w, &p->seen);
	hp_wr_be32(w, p->sent);
	hp_wr_be32(w, p->answered);
	hp_wr_be32(w, p->heard);
	hp_wr_be32(w, p->errors);
	hp_wr_be32(w, p->denied);
	hp_wr_be32(w, p->rtt_us);
}

static void path_get(struct hp_rd *r, struct hp_report_path *p)
{
	uint8_t kind = hp_rd_u8(r), flags = hp_rd_u8(r);

	r->bad |= !kind_known(kind);
	p->kind = (enum hp_candidate_kind)kind;
	p->valid = flags & PATH_VALID;
	p->in_use = flags & PATH_IN_USE;
	p->remote = addr_get(r);
	p->seen = addr_get(r);
	p->sent = hp_rd_be32(r);
	p->answered = hp_rd_be32(r);
	p->heard = hp_rd_be32(r);
	p->errors = hp_rd_be32(r);
	p->denied = hp_rd_be32(r);
	p->rtt_us = hp_rd_be32(r);
}

/* The paths of part @part (from 1): [*at, *end). */
static void part_paths(const struct hp_report *r, unsigned int part,
		       unsigned int *at, unsigned int *end)
{
	*at = (part - 1) * PATHS_A_PART;
	*end = *at + PATHS_A_PART < r->n_paths ? *at + PATHS_A_PART :
						 r->n_paths;
}

unsigned int hp_report_parts(const struct hp_report *r)
{
	return 1 + (r->n_paths + PATHS_A_PART - 1) / PATHS_A_PART;
}

size_t hp_report_encode(const struct hp_report *r, unsigned int part,
			uint8_t out[HP_REPORT_PART_MAX])
{
	struct hp_wr w = hp_wr_of(out, HP_REPORT_PART_MAX);
	unsigned int at = 0, end = 0;

	if (part)
		part_paths(r, part, &at, &end);
	else
		head_put(&w, r);
	for (; at < end; at++)
		path_put(&w, &r->path[at]);
	assert(!w.bad);
	return w.len;
}

enum hp_err hp_report_decode(struct hp_report *r, unsigned int part,
			     const uint8_t *p, size_t len)
{
	struct hp_rd rd = hp_rd_of(p, len);
	unsigned int at, end;

	if (!part)
		return head_get(&rd, r);
	if (part >= hp_report_parts(r))
		return HP_ERR_FORMAT;
	part_paths(r, part, &at, &end);
	for (; at < end; at++)
		path_get(&rd, &r->path[at]);
	return hp_rd_done(&rd) ? HP_OK : HP_ERR_FORMAT;
}

/* Does @a lead to where @b was seen coming from, or can it be? @known: it was
 * told.
 */
static bool leads_to(const struct hp_report_path *a,
		     const struct hp_report_path *b, bool *known)
{
	if (b->seen.family == HP_AF_NONE)
		return true;
	*known = true;
	return hp_addr_eq(&a->remote, &b->seen);
}

static bool is_pair(const struct hp_report_path *a,
		    const struct hp_report_path *b)
{
	bool known = false;

	if (a->kind == HP_CAND_RELAYED || b->kind == HP_CAND_RELAYED)
		return a->kind == b->kind;
	return leads_to(a, b, &known) && leads_to(b, a, &known) && known;
}

size_t hp_report_pairs(const struct hp_report *here,
		       const struct hp_report *there,
		       struct hp_report_pair out[2 * HP_PUNCH_PATHS])
{
	bool taken[HP_PUNCH_PATHS] = { false };
	unsigned int n_there = there ? there->n_paths : 0;
	size_t n = 0;

	for (unsigned int i = 0; i < here->n_paths; i++) {
		out[n] = (struct hp_report_pair){ .here = &here->path[i] };
		for (unsigned int j = 0; j < n_there; j++) {
			if (taken[j] ||
			    !is_pair(&here->path[i], &there->path[j]))
				continue;
			taken[j] = true;
			out[n].there = &there->path[j];
			break;
		}
		n++;
	}
	for (unsigned int j = 0; j < n_there; j++)
		if (!taken[j])
			out[n++] = (struct hp_report_pair){
				.there = &there->path[j] };
	return n;
}
