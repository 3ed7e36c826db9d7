/*
 * offset_commit.h
 *	  What is durable, and telling Kafka.
 */
#ifndef BURROW_OFFSETS_OFFSET_COMMIT_H
#define BURROW_OFFSETS_OFFSET_COMMIT_H

#include "catalog/position.h"
#include "kafka/kafka.h"
#include "partition/partition.h"

extern uint64 burrow_offset_commit_durable_lsn(const BurrowConsumer *c);
/* Moves the durable heads; sends a commit if one is due. */
extern void burrow_offset_commit_run(BurrowConsumer *c);
/* A commit failed: what was not acknowledged is owed again. */
extern void burrow_offset_commit_retry(BurrowConsumer *c);
extern TimestampTz burrow_offset_commit_next(BurrowConsumer *c);
/* The last commit before partitions are given up: flushes all that is done, and sends it
 * when standbys have confirmed it, or have had their time. */
extern void burrow_offset_commit_begin_final(BurrowConsumer *c);
/* Is all that could be committed acknowledged; of the closing parts only, or of all? */
extern bool burrow_offset_commit_settled(BurrowConsumer *c, bool closing_only);

#endif							/* BURROW_OFFSETS_OFFSET_COMMIT_H */
