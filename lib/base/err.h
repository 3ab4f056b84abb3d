/* SPDX-License-Identifier: ISC */
/*
 * Result codes of the protocol core, and the record of a fault that a person
 * reads. The core returns codes and counts; only the programs print.
 */
#ifndef HP_BASE_ERR_H
#define HP_BASE_ERR_H

#define HP_MUST_CHECK __attribute__((warn_unused_result))
#define HP_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

enum hp_err {
	HP_OK = 0,
	HP_ERR_SHORT = -1,	/* fewer bytes than the message needs */
	HP_ERR_AUTH = -2,	/* tag, MAC or signature does not verify */
	HP_ERR_REPLAY = -3,	/* counter seen before, or below the window */
	HP_ERR_KEY = -4,	/* key missing, too old or not acceptable */
	HP_ERR_FORMAT = -5,	/* a field holds what it may not hold */
	HP_ERR_VERSION = -6,	/* made by a version this one cannot read */
	HP_ERR_TYPE = -7,	/* not a message this function handles */
	HP_ERR_FULL = -8,	/* a cap on state or on room is reached */
	HP_ERR_LIMIT = -9,	/* rate limit */
	HP_ERR_EXPIRED = -10,	/* past its date */
	HP_ERR_UNKNOWN = -11,	/* no such peer, slot, index, name */
	HP_ERR_EXISTS = -12,	/* there is one already */
	HP_ERR_PIN = -13,	/* other keys than the ones pinned */
	HP_ERR_REVOKED = -14,	/* the certificate was revoked */
	HP_ERR_DENIED = -15,	/* not allowed to do this */
	HP_ERR_AGAIN = -16,	/* not now; nothing changed */
	HP_ERR_NOMEM = -17,	/* out of memory */
	HP_ERR_IO = -18,	/* the operating system refused; see errno */
	HP_ERR_STATE = -19,	/* not in this state */
	HP_ERR_ROUTE = -20,	/* no peer has this address */
	HP_ERR_CIPHER = -21,	/* no cipher that both ends allow */
};

/* One short English phrase for a code; never NULL. */
const char *hp_err_name(enum hp_err err);

/**
 * struct hp_fault - What went wrong, for a person
 * @code:   the code to act on; HP_OK while nothing went wrong
 * @line:   1-based line in the input, 0 when there is none
 * @column: 1-based column (bytes), 0 when there is none
 * @cause:  what is wrong, naming the thing; no full stop
 * @remedy: what to do about it; may be empty
 */
struct hp_fault {
	enum hp_err code;
	unsigned int line;
	unsigned int column;
	char cause[240];
	char remedy[240];
};

/* Fills @f (may be NULL) and returns @code, so that callers can write
 * `return hp_fault_set(f, HP_ERR_FORMAT, "remedy", "cause %s", x);`
 */
enum hp_err hp_fault_set(struct hp_fault *f, enum hp_err code,
			 const char *remedy, const char *cause, ...)
	HP_PRINTF(4, 5);

#endif
