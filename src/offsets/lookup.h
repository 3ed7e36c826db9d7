/*
 * lookup.h
 *	  Questions to Kafka about the partitions of an assignment: for which they are due, their list,
 *	  and what follows when one has no answer.
 */
#ifndef BURROW_OFFSETS_LOOKUP_H
#define BURROW_OFFSETS_LOOKUP_H

#include "kafka/kafka.h"
#include "partition/context.h"
#include "partition/partition.h"
#include "partition/question.h"

/* Asks again after a failure; of single partitions longer each time. */
#define BURROW_LOOKUP_AGAIN_US		INT64CONST(1000000)
#define BURROW_LOOKUP_AGAIN_MAX_US	INT64CONST(10000000)

typedef bool (*BurrowLookupFilter) (const BurrowConsumer *c, const BurrowPartition *part);
typedef int64 (*BurrowLookupOffset) (const BurrowPartition *part);

/* A list of the partitions that are wanted, with an offset each; the first one is NULL when there is no memory. */
extern BurrowKafkaList *burrow_lookup_try_list(const BurrowConsumer *c, BurrowLookupFilter is_wanted, BurrowLookupOffset offset);
extern BurrowKafkaList *burrow_lookup_list(const BurrowConsumer *c, BurrowLookupFilter is_wanted, BurrowLookupOffset offset);
/* The one where it starts. */
extern int64 burrow_lookup_start(const BurrowPartition *part);
/* Is it at this step, and to be asked for now?  Not while it waits for an answer. */
extern bool burrow_lookup_is_due(const BurrowConsumer *c, const BurrowPartition *part, BurrowStartStep step);
/* Asks for all that are wanted, with an offset each, or puts them off.  what: "could not look up ..." */
extern void burrow_lookup_ask(const BurrowConsumer *c, BurrowKafkaQuestion question, BurrowLookupFilter is_wanted,
							  BurrowLookupOffset offset, BurrowQuestionAnswer answer, const char *what);
/* All that are wanted wait for the answer with this tag. */
extern void burrow_lookup_set_asked(const BurrowConsumer *c, BurrowLookupFilter is_wanted, uint64 tag);
/* They could not be asked for, and wait. */
extern void burrow_lookup_put_off(const BurrowConsumer *c, BurrowLookupFilter is_wanted, const char *what,
								  const char *reason);
/* The one that this item of an answer is for, and that waits no more; NULL: none waits for it. */
extern BurrowPartition *burrow_lookup_answered(const BurrowKafkaTopicPartition *item, uint64 tag);
/* All that still wait for this answer are to be asked for again.  False: there are none. */
extern bool burrow_lookup_again(const BurrowConsumer *c, uint64 tag);
/* There is no answer: the same, and the state says so. */
extern void burrow_lookup_fail(const BurrowConsumer *c, uint64 tag, BurrowKafkaCause cause, const char *what,
							   const char *reason);
/* It is asked for not before; 0: at once. */
extern void burrow_lookup_wait(BurrowPartition *part, TimestampTz at);
/* Kafka has no answer for this partition alone; it is asked for again later. */
extern void burrow_lookup_stick(const BurrowConsumer *c, BurrowPartition *part, const char *what, const char *reason);
/* Is some partition stuck, as the views have it? */
extern bool burrow_lookup_any_stuck(void);
/* The views are told of those that are not started. */
extern void burrow_lookup_publish(const BurrowConsumer *c);

#endif							/* BURROW_OFFSETS_LOOKUP_H */
