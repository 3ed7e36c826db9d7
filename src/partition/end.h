/*
 * end.h
 *	  Where a partition ends, and since when it is behind.
 */
#ifndef BURROW_PARTITION_END_H
#define BURROW_PARTITION_END_H

#include "partition/context.h"
#include "partition/groups.h"

extern void burrow_end_init(BurrowPartitionEnd *end);

/* What the broker says while the start is looked up. */
extern void burrow_end_set(BurrowPartitionEnd *end, int64 offset);
/* What it says to who wants to know it as of now. */
extern void burrow_end_answered(BurrowPartitionEnd *end, int64 offset, TimestampTz asked_at);
/* It does not say, because of this, which is a constant. */
extern void burrow_end_unanswered(BurrowPartitionEnd *end, const char *why);
/* Its queue tells that the end is there. */
extern void burrow_end_reached(const BurrowConsumer *c, BurrowPartitionEnd *end, int64 offset);
/* The queue of the partition is empty: has its end been reached?  True: the end is known now. */
extern bool burrow_end_queue_empty(BurrowPartitionEnd *end);
/* There is something to be read that is not. */
extern void burrow_end_behind(const BurrowConsumer *c, BurrowPartitionEnd *end);

/* A message was taken. */
static inline void
burrow_end_message(const BurrowConsumer *c, BurrowPartitionEnd *end)
{
	end->eof_offset = -1;
	if (end->behind_since == 0)
		burrow_end_behind(c, end);
}

extern void burrow_end_set_high_watermark(BurrowPartitionEnd *end, int64 high);
/* All below this was taken, and so was there, and is perhaps not all done; is there a next message?  Does an open
 * transaction keep messages back? */
extern void burrow_end_publish(const BurrowConsumer *c, BurrowPartitionEnd *end, int64 taken, bool pending);

#endif							/* BURROW_PARTITION_END_H */
