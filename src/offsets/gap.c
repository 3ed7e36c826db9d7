/*
 * gap.c
 *	  What is said when a topic does not hold what comes next.
 *
 * Runs in: the consumer, and processes of burrow.dry_run().
 */
#include "postgres.h"

#include "core/offset.h"
#include "offsets/gap.h"

const char *
burrow_gap_bounds_text(int64 low, int64 end)
{
	if (low == end)
		return psprintf("The topic holds no message of this partition; the next one will have offset %lld.",
						(long long) end);
	return psprintf("The topic holds offsets %lld to %lld of this partition.",
					(long long) low, (long long) burrow_offset_before(end));
}

BurrowHalt
burrow_gap_halt(const char *topic, int32 partition, int64 position, const char *detail)
{
	return (BurrowHalt) {
		.topic = topic,
			.partition = partition,
			.offset = position,
			.sqlstate = "22003",
			.message = psprintf("offset %lld of topic \"%s\" partition %d is not in the topic",
								(long long) position, topic, partition),
			.detail = detail,
			.hint = BURROW_HINT_SEEK,
	};
}
