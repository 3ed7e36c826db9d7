/*
 * burrow.h
 *	  Names, limits and constants that PostgreSQL-side code shares.
 */
#ifndef BURROW_BURROW_H
#define BURROW_BURROW_H

#define BURROW_LIBRARY			"burrow"
#define BURROW_KAFKA_LIBRARY	"$libdir/burrow_kafka"
#define BURROW_EXPORTER_LIBRARY	"$libdir/burrow_exporter"
#define BURROW_EXTENSION		"burrow"
#define BURROW_SCHEMA			"burrow"
#define BURROW_VERSION			"0.2.0"

/* Bytes, without the terminating NUL.  Kafka's limit for topics; names of
 * subscriptions may be as long, because the topic is their default. */
#define BURROW_TOPIC_MAX		249
#define BURROW_NAME_MAX			249

/* Longest consumer group.  Kafka would take more; its tools show it in columns. */
#define BURROW_GROUP_MAX		249

/* Bytes of a subscription's name in the title of its consumer: BGW_MAXLEN without "burrow consumer ". */
#define BURROW_TITLE_MAX		79

/* Most workers of one subscription. */
#define BURROW_MAX_WORKERS		1024

/* Is this process a worker, which runs handlers?  Defined in worker/worker.c. */
extern bool burrow_am_worker;

#endif							/* BURROW_BURROW_H */
