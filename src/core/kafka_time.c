/*
 * kafka_time.c
 *	  Kafka's timestamps and PostgreSQL's, one made of the other.
 *
 * Runs in: every process.
 */
#include "core/kafka_time.h"

#include "core/check.h"

_Static_assert(BURROW_TIME_MIN_US % 1000 == 0 && BURROW_TIME_END_US % 1000 == 0,
			   "the range begins and ends with a whole millisecond");

/* Where it is not inlined. */
extern inline bool burrow_kafka_time_to_us(int64_t ms, int64_t *us);

/* Divided before the epoch is added: near the end of the range the sum would not fit. */
int64_t
burrow_kafka_time_from_us(int64_t us)
{
	int64_t		ms = us / 1000;

	BURROW_CHECK(us >= BURROW_TIME_MIN_US && us < BURROW_TIME_END_US);
	if (us % 1000 < 0)
		ms--;
	return ms + BURROW_EPOCH_MS;
}
