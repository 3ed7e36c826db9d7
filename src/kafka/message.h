/*
 * message.h
 *	  Messages that a partition gives, and records that a producer takes.
 */
#ifndef BURROW_KAFKA_MESSAGE_H
#define BURROW_KAFKA_MESSAGE_H

#include "core/kafka_time.h"
#include "kafka/event.h"

/* What an error of a partition is about. */
typedef enum BurrowKafkaFault
{
	BURROW_KAFKA_FAULT_PASSING, /* anything else: the client goes on trying to fetch */
	BURROW_KAFKA_FAULT_DATA,	/* what is stored there cannot be read: it is never delivered */
	BURROW_KAFKA_FAULT_GAP,		/* the log does not hold the position: nothing more is fetched */
	BURROW_KAFKA_FAULT_GONE,	/* there is no such partition (any more) */
	BURROW_KAFKA_FAULT_REFUSED, /* by authorization; the client goes on trying */
	BURROW_KAFKA_FAULT_SIZE		/* the answer would be larger than the client takes; the same */
} BurrowKafkaFault;

/* What poll_queue() found; pointers are valid until the next poll_queue() or discard() on any partition. */
typedef struct BurrowKafkaMessage
{
	int64_t		offset;
	int64_t		timestamp_ms;	/* may be before 1970; BURROW_KAFKA_NO_TIME: none */
	const void *key;			/* NULL: none */
	size_t		key_len;
	const void *value;			/* NULL: tombstone */
	size_t		value_len;
	size_t		nheaders;
	int			error;
	const char *error_name;
	BurrowKafkaFault fault;		/* of BROKEN */
	char		text[BURROW_KAFKA_TEXT_MAX];
} BurrowKafkaMessage;

typedef struct BurrowKafkaHeader
{
	const char *name;
	size_t		name_len;
	const void *value;			/* NULL: NULL */
	size_t		value_len;
} BurrowKafkaHeader;

/* What produce() sends; its partition is chosen as Java's producers do: by the key, at random
 * without one. */
typedef struct BurrowKafkaRecord
{
	const char *topic;
	const void *key;			/* NULL: none */
	size_t		key_len;
	const void *value;			/* NULL: tombstone */
	size_t		value_len;
	size_t		nheaders;
	const BurrowKafkaHeader *headers;
	uint64_t	tag;			/* comes back with the answer */
} BurrowKafkaRecord;

#endif							/* BURROW_KAFKA_MESSAGE_H */
