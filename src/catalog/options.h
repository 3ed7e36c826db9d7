/*
 * options.h
 *	  The options of a subscription: one table drives parsing, validation, storage
 *	  (burrow.subscription.options, text[] of "name=value" as in pg_class.reloptions),
 *	  alter, and the documentation.
 *
 * Times are microseconds in C.
 */
#ifndef BURROW_CATALOG_OPTIONS_H
#define BURROW_CATALOG_OPTIONS_H

#include "core/offset_metadata.h"

typedef enum BurrowOrdering
{
	BURROW_ORDER_KEY,
	BURROW_ORDER_PARTITION,
	BURROW_ORDER_NONE			/* 'unordered' */
} BurrowOrdering;

typedef enum BurrowRetryStrategy
{
	BURROW_BACKOFF_EXPONENTIAL,
	BURROW_BACKOFF_LINEAR,
	BURROW_BACKOFF_CONSTANT
} BurrowRetryStrategy;

typedef enum BurrowOnFailure
{
	BURROW_FAILURE_HALT,
	BURROW_FAILURE_DEAD_LETTER,
	BURROW_FAILURE_SKIP
} BurrowOnFailure;

typedef struct BurrowKafkaProperty
{
	char	   *name;
	char	   *value;
} BurrowKafkaProperty;

typedef struct BurrowOptions
{
	char	   *server;			/* NULL: burrow.bootstrap_servers */
	char	   *start_from;		/* as given: earliest | latest | time | {"0": 42} */
	BurrowDelivery delivery;
	BurrowOrdering ordering;
	int			workers;
	int			min_workers;
	int			batch_size;
	int64		batch_time_us;
	int			max_inflight;	/* resolved: never 0 */
	int64		max_inflight_bytes;
	int64		queue_memory;	/* bytes */
	int			window;
	int64		commit_interval_us;
	int			commit_batch_size;
	int			max_retries;
	BurrowRetryStrategy retry_strategy;
	int64		retry_backoff_us;
	int64		retry_backoff_max_us;
	char	   *permanent_errors;	/* text of a text[] */
	BurrowOnFailure on_failure;
	char	   *dead_letter_topic;	/* NULL: none */
	bool		skip_gaps;		/* on_gap */
	int			max_consecutive_errors;
	int64		handler_timeout_us;	/* 0: none */
	int64		shutdown_timeout_us;
	int			synchronous_commit;	/* SyncCommitLevel */
	int			nkafka;
	BurrowKafkaProperty *kafka;
} BurrowOptions;

/*
 * start_from, parsed.  Error INVALID_PARAMETER_VALUE at subscribe; the consumer
 * parses the stored text again.
 */
typedef enum BurrowStartKind
{
	BURROW_START_EARLIEST,
	BURROW_START_LATEST,
	BURROW_START_TIME,			/* time_ms */
	BURROW_START_OFFSETS		/* per partition; others start at the beginning */
} BurrowStartKind;

typedef struct BurrowStart
{
	BurrowStartKind kind;
	int64		time_ms;		/* milliseconds since 1970 */
	int			noffsets;
	int32	   *partitions;
	int64	   *offsets;
} BurrowStart;

extern void burrow_start_parse(const char *text, BurrowStart *start);

#endif							/* BURROW_CATALOG_OPTIONS_H */
