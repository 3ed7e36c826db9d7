/*
 * trouble_kinds.h
 *	  What a subscription can wait for: the kinds of trouble, each kept by itself.
 *
 * Each kind has one writer, which also knows when it is over; none covers up another.  One whose work is not
 * tried any more (its partition went elsewhere) is over when nobody has met it for a while.  To add one: here,
 * its row in trouble_kinds.c, its pair of cause and statement in test/t/314_next_statements.pl, or a test of its
 * own, and its row in docs/operations.md, which test/lint asks for.
 *
 * What is a partition's is not here: one that cannot be started (BurrowStartInfo), or fetched (partitions.h).  Of the
 * messages that wait for their retry, the error of the last one that failed is; where they are is in BurrowRetryInfo.
 */
#ifndef BURROW_SHMEM_TROUBLE_KINDS_H
#define BURROW_SHMEM_TROUBLE_KINDS_H

#include "utils/timestamp.h"

#include "core/kafka_cause.h"

typedef enum BurrowTroubleKind
{
	/* Kafka's: they have a cause of their own, and so has a consumer whose end is Kafka's doing */
	BURROW_TROUBLE_KAFKA = 0,	/* consumer/connection.c; until Kafka answers a question */
	BURROW_TROUBLE_TOPIC,		/* consumer/connection.c; until it has partitions, or a commit is
								 * taken */
	BURROW_TROUBLE_MEMBER,		/* consumer/connection.c; until the group gives an assignment or
								 * takes offsets */
	BURROW_TROUBLE_START,		/* offsets/start.c, topic_watch.c; until it is known where to
								 * start */
	BURROW_TROUBLE_COMMIT,		/* consumer/commit_answer.c; until a commit is acknowledged */
	BURROW_TROUBLE_SEEK,		/* offsets/seek.c; until it is known what the topic holds */

	/* the owner's */
	BURROW_TROUBLE_SERVER_MISSING,	/* consumer/consumer.c; until there is a cluster that he may
									 * use */
	BURROW_TROUBLE_SERVER_DENIED,
	BURROW_TROUBLE_SERVER_CREDENTIALS,
	BURROW_TROUBLE_RIGHTS,		/* delivery/rights.c; until he has them */

	/* the server's */
	BURROW_TROUBLE_RETRY,		/* partition/message_error.c; until nothing waits for its retry */
	BURROW_TROUBLE_ENVIRONMENT, /* delivery/failure.c; until a message is handled again */
	BURROW_TROUBLE_MEMORY,		/* partition/segment.c; until it gets some */
	BURROW_TROUBLE_POOL_MEMORY, /* delivery/pool.c; until there are as many workers as are wanted */
	BURROW_TROUBLE_WORKERS,		/* delivery/pool.c; until one comes */
	BURROW_TROUBLE_CONSUMER,	/* launcher/launcher.c, or the consumer as it ends; until there is
								 * an assignment */
	BURROW_TROUBLE_DEAD_LETTER_TOPIC,	/* dead_letter/publisher.c; until it takes one */
	BURROW_TROUBLE_STALLED,		/* consumer/watchdog.c; until what is there comes */

	/* work in the database, by burrow_status_try(); until it is done */
	BURROW_TROUBLE_LOAD,
	BURROW_TROUBLE_FIND_SERVER,
	BURROW_TROUBLE_HALT,
	BURROW_TROUBLE_KEEP_CLUSTER,
	BURROW_TROUBLE_KEEP_UNTAGGED,
	BURROW_TROUBLE_READ_POSITIONS,
	BURROW_TROUBLE_STORE_POSITIONS,
	BURROW_TROUBLE_STORE_SEEK,
	BURROW_TROUBLE_REMOVE_SEEK,
	BURROW_TROUBLE_SKIP,
	BURROW_TROUBLE_WRITE_LETTERS,
	BURROW_TROUBLE_READ_LETTERS,
	BURROW_TROUBLE_FIND_LETTERS,
	BURROW_TROUBLE_MARK_LETTERS,
	BURROW_TROUBLE_ASK_RIGHTS,
} BurrowTroubleKind;

#define BURROW_NTROUBLES	(BURROW_TROUBLE_ASK_RIGHTS + 1)
#define BURROW_TROUBLES_OF_KAFKA	(BURROW_TROUBLE_SEEK + 1)

typedef struct BurrowTroubleKindInfo
{
	const char *name;			/* "store_positions" */
	const char *statement;		/* the next one, if whoever tells of it has none; %s: the
								 * subscription, quoted */
	const char *words;			/* the cause, as burrow.why_stuck() has it, if no cause of Kafka's
								 * says more */
	const char *work;			/* burrow_status_try()'s: "could not" do this */
	bool		in_part;		/* the subscription goes on meanwhile: it is not "retrying" */
} BurrowTroubleKindInfo;

extern const BurrowTroubleKindInfo burrow_trouble_kinds[];

/* A trouble of a subscription, in its slot. */
typedef struct BurrowTrouble
{
	TimestampTz since;			/* 0: there is none of this kind */
	TimestampTz at;				/* when it was met last */
	BurrowKafkaCause cause;
	char		sqlstate[6];
	char		message[384];	/* the owner's: may quote a message's contents */
	char		public_message[160];	/* everybody's who may see the subscription; "": message
										 * is */
	char		statement[384]; /* "": the kind's */
} BurrowTrouble;

#endif							/* BURROW_SHMEM_TROUBLE_KINDS_H */
