/*
 * start.h
 *	  Where the partitions of an assignment start.
 */
#ifndef BURROW_OFFSETS_START_H
#define BURROW_OFFSETS_START_H

#include "catalog/start_from.h"
#include "catalog/position.h"
#include "catalog/subscription.h"
#include "core/start_position.h"
#include "kafka/kafka.h"
#include "partition/context.h"
#include "shmem/registry.h"

/* The partitions that are being located: those whose start is not known, or all. */
extern BurrowKafkaList *burrow_start_list(BurrowConsumer *c, bool unlocated_only);
/* Asks for the group's committed offsets; waits for workers of an older epoch. */
extern void burrow_start_ask(BurrowConsumer *c);
/* They have come. */
extern void burrow_start_fetched(BurrowConsumer *c, const BurrowKafkaEvent *event);
/* Looks up the log's start or end, or a time.  False: not all are known yet. */
extern bool burrow_start_resolve(BurrowConsumer *c);
/* All starts are known: they go into the database.  False: not now. */
extern bool burrow_start_store(BurrowConsumer *c);
/* Has the broker turn special offsets and times into offsets, all of them, or says why not. */
extern bool burrow_start_look_up(const BurrowKafkaFunctions *kafka, BurrowKafkaClient *scout,
									BurrowKafkaList *list, char *text);

/* What Kafka and the database say together of where a partition starts. */
typedef struct BurrowStartChoice
{
	BurrowStartCommit commit;	/* what Kafka's is */
	BurrowStartPosition decided;	/* see core/start_position.h */
	int64		start;			/* the first from there on that is not done; -1: HALT */
	bool		located;		/* false: start is a special offset or a time, to be looked up */
	size_t		refused;		/* runs of the commit that were not believed */
} BurrowStartChoice;

/* Adds to skip what is done beyond the start; in the current memory context.  log: as from ask_logs(). */
extern BurrowStartChoice burrow_start_decide(const BurrowSubscription *sub, const BurrowStartFrom *option,
											 const BurrowKafkaTopicPartition *item, const BurrowPosition *row,
											 bool group_has_others, const BurrowLogBounds *log,
											 BurrowOffsetSet *skip);
/*
 * What the logs hold of those partitions whose commits claim that something is done beyond their offsets,
 * asked for now; NULL: the broker did not answer.  One for each commit; of the others low is -1.
 */
extern BurrowLogBounds *burrow_start_ask_logs(const BurrowKafkaFunctions *kafka, BurrowKafkaClient *scout,
											  const BurrowSubscription *sub, const BurrowKafkaList *commits,
											  const BurrowPosition *rows, char *text);
/* Why, when it says HALT. */
extern BurrowHalt burrow_start_behind(const char *topic, int32 partition, int64 committed, int64 low);

#endif							/* BURROW_OFFSETS_START_H */
