/*
 * topic_partition.h
 *	  Lists of topic-partitions, as kafka.h takes and gives them.
 */
#ifndef BURROW_KAFKA_TOPIC_PARTITION_H
#define BURROW_KAFKA_TOPIC_PARTITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/kafka_cause.h"
#include "core/topic_id.h"

/* Special offsets, as in Kafka's ListOffsets request. */
#define BURROW_KAFKA_LATEST		INT64_C(-1)
#define BURROW_KAFKA_EARLIEST	INT64_C(-2)
#define BURROW_KAFKA_NONE_OFFSET	INT64_C(-1001)	/* no offset known */

/* One topic-partition in a list. */
typedef struct BurrowKafkaTopicPartition
{
	char	   *topic;			/* NUL-terminated */
	int32_t		partition;
	int64_t		offset;			/* BURROW_KAFKA_NONE_OFFSET if none */
	int64_t		log_start;		/* from list_bounds(); the same */
	char	   *metadata;		/* of a commit; may hold any bytes; NULL if none */
	size_t		metadata_len;
	int			error;			/* 0, or librdkafka's code */
	const char *error_text;		/* static text; NULL if error is 0 */
	bool		beyond;			/* from list_offsets(): no message was found at or after the time */
	BurrowTopicId topic_id;		/* of DESCRIBED */
	bool		gone;			/* of DESCRIBED: the error is that there is no such topic */
} BurrowKafkaTopicPartition;

typedef struct BurrowKafkaList
{
	int			n;
	BurrowKafkaTopicPartition *items;
	BurrowKafkaCause why_empty; /* of list_partitions(): what Kafka says of the topic */
} BurrowKafkaList;

#endif							/* BURROW_KAFKA_TOPIC_PARTITION_H */
