/*
 * visit.h
 *	  What only a look at a cluster asks of the Kafka side: a part of kafka.h's table.
 */
#ifndef BURROW_KAFKA_VISIT_H
#define BURROW_KAFKA_VISIT_H

#include <stdbool.h>
#include <stdint.h>

struct BurrowKafkaClient;
struct BurrowKafkaPartition;

typedef struct BurrowKafkaBroker
{
	int32_t		id;
	int			port;
	char		host[256];		/* as the broker advertises it */
} BurrowKafkaBroker;

/* All wait up to timeout_ms, and say in error (of BURROW_KAFKA_TEXT_MAX bytes) why not. */
typedef struct BurrowKafkaVisitFunctions
{
	/* Reads an open queue's partition from this offset on, without a group; does not wait. */
	bool		(*start_reading) (struct BurrowKafkaPartition *p, int64_t offset, char *error);
	/*
	 * Those that the cluster has, as many as there is room for, and their number; -1: it does not
	 * say.
	 */
	int			(*brokers) (struct BurrowKafkaClient *c, BurrowKafkaBroker *brokers, int room,
							int timeout_ms, char *error);
	/* Does it answer, at the address that it advertises?  That it may not tell is an answer. */
	bool		(*broker_answers) (struct BurrowKafkaClient *c, int32_t id, int timeout_ms, char *error);
	/*
	 * What message.timestamp.type is of each topic: 'C' (CreateTime), 'L' (LogAppendTime), or 0:
	 * it is not told.  False: of none.
	 */
	bool		(*timestamp_types) (struct BurrowKafkaClient *c, const char *const *topics, int n,
									int timeout_ms, char *types, char *error);
} BurrowKafkaVisitFunctions;

/* For functions.c; others find it in the table. */
extern const BurrowKafkaVisitFunctions burrow_kafka_visit_functions;

#endif							/* BURROW_KAFKA_VISIT_H */
