/*
 * offset_commit.h
 *	  What is durable, and telling Kafka.
 */
#ifndef BURROW_OFFSETS_OFFSET_COMMIT_H
#define BURROW_OFFSETS_OFFSET_COMMIT_H

#include "catalog/position.h"
#include "kafka/kafka.h"
#include "partition/partition.h"

/* Moves the durable heads; sends a commit if one is due.  When it is next due. */
extern TimestampTz burrow_offset_commit_run(const BurrowConsumer *c);
/* While the start is looked up: Kafka has it, or this offset below it; or has not. */
extern void burrow_offset_commit_found(BurrowPartition *part, int64 offset);
extern void burrow_offset_commit_forget(BurrowPartition *part);
/* The consumer's row has this offset. */
extern void burrow_offset_commit_stored(BurrowPartition *part, int64 offset);
/* One is to be sent now. */
extern void burrow_offset_commit_ask(void);
/* A message of the partition is done. */
extern void burrow_offset_commit_count_done(BurrowPartition *part);
/* The assignment was lost: nothing may be committed.  Or it may again. */
extern void burrow_offset_commit_forbid(bool is_so);
/* Kafka has answered; or there is a client, who was told nothing yet. */
extern void burrow_offset_commit_answered(const BurrowConsumer *c);
/* What Kafka has of one partition. */
extern void burrow_offset_commit_acknowledge(const BurrowConsumer *c, const BurrowKafkaTopicPartition *item);
/* What Kafka has of it may be older than what was sent. */
extern void burrow_offset_commit_resend(BurrowPartition *part);
/* Kafka has all of the commit. */
extern void burrow_offset_commit_succeeded(const BurrowConsumer *c);
/* There is no need to wait before it. */
extern void burrow_offset_commit_retry_at_once(const BurrowConsumer *c);
/* A commit failed: what was not acknowledged is owed again. */
extern void burrow_offset_commit_retry(const BurrowConsumer *c);
/* The last commit before partitions are given up: flushes all that is done, and sends it
 * when standbys have confirmed it, or have had their time. */
extern void burrow_offset_commit_begin_final(const BurrowConsumer *c);
/* That is over: partitions stay, or are gone. */
extern void burrow_offset_commit_end_final(void);
/* Is all that could be committed acknowledged; of the closing parts only, or of all? */
extern bool burrow_offset_commit_settled(const BurrowConsumer *c, bool closing_only);

#endif							/* BURROW_OFFSETS_OFFSET_COMMIT_H */
