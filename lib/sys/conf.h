/* SPDX-License-Identifier: ISC */
/*
 * Configuration: INI text as WireGuard people know it, against a table of
 * sections and keys; and the value parsers, which command lines share. A
 * mistake is reported with line, column, cause and remedy.
 */
#ifndef HP_SYS_CONF_H
#define HP_SYS_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Reads one value into whatever @ctx is; fills @f but for line and column. */
typedef enum hp_err hp_conf_set_fn(void *ctx, const char *value,
				   struct hp_fault *f);

/**
 * struct hp_conf_key - One setting
 * @name: as written, e.g. "ListenPort"; any case is read
 * @set:  called with each value
 * @many: may be given more than once, and a value is a comma-separated list
 *        whose items come to @set one by one
 * @need: each section of its kind must have it
 */
struct hp_conf_key {
	const char *name;
	hp_conf_set_fn *set;
	bool many;
	bool need;
};

/**
 * struct hp_conf_section - One kind of section
 * @name:  without brackets; "" holds what stands before the first section
 * @keys:  @n_keys settings
 * @begin: called at each section header; may be NULL
 * @many:  may appear more than once
 * @need:  must appear
 */
struct hp_conf_section {
	const char *name;
	const struct hp_conf_key *keys;
	size_t n_keys;
	enum hp_err (*begin)(void *ctx, struct hp_fault *f);
	bool many;
	bool need;
};

/**
 * hp_conf_parse() - Read configuration text
 * @text:     NUL-terminated
 * @sections: @n of them
 * @ctx:      handed to the callbacks
 *
 * Return: HP_OK; HP_ERR_FORMAT, HP_ERR_FULL or what a callback returned, with
 *         line, column, cause and remedy in @f. Callbacks before the mistake
 *         were made: read into a local.
 */
enum hp_err hp_conf_parse(const char *text,
			  const struct hp_conf_section *sections, size_t n,
			  void *ctx, struct hp_fault *f) HP_MUST_CHECK;

/* The same for a file; the cause then begins with "FILE:LINE:COLUMN: ". Also
 * returns what hp_file_load() returns.
 */
enum hp_err hp_conf_load(const char *path,
			 const struct hp_conf_section *sections, size_t n,
			 void *ctx, struct hp_fault *f) HP_MUST_CHECK;
/* Puts "FILE:LINE:COLUMN: " in front of the cause in @f (may be NULL). */
void hp_fault_in_file(struct hp_fault *f, const char *path);

/* Value parsers: HP_OK, or HP_ERR_FORMAT with cause and remedy in @f and @out
 * untouched. Decimal numbers from @min to @max:
 */
enum hp_err hp_value_u32(const char *text, uint32_t min, uint32_t max,
			 uint32_t *out, struct hp_fault *f) HP_MUST_CHECK;
/* 0 to 65535 */
enum hp_err hp_value_port(const char *text, uint16_t *out, struct hp_fault *f)
	HP_MUST_CHECK;
/* yes, no, true, false, on, off, 1, 0 */
/* "auto", which is 0, or 1 to HP_UDP_BESIDE_MAX. */
enum hp_err hp_value_threads(const char *text, uint32_t *out,
			     struct hp_fault *f) HP_MUST_CHECK;
enum hp_err hp_value_bool(const char *text, bool *out, struct hp_fault *f)
	HP_MUST_CHECK;
/* "500ms", "30s", "5m", "2h", "7d"; a bare number counts seconds. In ns. */
enum hp_err hp_value_time(const char *text, uint64_t *out_ns,
			  struct hp_fault *f) HP_MUST_CHECK;
/* "64k", "20M", "1G" or a bare number: bits per second, from 64k to 32G. In
 * bytes per second.
 */
enum hp_err hp_value_rate(const char *text, uint32_t *out_bytes,
			  struct hp_fault *f) HP_MUST_CHECK;
/* Name of a network interface: 1 to 15 characters, no '/' or space. */
enum hp_err hp_value_ifname(const char *text, char out[16],
			    struct hp_fault *f) HP_MUST_CHECK;

/* The entry of @list (@n strings, any case) that somebody who wrote @word
 * probably meant; NULL when none is near.
 */
const char *hp_suggest(const char *word, const char *const *list, size_t n);

#endif
