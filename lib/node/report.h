/* SPDX-License-Identifier: ISC */
/*
 * One end's half of a diagnosis: what a node knows of itself and of its paths
 * to one peer, as it goes over the wire to that peer when it asks. Pure; how
 * it is asked for: halves.c; what two halves together mean: diagnose.h.
 */
#ifndef HP_NODE_REPORT_H
#define HP_NODE_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/candidate.h"
#include "base/err.h"
#include "member/network.h"
#include "node/node.h"
#include "punch/nat.h"
#include "punch/punch.h"

/* Longest name of a version, with its NUL. */
#define HP_REPORT_VERSION 24
/* Longest part of the wire form. */
#define HP_REPORT_PART_MAX 1000
/* The head, and paths. */
#define HP_REPORT_PARTS_MAX 3

/* How the guessing of a NAT's ports stands. The values are on the wire. */
enum hp_report_guess {
	HP_REPORT_GUESS_NONE,	  /* not called for */
	HP_REPORT_GUESS_ROUND,	  /* a round is under way */
	HP_REPORT_GUESS_FAILED,	  /* the last one hit nothing */
	HP_REPORT_GUESS_QUEUED,	  /* others' rounds come first */
	HP_REPORT_GUESS_OFF,	  /* switched off, here or at the peer */
	HP_REPORT_GUESS_HOPELESS, /* too many ports on both sides */
};

/* What a server means to the node that reports. */
struct hp_report_server {
	bool registered;
	bool lone_port;		/* its second port never answered */
	bool stream;		/* spoken to over TCP or TLS */
	enum hp_mapping mapping;
	uint32_t rtt_us;	/* 0: unknown */
	struct hp_addr addr;	/* HP_AF_NONE: not resolved */
};

/**
 * struct hp_report_path - One path to the peer
 * @remote:   where it leads
 * @seen:     where the peer saw us over it; HP_AF_NONE: not told
 * @sent, @answered, @heard, @errors, @denied: see struct hp_punch_path_info
 * @rtt_us:   0: unknown
 */
struct hp_report_path {
	enum hp_candidate_kind kind;
	bool valid;
	bool in_use;
	struct hp_addr remote;
	struct hp_addr seen;
	uint32_t sent;
	uint32_t answered;
	uint32_t heard;
	uint32_t errors;
	uint32_t denied;
	uint32_t rtt_us;
};

/**
 * struct hp_report - One half
 * @version:   of the program
 * @methods:   enum hp_method that may be used
 * @mapping:   of the NAT, as far as the servers tell
 * @nat, @ports: the same from all samples, and how it chooses ports: from @lo
 *             to @hi, @stride apart when sequential
 * @many_ips:  it has several external addresses
 * @guess:     see the enum; @guesses: rounds begun, @guess_probes: probes sent
 *             in them
 * @sockets:   extra sockets open for the peer
 * @mappings:  extra mappings that live in the NAT, of @mappings_max, for all
 *             peers together
 * @peer_mapping: what the peer said of its own
 * @session:   keys are agreed with the peer
 * @direct:    packets to it go straight
 * @trying:    volleys are under way
 * @doubt:     the direct path fell silent a moment ago
 * @rounds:    volley rounds begun
 * @tx, @rx:   probes sent and accepted since the peer's keys are known
 * @throttled: probes that waited for their turn
 * @drops:     by enum hp_punch_drop
 */
struct hp_report {
	char version[HP_REPORT_VERSION];
	uint32_t methods;
	enum hp_mapping mapping;
	enum hp_mapping peer_mapping;
	enum hp_nat_mapping nat;
	enum hp_nat_ports ports;
	int16_t stride;
	uint16_t lo;
	uint16_t hi;
	bool many_ips;
	enum hp_report_guess guess;
	uint32_t guesses;
	uint32_t guess_probes;
	uint16_t sockets;
	uint16_t mappings;
	uint16_t mappings_max;
	bool session;
	bool direct;
	bool trying;
	bool doubt;
	uint32_t rounds;
	uint32_t tx;
	uint32_t rx;
	uint32_t throttled;
	uint32_t drops[HP_PUNCH_DROPS];
	unsigned int n_servers;
	struct hp_report_server server[HP_SERVERS_MAX];
	unsigned int n_cand;
	struct hp_candidate cand[HP_CANDIDATES_MAX];
	unsigned int n_paths;
	struct hp_report_path path[HP_PUNCH_PATHS];
};

/* How many parts the wire form of @r has. */
unsigned int hp_report_parts(const struct hp_report *r);
/* Writes part @part; returns its length. */
size_t hp_report_encode(const struct hp_report *r, unsigned int part,
			uint8_t out[HP_REPORT_PART_MAX]);
/**
 * hp_report_decode() - Read one part into @r
 * @part: 0 first: it says how many paths the others bring
 *
 * Return: HP_OK; HP_ERR_VERSION: of another format; HP_ERR_FORMAT. On error @r
 *         is not to be used.
 */
enum hp_err hp_report_decode(struct hp_report *r, unsigned int part,
			     const uint8_t *p, size_t len) HP_MUST_CHECK;

/* One pair of addresses, as each end sees it; NULL: it does not know of it. */
struct hp_report_pair {
	const struct hp_report_path *here;
	const struct hp_report_path *there;
};

/**
 * hp_report_pairs() - Join the paths of both ends
 * @here, @there: both borrowed for as long as @out is used; @there may be NULL
 *
 * Two paths are one pair when each leads to where the other was seen coming
 * from, as far as that is known.
 *
 * Return: how many were written.
 */
size_t hp_report_pairs(const struct hp_report *here,
		       const struct hp_report *there,
		       struct hp_report_pair out[2 * HP_PUNCH_PATHS]);

#endif
