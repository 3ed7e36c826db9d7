/*
 * kafka_time.c
 *	  Kafka's timestamps and PostgreSQL's, one made of the other.
 *
 * Runs in: every process.
 */
#include "core/kafka_time.h"

#include "core/check.h"

#define MIN_MS		(BURROW_TIME_MIN_US / 1000 + BURROW_EPOCH_MS)
#define END_MS		(BURROW_TIME_END_US / 1000 + BURROW_EPOCH_MS)

_Static_assert(BURROW_TIME_MIN_US % 1000 == 0 && BURROW_TIME_END_US % 1000 == 0,
			   "the range begins and ends with a whole millisecond");

bool
burrow_kafka_time_to_us(int64_t ms, int64_t *us)
{
	*us = 0;
	if (ms == BURROW_KAFKA_NO_TIME || ms < MIN_MS || ms >= END_MS)
		return false;
	*us = (ms - BURROW_EPOCH_MS) * 1000;
	return true;
}

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
