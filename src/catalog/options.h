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

#include "utils/array.h"

#include "compat.h"
#include "catalog/kafka_properties.h"
#include "catalog/option.h"
#include "core/offset_metadata.h"
#include "core/policy.h"

typedef enum BurrowOrdering
{
	BURROW_ORDER_KEY,
	BURROW_ORDER_PARTITION,
	BURROW_ORDER_NONE			/* 'unordered' */
} BurrowOrdering;

/* What subscribe, the views and the consumer need of an option. */
typedef struct BurrowOptions
{
	char	   *server;			/* NULL: the default; see catalog/server.h */
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
	BurrowBackoff retry_strategy;
	int64		retry_backoff_us;
	int64		retry_backoff_max_us;
	char	   *permanent_errors;	/* text of a text[] */
	BurrowOnFailure on_failure;
	char	   *dead_letter_topic;	/* NULL: none */
	int			dead_letter_headers;	/* a set of BurrowLetterConvention */
	bool		park_key;		/* messages wait behind a dead letter of their key */
	bool		skip_gaps;		/* on_gap */
	int			max_consecutive_errors;
	int64		handler_timeout_us; /* 0: none */
	int64		shutdown_timeout_us;
	int			synchronous_commit; /* SyncCommitLevel */
	bool		run_as_owner;	/* a superuser, who means it */
	int			nkafka;
	BurrowKafkaProperty *kafka;
} BurrowOptions;

/* In the order of the arguments of burrow.subscribe(). */
typedef enum BurrowOptionId
{
	BURROW_OPTION_SERVER,
	BURROW_OPTION_CONSUMER_GROUP,
	BURROW_OPTION_JOIN_GROUP,
	BURROW_OPTION_START_FROM,
	BURROW_OPTION_DELIVERY,
	BURROW_OPTION_ORDERING,
	BURROW_OPTION_WORKERS,
	BURROW_OPTION_MIN_WORKERS,
	BURROW_OPTION_BATCH_SIZE,
	BURROW_OPTION_BATCH_TIME,
	BURROW_OPTION_MAX_INFLIGHT,
	BURROW_OPTION_MAX_INFLIGHT_BYTES,
	BURROW_OPTION_QUEUE_MEMORY,
	BURROW_OPTION_WINDOW,
	BURROW_OPTION_COMMIT_INTERVAL,
	BURROW_OPTION_COMMIT_BATCH_SIZE,
	BURROW_OPTION_MAX_RETRIES,
	BURROW_OPTION_RETRY_STRATEGY,
	BURROW_OPTION_RETRY_BACKOFF,
	BURROW_OPTION_RETRY_BACKOFF_MAX,
	BURROW_OPTION_PERMANENT_ERRORS,
	BURROW_OPTION_ON_FAILURE,
	BURROW_OPTION_DEAD_LETTER_TOPIC,
	BURROW_OPTION_DEAD_LETTER_HEADERS,
	BURROW_OPTION_PARK_KEY,
	BURROW_OPTION_ON_GAP,
	BURROW_OPTION_MAX_CONSECUTIVE_ERRORS,
	BURROW_OPTION_HANDLER_TIMEOUT,
	BURROW_OPTION_SHUTDOWN_TIMEOUT,
	BURROW_OPTION_SYNCHRONOUS_COMMIT,
	BURROW_OPTION_RUN_AS_OWNER,
	BURROW_OPTION_ENABLED,
	BURROW_OPTION_KAFKA,
	BURROW_NOPTIONS
} BurrowOptionId;

/* The table. */
extern const BurrowOption burrow_options[BURROW_NOPTIONS];

/* NULL: there is none of this name */
extern const BurrowOption *burrow_option_find(const char *name);
/* Canonical text of an SQL argument of the option's type, NULL if it says that there is none;
 * errors as above. */
extern char *burrow_option_from_datum(const BurrowOption *option, Datum value);

/*
 * All options together; values are indexed by BurrowOptionId.  check: do they fit each
 * other (INVALID_PARAMETER_VALUE), are they supported yet (FEATURE_NOT_SUPPORTED)?
 */
extern void burrow_options_set_defaults(const char **values);
extern void burrow_options_check(const char *const *values);
extern ArrayType *burrow_options_to_array(const char *const *values);
extern void burrow_options_from_array(ArrayType *array, const char **values);
extern void burrow_options_decode(const char *const *values, BurrowOptions *options);

/* max_inflight when it is not given */
extern int	burrow_options_max_inflight(int workers, int batch_size);

#endif							/* BURROW_CATALOG_OPTIONS_H */
