/*
 * kafka_time.h
 *	  Kafka's timestamps and PostgreSQL's, one made of the other.
 *
 * Kafka counts milliseconds from 1970 and takes any 64 bits; PostgreSQL counts microseconds from
 * 2000 and holds 4714 BC to 294276 AD.  So most of what Kafka takes PostgreSQL cannot
 * hold, and the product alone does not fit into 64 bits.  Whoever makes one of the other does it here.
 *
 * Kafka has one value that is no time, -1.  All others are, those before 1970 too.
 */
#ifndef BURROW_CORE_KAFKA_TIME_H
#define BURROW_CORE_KAFKA_TIME_H

#include <stdbool.h>
#include <stdint.h>

#define BURROW_KAFKA_NO_TIME	INT64_C(-1)

/* PostgreSQL's range, as its MIN_TIMESTAMP and END_TIMESTAMP. */
#define BURROW_TIME_MIN_US		INT64_C(-211813488000000000)
#define BURROW_TIME_END_US		INT64_C(9223371331200000000)

/* From 1970 to 2000. */
#define BURROW_EPOCH_MS			INT64_C(946684800000)

/* False: it is no time, or one that PostgreSQL cannot hold; *us is 0 then. */
inline bool
burrow_kafka_time_to_us(int64_t ms, int64_t *us)
{
	*us = 0;
	if (ms == BURROW_KAFKA_NO_TIME || ms < BURROW_TIME_MIN_US / 1000 + BURROW_EPOCH_MS ||
		ms >= BURROW_TIME_END_US / 1000 + BURROW_EPOCH_MS)
		return false;
	*us = (ms - BURROW_EPOCH_MS) * 1000;
	return true;
}

/* us is a time that PostgreSQL holds, not an infinity.  What is below a millisecond is cut off, towards
 * the past. */
extern int64_t burrow_kafka_time_from_us(int64_t us);

#endif							/* BURROW_CORE_KAFKA_TIME_H */
