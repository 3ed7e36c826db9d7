/*
 * start_position.h
 *	  Where a partition starts: who is right, Kafka or the database?
 *
 * Pure.  The consumer asks once for each partition that it is assigned, with what
 * Kafka holds for the group and what burrow.progress holds for the subscription.
 *
 *	Kafka's commit			progress row	start at
 *	---------------------	------------	----------------------------------------
 *	1 none					none			the option start_from; the beginning, if the
 *											group has commits for other partitions of
 *											the topic: then this one is new
 *	2 none					yes				the database
 *	3 any					none			Kafka; another Burrow's runs are honoured
 *	4 own, exactly_once		yes				the database; Kafka's runs ignored
 *	5 own, at_least_once	yes				Kafka and its runs; rows to be rewritten
 *	6 another Burrow's		yes				the larger; both done sets are skipped
 *	7 untagged, >= row		yes				Kafka, logged
 *	8 untagged, < row		yes				halt
 *
 * In 4 the database is right even when it is behind: it was restored, or a standby
 * without the last transactions was promoted, and the effects of what Kafka counts
 * as done are gone.  In 6 the other server's effects are its own, so what it did is
 * done.  An untagged commit is an administrator's reset or another client's.
 *
 * Two cases that the table leaves open:
 *
 * 3, own tag: a row is stored before a partition's first message is handled, so
 * the database has lost it: it was restored to a time before.  Kafka's position is
 * all there is, but it is logged.  Runs tagged exactly_once say what this database
 * has done, and it does not know of it: they are ignored.
 *
 * Where Kafka takes no metadata, our own commits are untagged.  Then such a commit is taken
 * as our own of exactly_once, whatever the delivery: the database is right, which stores
 * the position before it goes to Kafka.  Somebody else's is not known from ours; but
 * what is done is not missed, and at worst is done again.
 *
 * 5, when the subscription is exactly_once now: the rows were converted when the
 * option was changed and are kept in the handlers' transactions since, and Kafka
 * has not had a commit since.  So the database is right, as in 4.  Kafka's runs are
 * honoured if the row is not behind the commit: then the database holds what was
 * done before that commit, and need not do it again.
 *
 * What the rows' done sets say is always skipped: they are as true as the data that
 * they were committed with.  Only Kafka's runs are a question.
 *
 * Whoever may commit to the group may write them, so they are claims of strangers, and
 * believed only as far as the log can bear them out.  A run that goes beyond the log's
 * end, as it is after the commit was read, is none of anybody who read this log: all
 * of it is refused, or messages that are still to come would be skipped.  Below the
 * log's start there is nothing left to skip; but a claim that what comes next is done,
 * where the log does not hold it any more, would hide the gap, and is refused as well.
 */
#ifndef BURROW_CORE_START_POSITION_H
#define BURROW_CORE_START_POSITION_H

#include "core/offset_metadata.h"

/* What Kafka has committed for the group and partition. */
typedef enum BurrowStartCommit
{
	BURROW_START_COMMIT_NONE,	/* new, expired, or the group was deleted */
	BURROW_START_COMMIT_UNTAGGED,	/* not Burrow's metadata */
	BURROW_START_COMMIT_OWN_AT_LEAST_ONCE,
	BURROW_START_COMMIT_OWN_EXACTLY_ONCE,
	BURROW_START_COMMIT_OTHER	/* Burrow's, with another UUID */
} BurrowStartCommit;

typedef struct BurrowStartPositionInput
{
	BurrowStartCommit commit;	/* find() fills it in */
	int64_t		committed;		/* its offset, unless NONE */
	bool		has_row;
	int64_t		low;			/* highest low of the rows, if there are any */
	BurrowDelivery delivery;	/* the subscription's */
	bool		group_has_others;	/* the group has commits for other partitions of the topic */
	bool		untagged_is_own;	/* find(): Kafka takes no metadata, so ours have none */
} BurrowStartPositionInput;

typedef enum BurrowStartPositionDecision
{
	BURROW_START_BY_OPTION,		/* the caller resolves start_from */
	BURROW_START_AT_BEGINNING,	/* the caller resolves the log's start */
	BURROW_START_AT_DATABASE,
	BURROW_START_AT_KAFKA,
	BURROW_START_AT_LARGER,
	BURROW_START_HALT			/* the commit lies below the row; both numbers belong in the error */
} BurrowStartPositionDecision;

typedef struct BurrowStartPosition
{
	BurrowStartPositionDecision decision;
	int64_t		offset;			/* DATABASE, KAFKA, LARGER; otherwise -1 */
	bool		kafka_runs;		/* skip what the commit's runs say is done */
	bool		log;			/* tell the operator; a halt tells for itself */
} BurrowStartPosition;

/* What a commit is.  metadata: as decoded, NULL if it is not Burrow's. */
extern BurrowStartCommit burrow_start_position_classify(bool has_commit,
														const BurrowOffsetMetadata *metadata,
														const char *own_uuid);

extern BurrowStartPosition burrow_start_position_decide(const BurrowStartPositionInput *in);

/* What a log holds: from low to before end. */
typedef struct BurrowLogBounds
{
	int64_t		low;
	int64_t		end;
} BurrowLogBounds;

typedef struct BurrowStartPositionFound
{
	bool		needs_bounds;	/* nothing else is decided yet: ask for what the log holds, and
								 * then again */
	BurrowStartCommit commit;
	BurrowStartPosition decided;
	int64_t		start;			/* DATABASE, KAFKA, LARGER: the first offset from there on that is
								 * not done; otherwise -1 */
	size_t		refused;		/* runs of the commit that were cut or dropped: the log cannot
								 * bear them out */
} BurrowStartPositionFound;

/*
 * The whole way from what Kafka returned for a partition to what is skipped of it.
 *
 * in->committed: negative, if there is none; metadata: as returned, of any bytes, or NULL.
 * log: what the log holds, asked for later than the commit; NULL: not known.  skip: gets
 * what is done beyond the start; of it nothing lies at log->end or beyond that row_done does
 * not say.
 */
extern BurrowStartPositionFound burrow_start_position_find(BurrowStartPositionInput *in, const char *own_uuid,
														   const char *metadata, size_t metadata_len,
														   const BurrowOffsetSet *row_done,
														   const BurrowLogBounds *log, BurrowOffsetSet *skip);

#endif							/* BURROW_CORE_START_POSITION_H */
