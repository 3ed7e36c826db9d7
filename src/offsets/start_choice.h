/*
 * start_choice.h
 *	  Where a partition starts, given what the group has committed and what the database has.
 */
#ifndef BURROW_OFFSETS_START_CHOICE_H
#define BURROW_OFFSETS_START_CHOICE_H

#include "catalog/position.h"
#include "catalog/start_from.h"
#include "catalog/subscription.h"
#include "core/start_position.h"
#include "kafka/kafka.h"

/* What Kafka and the database say together of where a partition starts. */
typedef struct BurrowStartChoice
{
	BurrowStartCommit commit;	/* what Kafka's is */
	BurrowStartPosition decided;	/* see core/start_position.h */
	int64		start;			/* the first from there on that is not done; -1: HALT */
	bool		located;		/* false: start is a special offset or a time, to be looked up */
	size_t		refused;		/* runs of the commit that were not believed */
} BurrowStartChoice;

/* Adds to skip what is done beyond the start; in the current memory context.  log: as from logs(). */
extern BurrowStartChoice burrow_start_choice_decide(const BurrowSubscription *sub, const BurrowStartFrom *option,
													const BurrowKafkaTopicPartition *item, const BurrowPosition *row,
													bool group_has_others, const BurrowLogBounds *log,
													BurrowOffsetSet *skip);

/* The partitions whose commits claim that something is done beyond their offsets, in the order of the commits:
 * what their logs hold has to be known.  NULL: out of memory. */
extern BurrowKafkaList *burrow_start_choice_claims(const BurrowKafkaFunctions *kafka, const BurrowSubscription *sub,
												   const BurrowKafkaList *commits, const BurrowPosition *rows);

/* One for each commit, from the answer for those; of the others low is -1.  errors: one for each, too, NULL
 * where there is none. */
extern BurrowLogBounds *burrow_start_choice_logs(const BurrowKafkaList *commits, const BurrowKafkaList *bounds,
												 const char **errors);

/* Why, when it says HALT. */
extern BurrowHalt burrow_start_choice_behind(const char *topic, int32 partition, int64 committed, int64 low);

#endif							/* BURROW_OFFSETS_START_CHOICE_H */
