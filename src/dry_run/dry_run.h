/*
 * dry_run.h
 *	  What the two files behind a dry run's process share:
 *
 *		dry_run.c		the process: handlers are called, rolled back, and told of
 *		fetch.c		where the subscription stands, and the messages there
 *
 * and what the backend, which has asked for it, must know of its answers.
 */
#ifndef BURROW_DRY_RUN_DRY_RUN_H
#define BURROW_DRY_RUN_DRY_RUN_H

#include "nodes/pg_list.h"

#include "catalog/subscription.h"
#include "core/frame.h"

#define BURROW_DRY_RUN_MAX		1000	/* messages */

/*
 * Answers come as in PostgreSQL's protocol, as those of parallel workers do: 'N' and 'E' are
 * a notice and the error that ended it, and these are ours.  An outcome is partition (int32),
 * offset (int64), handler_ms (float8), and six texts (int32 length, -1: NULL; bytes): topic,
 * sqlstate (NULL: ok), message, detail, hint, context.
 */
#define BURROW_DRY_RUN_OUTCOME	'D'
#define BURROW_DRY_RUN_END		'C'
#define BURROW_DRY_RUN_TEXTS	6

typedef struct BurrowDryMessage
{
	const char *topic;
	int32		partition;
	BurrowMessageView view;
} BurrowDryMessage;

/* The next n messages of the subscription, fewer if there are no more: a list of
 * BurrowDryMessage in the current memory context.  No client is left. */
extern List *burrow_fetch_next_messages(const BurrowSubscription *sub, int n);

#endif							/* BURROW_DRY_RUN_DRY_RUN_H */
