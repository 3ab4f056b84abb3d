/* SPDX-License-Identifier: ISC */
/*
 * Inside of the control socket: a client, the operation that runs for it, and
 * what operations may do. Included by tund/ctl*.c only.
 */
#ifndef TUND_CTL_CLIENT_H
#define TUND_CTL_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "ctl.h"
#include "node/node.h"

struct ctl_client;

/**
 * struct ctl_task - An operation that goes on after its request
 * @turn:     something happened in the engine, or the deadline came
 * @deadline: when to be called without that; HP_NEVER: not at all
 * @free:     the client goes, or the task ended
 *
 * Each is handed ctl_client.state. A task ends with ctl_end().
 */
struct ctl_task {
	void (*turn)(struct ctl_client *c, uint64_t now_ns);
	uint64_t (*deadline)(const struct ctl_client *c);
	void (*free)(void *state);
};

/* What an operation sees of its client. */
struct ctl_client {
	const struct ctl_cfg *cfg;
	const struct ctl_task *task; /* NULL: none runs */
	void *state;		     /* of the task */
};

/**
 * struct ctl_op - One row of the table of operations
 * @start: carries @req out (borrowed): answers with ctl_end(), or sets the
 *         client's task and state
 */
struct ctl_op {
	const char *name;
	void (*start)(struct ctl_client *c, const json_t *req,
		      uint64_t now_ns);
};

/* Ends with a row without a name. ctl_ops.c */
extern const struct ctl_op ctl_ops[];

/* Sends one document (taken; NULL counts as lack of memory). */
void ctl_say(struct ctl_client *c, json_t *doc);
/* The last document of an answer: adds "ok":true. Ends the task, if any. */
void ctl_end(struct ctl_client *c, json_t *doc);
/* The same for "ok":false with "reason" (one word for scripts), "error" and
 * "remedy" of @f.
 */
void ctl_fail(struct ctl_client *c, const char *reason,
	      const struct hp_fault *f);

/* A whole number of ms in the request, at most @max, in ns. ctl_ops.c */
uint64_t ctl_ms(const json_t *req, const char *key, json_int_t otherwise,
		json_int_t max);
/* Reads a peer's name and has the engine connect to it. @f: why not. */
enum hp_err ctl_want(struct ctl_client *c, const char *text,
		     char out[HP_NAME_TEXT], uint64_t now_ns,
		     struct hp_fault *f) HP_MUST_CHECK;

/* The facts as JSON, new references. ctl_status.c */
json_t *ctl_status_json(const struct ctl_cfg *cfg, uint64_t now_ns);
json_t *ctl_addr_json(const struct hp_addr *a); /* null: none */
/* Names of the methods in the set @methods, or of those that are not in it. */
json_t *ctl_methods_json(uint32_t methods, bool on);
json_t *ctl_server_json(const struct hp_node_server_info *s);
/* The prefix of the NAT64 that this host is behind, or null. */
json_t *ctl_nat64_json(const struct ctl_cfg *cfg);
/* The port that the gateway opened for us, or why there is none; null: it is
 * not asked.
 */
json_t *ctl_portmap_json(const struct ctl_cfg *cfg, uint64_t now_ns);
json_t *ctl_peer_json(const struct hp_node_peer_info *p, uint64_t now_ns);

/* True when packets of the peer flow. */
bool ctl_peer_connected(const struct hp_node_peer_info *p);

/* True when @name was met before. ctl_status.c */
bool ctl_met(const struct hp_node *n, const char *name);
/* The name of a node met before that somebody who wrote @name may have meant,
 * or NULL. ctl_status.c
 */
const char *ctl_nearest(const struct hp_node *n, const char *name);

/* What a stream was told last, so that it is told only of changes.
 * ctl_watch.c
 */
struct ctl_told;
struct ctl_told *ctl_told_new(void);
void ctl_told_free(struct ctl_told *t);
/* Sends an event for each server that changed. */
void ctl_tell_servers(struct ctl_client *c, struct ctl_told *t);
/* Sends an event when @p changed. */
void ctl_tell_peer(struct ctl_client *c, struct ctl_told *t,
		   const struct hp_node_peer_info *p, uint64_t now_ns);

/* Operations that go on. */
void ctl_up(struct ctl_client *c, const json_t *req, uint64_t now_ns);
void ctl_ping(struct ctl_client *c, const json_t *req, uint64_t now_ns);
void ctl_doctor(struct ctl_client *c, const json_t *req, uint64_t now_ns);
void ctl_watch(struct ctl_client *c, const json_t *req, uint64_t now_ns);

#endif
