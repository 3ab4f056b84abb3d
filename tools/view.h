/* SPDX-License-Identifier: ISC */
/*
 * The daemon's JSON in words: lines about servers and peers, and the whole
 * status. The form of the JSON is described in hptunctl(8); a field that is
 * missing reads as unknown.
 */
#ifndef TOOLS_VIEW_H
#define TOOLS_VIEW_H

#include <jansson.h>
#include <stdio.h>

/* A field of an object as text; "" when it is missing, null or no text. */
const char *view_text(const json_t *doc, const char *key);

/* "registered, seen as 203.0.113.11:58461 (mapping: endpoint-independent)" */
void view_server(const json_t *server, FILE *out);
/* "direct", "203.0.113.12:41063 (IPv4)" or the like: how packets travel. */
void view_path(const json_t *peer, FILE *out);
/* "relayed after 21 ms, direct after 34 ms: 203.0.113.12:41063" */
void view_connected(const json_t *peer, FILE *out);
/* Tables of peers, with a line beneath for each that is not direct, and why. */
void view_peers(const json_t *peers, FILE *out);
/* All of an answer to "doctor". view_doctor.c */
void view_doctor(const json_t *doc, FILE *out);
/* "IPv6 only, IPv4 through ..." behind @label, when @doc tells of a NAT64. */
void view_nat64(const json_t *doc, const char *label, FILE *out);
/* The port that the gateway opened, behind @label, or what became of asking it,
 * when @doc tells of that.
 */
void view_port_mapping(const json_t *doc, const char *label, FILE *out);
/* All of an answer to "status". */
void view_status(const json_t *status, FILE *out);

#endif
