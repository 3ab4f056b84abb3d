/* SPDX-License-Identifier: ISC */
/*
 * uthash, set up so that running out of memory is an error to handle: after
 * HASH_ADD, an element that was not added has hh.tbl NULL. Keys are random, or
 * keyed hashes, so that nobody outside can make them collide.
 */
#ifndef HP_MEET_TABLE_H
#define HP_MEET_TABLE_H

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#endif
