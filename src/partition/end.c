/*
 * end.c
 *	  Where a partition ends, and since when it is behind.
 *
 * Runs in: the consumer.
 * Owns: end->
 *
 * The end is told when it is reached, by the partition's queue; and asked for where somebody wants to
 * know it (offsets/lag.c).
 */
#include "postgres.h"

#include "partition/end.h"

void
burrow_end_init(BurrowPartitionEnd *end)
{
	end->offset = -1;
	end->eof_offset = -1;
	end->high_watermark = -1;
}

void
burrow_end_set(BurrowPartitionEnd *end, int64 offset)
{
	end->offset = offset;
}

/*
 * The time of the answer is not that of the question: what came meanwhile is not in it.  The end may have
 * been reached since, further on.
 */
void
burrow_end_answered(BurrowPartitionEnd *end, int64 offset, TimestampTz asked_at)
{
	end->offset = end->known_at > asked_at ? Max(end->offset, offset) : offset;
	end->known_at = Max(end->known_at, asked_at);
	end->asked_at = asked_at;
	end->unanswered = NULL;
}

void
burrow_end_unanswered(BurrowPartitionEnd *end, const char *why)
{
	end->unanswered = why;
}

void
burrow_end_reached(const BurrowConsumer *c, BurrowPartitionEnd *end, int64 offset)
{
	end->eof_offset = offset;
	end->eof_at = c->now;
}

/*
 * librdkafka tells of an end once, among the messages, and it may lie in the queue for long.
 * So it is the end only if nothing comes after it there, and if no later one is known; and
 * it is no answer to somebody who wants the end as of now.
 */
bool
burrow_end_queue_empty(BurrowPartitionEnd *end)
{
	if (end->eof_offset < 0 || end->eof_offset < end->offset)
		return false;
	end->offset = end->eof_offset;
	end->known_at = Max(end->known_at, end->eof_at);
	end->behind_since = 0;
	return true;
}

void
burrow_end_behind(const BurrowConsumer *c, BurrowPartitionEnd *end)
{
	if (end->behind_since == 0)
		end->behind_since = c->now;
}

void
burrow_end_set_high_watermark(BurrowPartitionEnd *end, int64 high)
{
	end->high_watermark = high;
}

/*
 * Only where all that can be read has been read is what is beyond it known to be kept back, and only as
 * long as the end stands still.
 */
void
burrow_end_publish(const BurrowConsumer *c, BurrowPartitionEnd *end, int64 taken, bool pending)
{
	bool		blocked;

	end->offset = Max(end->offset, taken);
	/* the next message has been there for so long at least */
	if (pending || end->offset == taken)
		end->unread_since = 0;
	else if (end->unread_since == 0 || end->unread_at != taken)
	{
		end->unread_since = c->now;
		end->unread_at = taken;
	}
	blocked = end->eof_offset >= 0 && end->eof_offset >= end->offset && end->high_watermark > end->offset;
	if (!blocked)
		end->blocked_since = 0;
	else if (end->blocked_since == 0 || end->blocked_at != end->offset)
	{
		end->blocked_since = c->now;
		end->blocked_at = end->offset;
	}
}
