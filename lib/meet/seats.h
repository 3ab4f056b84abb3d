/* SPDX-License-Identifier: ISC */
/*
 * Who may keep a stream open at a server. Whoever connects costs memory and a
 * descriptor before having proved anything, so that there are limits: in all
 * and by source, a time to register, in which a TLS handshake has to end as
 * well, and a time to be silent. At a limit the newcomer is turned away: who is
 * registered stays. No socket here.
 */
#ifndef HP_MEET_SEATS_H
#define HP_MEET_SEATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/path.h"
#include "base/time.h"

/* Streams at once: in all, and from one IPv4 address or IPv6 /64. */
#define HP_SEATS 1024
#define HP_SEATS_SOURCE 64
/* One that has not registered by then is closed; and one that is silent. */
#define HP_SEAT_PROVE_NS (10 * HP_S)
#define HP_SEAT_IDLE_NS (180 * HP_S)

/**
 * struct hp_seat - One stream
 * @path:   its other end; its number, @path.sock, is its place in the table plus
 *          a multiple of the table's size that grows with each use of the place:
 *          what is meant for one that is gone never reaches the next
 * @proved: it has a session
 */
struct hp_seat {
	bool taken;
	bool proved;
	struct hp_path path;
	uint64_t since_ns;
	uint64_t heard_ns;
};

struct hp_seats {
	size_t n; /* taken */
	struct hp_seat seat[HP_SEATS];
};

void hp_seats_init(struct hp_seats *s);
/* A place for a stream from @from; NULL: there is none, or it has its share. */
struct hp_seat *hp_seats_take(struct hp_seats *s, const struct hp_addr *from,
			      uint64_t now_ns);
void hp_seats_leave(struct hp_seats *s, struct hp_seat *seat);
/* The one with that number; NULL: it is gone. */
struct hp_seat *hp_seats_find(struct hp_seats *s, uint32_t sock);
/* The server answers it with @p. */
void hp_seat_answered(struct hp_seat *seat, const uint8_t *p, size_t len);
/* Is its time over? */
bool hp_seat_overdue(const struct hp_seat *seat, uint64_t now_ns);

#endif
