/*
 * message_error.h
 *	  The error of a message's attempt, and what is known of a message that has failed.
 */
#ifndef BURROW_PARTITION_MESSAGE_ERROR_H
#define BURROW_PARTITION_MESSAGE_ERROR_H

#include "lib/ilist.h"
#include "lib/pairingheap.h"

#include "core/policy.h"
#include "partition/partition.h"
#include "shmem/troubles.h"

/* An attempt's error: one palloc with its texts. */
typedef struct BurrowFailure
{
	char		sqlstate[6];
	BurrowErrorOrigin origin;
	bool		fresh;			/* the session could not be to blame */
	bool		ours;			/* its texts are Burrow's own */
	BurrowVerdict verdict;		/* once it is judged */
	const char *message;		/* these may be NULL */
	const char *detail;
	const char *hint;
	const char *context;
} BurrowFailure;

/* What is known of a message that has failed. */
struct BurrowRetry
{
	pairingheap_node heap_node; /* see delivery/retry.c; while it waits for its time */
	dlist_node	node;			/* of those that wait then, or of the letters to be written */
	struct BurrowMessage *m;
	TimestampTz at;				/* not before */
	TimestampTz first_failed_at;
	uint64		successes_before;	/* of the subscription, when it first failed */
	uint32		environment_failures;	/* attempts counted that were perhaps not its fault */
	uint32		doubts;			/* failures that were perhaps the session's, and not counted */
	bool		wants_fresh;	/* its next attempt is to be in a fresh session */
	uint64		after_session;	/* it waits for one with a higher number; 0: not, or not yet */
	dlist_node	fresh_node;		/* of those, if it does */
	BurrowFailure *failure;		/* a dead letter's, until it is written; NULL: it is parked */
};

/* The texts are Burrow's own, and copied; they may be NULL.  pfree() frees it. */
extern BurrowFailure *burrow_message_error_new(const BurrowConsumer *c, const char *sqlstate, const char *message,
											   const char *detail, const char *hint, const char *context);
extern BurrowFailure *burrow_message_error_from_frame(const BurrowConsumer *c, const BurrowResultFailure *frame);
extern const char *burrow_message_error_text(const BurrowFailure *failure);
/* What of it may be logged, and seen by those who may not see messages' contents; NULL: all. */
extern const char *burrow_message_error_public_text(const BurrowFailure *failure);
/* For the views. */
extern BurrowTroubleReport burrow_message_error_report(const BurrowFailure *failure);
/* The subscription's last error. */
extern void burrow_message_error_show(const BurrowConsumer *c, const BurrowFailure *failure);
/* The message's record, made at its first failure. */
extern BurrowRetry *burrow_message_error_record(const BurrowConsumer *c, BurrowMessage *m);

#endif							/* BURROW_PARTITION_MESSAGE_ERROR_H */
