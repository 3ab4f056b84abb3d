/* SPDX-License-Identifier: ISC */
/*
 * uthash, set up so that running out of memory is an error to handle: after
 * HASH_ADD, an element that was not added has a hash handle whose tbl is NULL.
 * Keys must be random or keyed hashes, so that nobody outside can make them
 * collide.
 */
#ifndef HP_BASE_TABLE_H
#define HP_BASE_TABLE_H

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#endif
