/* SPDX-License-Identifier: ISC */
#include "meet/seats.h"

#include <string.h>

#include "base/datagram.h"
#include "meet/wire.h"

void hp_seats_init(struct hp_seats *s)
{
	memset(s, 0, sizeof(*s));
	for (uint32_t i = 0; i < HP_SEATS; i++)
		s->seat[i].path.sock = HP_SOCK_STREAM + i;
}

/* From the same IPv4 address, or the same IPv6 /64. */
static bool same_source(const struct hp_addr *a, const struct hp_addr *b)
{
	return a->family == b->family &&
	       !memcmp(a->ip, b->ip, a->family == HP_AF_4 ? 4 : 8);
}

struct hp_seat *hp_seats_take(struct hp_seats *s, const struct hp_addr *from,
			      uint64_t now_ns)
{
	struct hp_seat *free_one = NULL;
	size_t n = 0;

	for (size_t i = 0; i < HP_SEATS; i++) {
		struct hp_seat *t = &s->seat[i];

		if (!t->taken)
			free_one = free_one ? free_one : t;
		else
			n += same_source(&t->path.remote, from);
	}
	if (!free_one || n >= HP_SEATS_SOURCE)
		return NULL;
	free_one->path.sock += HP_SEATS;
	if (free_one->path.sock < HP_SOCK_STREAM)
		free_one->path.sock = HP_SOCK_STREAM +
				      (uint32_t)(free_one - s->seat);
	free_one->path.remote = *from;
	free_one->taken = true;
	free_one->proved = false;
	free_one->since_ns = now_ns;
	free_one->heard_ns = now_ns;
	s->n++;
	return free_one;
}

void hp_seats_leave(struct hp_seats *s, struct hp_seat *seat)
{
	seat->taken = false;
	s->n--;
}

struct hp_seat *hp_seats_find(struct hp_seats *s, uint32_t sock)
{
	struct hp_seat *t = &s->seat[sock % HP_SEATS];

	return t->taken && t->path.sock == sock ? t : NULL;
}

void hp_seat_answered(struct hp_seat *seat, const uint8_t *p, size_t len)
{
	seat->proved |= hp_datagram_kind(p, len) == HP_DGRAM_MEET &&
			(p[3] == HP_MEET_REGISTERED || p[3] == HP_MEET_ALIVE);
}

bool hp_seat_overdue(const struct hp_seat *seat, uint64_t now_ns)
{
	if (!seat->proved &&
	    hp_time_since(now_ns, seat->since_ns) >= HP_SEAT_PROVE_NS)
		return true;
	return hp_time_since(now_ns, seat->heard_ns) >= HP_SEAT_IDLE_NS;
}
