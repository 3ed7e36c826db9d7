/*
 * dead_letter.h
 *	  Messages whose attempts are used up (burrow.dead_letter).
 */
#ifndef BURROW_CATALOG_DEAD_LETTER_H
#define BURROW_CATALOG_DEAD_LETTER_H

#include "common/hashfn.h"
#include "utils/timestamp.h"

#include "core/frame.h"

/*
 * The number that stands for a key: the scheduler's order, where that is by key.  Two keys
 * that share one are treated as one.
 */
static inline uint64
burrow_key_order(const char *key, size_t len)
{
	return hash_bytes_extended((const unsigned char *) key, (int) len, 0);
}

typedef struct BurrowDeadLetter
{
	const char *topic;
	int32		partition;
	BurrowMessageView message;
	const char *sqlstate;		/* NULL: it is parked behind another one of its key */
	const char *error;			/* NULL then, as the next three may be always */
	const char *detail;
	const char *hint;
	const char *context;
	TimestampTz first_failed_at;
	bool		is_retry;		/* its row is there, unless somebody has discarded it */
	bool		retry_requested;	/* it is to be tried again at once */
	bool		holds_key;		/* again: other letters of its key are not tried any more */
} BurrowDeadLetter;

/* A row as it is read. */
typedef struct BurrowDeadLetterRow
{
	const char *topic;
	int32		partition;
	int64		offset;
	bytea	   *key;			/* these two may be NULL */
	bytea	   *value;
	int			nheaders;
	Datum	   *header_names;	/* text */
	Datum	   *raw_header_names;	/* bytea; NULL: those above say as much */
	Datum	   *header_values;	/* bytea */
	bool	   *header_nulls;
	bool		has_time;
	TimestampTz time;
	int32		attempts;
	const char *sqlstate;
	const char *message;
	const char *detail;			/* these three may be NULL */
	const char *hint;
	const char *context;
} BurrowDeadLetterRow;

/* Which rows are read. */
typedef enum BurrowDeadLetterChoice
{
	BURROW_LETTERS_ASKED,		/* that are to be tried again */
	BURROW_LETTERS_UNPRODUCED	/* that are not known to be in the dead-letter topic; without
								 * those that are parked or to be tried again, which may go away */
} BurrowDeadLetterChoice;

/* Letters are told apart by these. */
typedef struct BurrowDeadLetterId
{
	const char *topic;
	int32		partition;
	int64		offset;
} BurrowDeadLetterId;

/*
 * Rows of a subscription are locked in the order of topic, partition and offset, after the subscription's own by whoever
 * locks that one, so that nobody meets another in a deadlock: burrow.retry_dead_letters(), another such call, an
 * unsubscribe, the consumer.  A worker's transaction takes one letter only.
 *
 * This locks those of a partition with these offsets, and those of these keys (burrow_key_order()) that are to be tried again:
 * before burrow_dead_letter_store() updates them in whatever order.
 *
 * Process: consumer, in a transaction with an active snapshot.
 */
extern void burrow_dead_letter_lock(int32 subid, const char *uuid, const char *topic, int32 partition,
									const int64 *offsets, int noffsets, const uint64 *key_orders, int nkeys);

/*
 * Writes the row, or updates it if the message was a dead letter before.  Does nothing
 * if the subscription is gone.
 *
 * Process: consumer, in a transaction with an active snapshot.
 */
extern void burrow_dead_letter_store(int32 subid, const char *uuid, const BurrowDeadLetter *letter);

/*
 * Calls found for each row of the choice, at most limit, and not more than about so many
 * bytes, in the order of topic, partition and offset.  Returns how many there are; of those
 * that are to be tried again, also those left out because of the limits.
 *
 * Process: consumer, in a transaction with an active snapshot.
 */
extern uint64 burrow_dead_letter_each(int32 subid, BurrowDeadLetterChoice choice, int limit, int64 bytes,
									  void (*found) (void *arg, const BurrowDeadLetterRow *row), void *arg);

/*
 * How many the subscription has.
 *
 * Process: consumer, in a transaction with an active snapshot.
 */
extern uint64 burrow_dead_letter_count(int32 subid);

/*
 * Notes that these are in the dead-letter topic.  Never waits for a row that somebody has
 * locked: returns how many are there and not noted, for which it is to be called again.
 *
 * Process: consumer, in a transaction with an active snapshot.
 */
extern uint64 burrow_dead_letter_mark_produced(int32 subid, const BurrowDeadLetterId *letters, int n);

/* A header's name as the message has it, byte for byte. */
extern const char *burrow_dead_letter_header_name(const BurrowDeadLetterRow *row, int i, size_t *len);
/* Kafka's time of the message, milliseconds since 1970; -1: none. */
extern int64 burrow_dead_letter_time_ms(const BurrowDeadLetterRow *row);

/* A key that has letters; order: see burrow_key_order(). */
typedef void (*BurrowDeadLetterKey) (void *arg, const char *topic, int32 partition, uint64 order);

/*
 * Calls found with the key of each row that has one; with a key perhaps more than once.
 *
 * Process: consumer, in a transaction with an active snapshot.
 */
extern void burrow_dead_letter_each_key(int32 subid, BurrowDeadLetterKey found, void *arg);

/*
 * Where one letter of a key is to be tried again, all of them are.  Calls found once for
 * each such key: all of its rows are asked for, but those that are written later.
 *
 * Process: consumer, in a transaction with an active snapshot.
 */
extern void burrow_dead_letter_ask_keys(int32 subid, BurrowDeadLetterKey found, void *arg);

/*
 * Removes the row in the current transaction.  False: it was not there.
 *
 * Process: worker, in a transaction with an active snapshot.
 */
extern bool burrow_dead_letter_take(int32 subid, const char *topic, int32 partition, int64 offset);

#endif							/* BURROW_CATALOG_DEAD_LETTER_H */
