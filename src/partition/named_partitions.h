/*
 * named_partitions.h
 *	  Partitions, as the log names them.
 */
#ifndef BURROW_PARTITION_NAMED_PARTITIONS_H
#define BURROW_PARTITION_NAMED_PARTITIONS_H

#include "kafka/kafka.h"

/* Of so many runs of neighbours the log tells; of the others how many partitions they have. */
#define BURROW_NAMED_RUNS_MAX	20

/*
 * A sentence: Topic "orders" partition 0-3, 7; topic "payments" partition 2.
 * Of those that are meant (NULL: all).  Palloc'd; NULL where there are none.
 */
extern char *burrow_named_partitions(const BurrowKafkaList *list, bool (*is_meant) (const BurrowKafkaTopicPartition *item));

#endif							/* BURROW_PARTITION_NAMED_PARTITIONS_H */
