/*
 * topic_identity.h
 *	  Is the topic still the one that we know, and does it hold what comes next?
 */
#ifndef BURROW_OFFSETS_TOPIC_IDENTITY_H
#define BURROW_OFFSETS_TOPIC_IDENTITY_H

#include "catalog/position.h"
#include "partition/partition.h"
#include "shmem/registry.h"

/* Is what the log holds to be asked for, before it is gone on from?  That is known now. */
extern bool burrow_topic_identity_wants_bounds(const BurrowPartition *part);
extern void burrow_topic_identity_set_bounds(BurrowPartition *part, int64 log_start, int64 end);
/* Of those of which that is known, and that are due: halts where one cannot be gone on from. */
extern void burrow_topic_identity_check(const BurrowConsumer *c);
/* Can the message that was taken last, at this offset, be compared?  Halts where it has another time now. */
extern bool burrow_topic_identity_is_comparable(const BurrowConsumer *c, const BurrowPartition *part);
extern int64 burrow_topic_identity_seen(const BurrowPartition *part);
extern void burrow_topic_identity_compare(const BurrowConsumer *c, const BurrowPartition *part, int64 timestamp_ms);
/* Halts where the log begins after what comes next, if that is not to be skipped. */
extern void burrow_topic_identity_check_start(const BurrowConsumer *c, BurrowPartition *part);
/* low, end: what the log holds; -1: that is not known. */
extern void burrow_topic_identity_halt_gap(const BurrowConsumer *c, const BurrowPartition *part, int64 position, int64 low, int64 end);
/* Kafka said that this partition is not there (any more). */
extern void burrow_topic_identity_lose(const BurrowConsumer *c, BurrowPartition *part);
/* Is it not there, or some topic of a pattern that was? */
extern bool burrow_topic_identity_is_missing(void);
/* The topic, or pattern, to look for. */
extern const char *burrow_topic_identity_wanted_topic(const BurrowConsumer *c);
/* So many partitions has it, says Kafka. */
extern void burrow_topic_identity_record_topic(const BurrowConsumer *c, int partitions);
/* A message was taken. */
static inline void
burrow_topic_identity_record_message(BurrowPartition *part, int64 offset, int64 timestamp_ms)
{
	part->identity.last_read_offset = offset;
	part->identity.last_read_timestamp = timestamp_ms;
}

/* Is this what burrow_topic_identity_fill() would keep of the topic's id? */
extern bool burrow_topic_identity_is_kept(const BurrowPartition *part, const BurrowTopicId *kept);

/* What is to be kept of it with the position. */
extern void burrow_topic_identity_fill(const BurrowPartition *part, BurrowPosition *position);
/* The row has it from before. */
extern void burrow_topic_identity_load(BurrowPartition *part, const BurrowPosition *row);
/* It was stored. */
extern void burrow_topic_identity_stored(const BurrowConsumer *c, BurrowPartition *part);
/* It is not kept for long enough: retention would take it before it is looked at. */
extern bool burrow_topic_identity_is_stale(const BurrowConsumer *c, const BurrowPartition *part);

#endif							/* BURROW_OFFSETS_TOPIC_IDENTITY_H */
