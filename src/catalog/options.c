/*
 * options.c
 *	  The one table of a subscription's options, and their texts.
 *
 * An option has one canonical text for each value.  It is stored, compared to find
 * out whether anything has changed, and read back by the consumer; so what can be
 * written in several ways ("1000 ms", "1 s") is brought into one when it is given.
 *
 * Here is what each option may be by itself and beside the others.  What needs the
 * server's settings or librdkafka is asked in api/, when the user gives it: a
 * stored value that was fine must not become an error by itself.
 *
 * Runs in: backends, discovery workers, consumers.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "burrow.h"
#include "catalog/interval_text.h"
#include "catalog/names.h"
#include "catalog/nearest.h"
#include "catalog/options.h"
#include "catalog/size_text.h"
#include "catalog/sqlstates.h"
#include "catalog/start_from.h"
#include "core/letter_headers.h"

#define MS		INT64CONST(1000)
#define SECOND	(1000 * MS)
#define MINUTE	(60 * SECOND)
#define HOUR	(60 * MINUTE)
#define DAY		(24 * HOUR)
#define KB		INT64CONST(1024)
#define MB		(1024 * KB)
#define GB		(1024 * MB)

static const BurrowOptionChoice deliveries[] = {
	{"at_least_once", BURROW_AT_LEAST_ONCE}, {"exactly_once", BURROW_EXACTLY_ONCE}, {NULL}
};
static const BurrowOptionChoice orderings[] = {
	{"key", BURROW_ORDER_KEY}, {"partition", BURROW_ORDER_PARTITION},
	{"unordered", BURROW_ORDER_NONE}, {NULL}
};
static const BurrowOptionChoice retry_strategies[] = {
	{"exponential", BURROW_BACKOFF_EXPONENTIAL}, {"linear", BURROW_BACKOFF_LINEAR},
	{"constant", BURROW_BACKOFF_CONSTANT}, {NULL}
};
static const BurrowOptionChoice failures[] = {
	{"halt", BURROW_FAILURE_HALT}, {"dead_letter", BURROW_FAILURE_DEAD_LETTER},
	{"skip", BURROW_FAILURE_SKIP}, {NULL}
};
static const BurrowOptionChoice letter_conventions[] = {
	{"connect", BURROW_LETTER_CONNECT}, {"spring", BURROW_LETTER_SPRING},
	{"kafka", BURROW_LETTER_KAFKA}, {NULL}
};
static const BurrowOptionChoice gaps[] = {
	{"halt", false}, {"skip", true}, {NULL}
};
static const BurrowOptionChoice commit_levels[] = {
	{"off", SYNCHRONOUS_COMMIT_OFF}, {"local", SYNCHRONOUS_COMMIT_LOCAL_FLUSH},
	{"remote_write", SYNCHRONOUS_COMMIT_REMOTE_WRITE}, {"on", SYNCHRONOUS_COMMIT_REMOTE_FLUSH},
	{"remote_apply", SYNCHRONOUS_COMMIT_REMOTE_APPLY}, {NULL}
};

#define FIELD(name) \
	.field = offsetof(BurrowOptions, name), .field_size = sizeof(((BurrowOptions *) 0)->name)

const BurrowOption burrow_options[BURROW_NOPTIONS] = {
	[BURROW_OPTION_SERVER] = {
		"server", BURROW_KIND_SERVER, NULL,
		"foreign server that names the Kafka cluster; otherwise the settings burrow.default_server and burrow.bootstrap_servers do",
		FIELD(server)
	},
	[BURROW_OPTION_CONSUMER_GROUP] = {
		"consumer_group", BURROW_KIND_GROUP, NULL,
		"Kafka's consumer group; by default one that no other subscription has",
		.own_column = true
	},
	[BURROW_OPTION_JOIN_GROUP] = {
		"join_group", BURROW_KIND_BOOLEAN, "false",
		"whether it may share its consumer group with other subscriptions of its owner", .own_column = true
	},
	[BURROW_OPTION_START_FROM] = {
		"start_from", BURROW_KIND_START, "earliest",
		"where to start in partitions that have no progress yet", FIELD(start_from)
	},
	[BURROW_OPTION_DELIVERY] = {
		"delivery", BURROW_KIND_CHOICE, "exactly_once",
		"what a crash may do to a message that was handled",
		.choices = deliveries, FIELD(delivery)
	},
	[BURROW_OPTION_ORDERING] = {
		"ordering", BURROW_KIND_CHOICE, "key",
		"which messages are handled in order: those of a key, of a partition, or none",
		.choices = orderings, FIELD(ordering)
	},
	[BURROW_OPTION_WORKERS] = {
		"workers", BURROW_KIND_INTEGER, "4",
		"most worker processes", 1, BURROW_MAX_WORKERS, FIELD(workers)
	},
	[BURROW_OPTION_MIN_WORKERS] = {
		"min_workers", BURROW_KIND_INTEGER, "1",
		"worker processes that stay when there is nothing to do", 1, BURROW_MAX_WORKERS, FIELD(min_workers)
	},
	[BURROW_OPTION_BATCH_SIZE] = {
		"batch_size", BURROW_KIND_INTEGER, "100",
		"most messages in one transaction", 1, 100000, FIELD(batch_size)
	},
	[BURROW_OPTION_BATCH_TIME] = {
		"batch_time", BURROW_KIND_INTERVAL, "10 ms",
		"a transaction takes no further message after this time", 1, MINUTE, FIELD(batch_time_us)
	},
	[BURROW_OPTION_MAX_INFLIGHT] = {
		"max_inflight", BURROW_KIND_INTEGER, NULL,
		"most messages that run or could run; by default the larger of 1000 and 2 * workers * batch_size",
		1, 10000000, FIELD(max_inflight)
	},
	[BURROW_OPTION_MAX_INFLIGHT_BYTES] = {
		"max_inflight_bytes", BURROW_KIND_BYTES, "64 MB",
		"most bytes of messages that were taken from Kafka and are not done", 64 * KB, 64 * GB,
		FIELD(max_inflight_bytes)
	},
	[BURROW_OPTION_QUEUE_MEMORY] = {
		"queue_memory", BURROW_KIND_BYTES, "64 MB",
		"bytes that are fetched ahead", 1 * MB, 64 * GB, FIELD(queue_memory)
	},
	[BURROW_OPTION_WINDOW] = {
		"window", BURROW_KIND_INTEGER, "100000",
		"most messages of a partition from the oldest that is not done to the newest taken", 1, 100000000,
		FIELD(window)
	},
	[BURROW_OPTION_COMMIT_INTERVAL] = {
		"commit_interval", BURROW_KIND_INTERVAL, "5 s",
		"offsets are committed to Kafka after this time", 1 * MS, DAY, FIELD(commit_interval_us)
	},
	[BURROW_OPTION_COMMIT_BATCH_SIZE] = {
		"commit_batch_size", BURROW_KIND_INTEGER, "1000",
		"offsets are committed to Kafka after so many messages", 1, 100000000, FIELD(commit_batch_size)
	},
	[BURROW_OPTION_MAX_RETRIES] = {
		"max_retries", BURROW_KIND_INTEGER, "3",
		"attempts after the first", 0, 1000000, FIELD(max_retries)
	},
	[BURROW_OPTION_RETRY_STRATEGY] = {
		"retry_strategy", BURROW_KIND_CHOICE, "exponential",
		"how the time between attempts grows",
		.choices = retry_strategies, FIELD(retry_strategy)
	},
	[BURROW_OPTION_RETRY_BACKOFF] = {
		"retry_backoff", BURROW_KIND_INTERVAL, "100 ms",
		"time before the second attempt", 1 * MS, DAY, FIELD(retry_backoff_us)
	},
	[BURROW_OPTION_RETRY_BACKOFF_MAX] = {
		"retry_backoff_max", BURROW_KIND_INTERVAL, "1 min",
		"longest time between attempts", 1 * MS, DAY, FIELD(retry_backoff_max_us)
	},
	[BURROW_OPTION_PERMANENT_ERRORS] = {
		"permanent_errors", BURROW_KIND_SQLSTATES, "{22,23,42}",
		"errors that another attempt would not cure", FIELD(permanent_errors)
	},
	[BURROW_OPTION_ON_FAILURE] = {
		"on_failure", BURROW_KIND_CHOICE, "halt",
		"what happens to a message whose attempts are used up",
		.choices = failures, FIELD(on_failure)
	},
	[BURROW_OPTION_DEAD_LETTER_TOPIC] = {
		"dead_letter_topic", BURROW_KIND_TOPIC, NULL,
		"topic to which dead letters are produced, with on_failure => 'dead_letter'", FIELD(dead_letter_topic)
	},
	[BURROW_OPTION_DEAD_LETTER_HEADERS] = {
		"dead_letter_headers", BURROW_KIND_SET, "connect,spring",
		"in whose form the headers of dead letters in that topic say where they come from",
		.choices = letter_conventions, FIELD(dead_letter_headers)
	},
	[BURROW_OPTION_PARK_KEY] = {
		"park_key", BURROW_KIND_BOOLEAN, "false",
		"whether messages wait, as dead letters, behind a dead letter of their key", FIELD(park_key)
	},
	[BURROW_OPTION_ON_GAP] = {
		"on_gap", BURROW_KIND_CHOICE, "halt",
		"what happens when the topic no longer holds the messages that come next",
		.choices = gaps, FIELD(skip_gaps)
	},
	[BURROW_OPTION_MAX_CONSECUTIVE_ERRORS] = {
		"max_consecutive_errors", BURROW_KIND_INTEGER, "10",
		"failed attempts in a row that halt the subscription", 1, 1000000,
		FIELD(max_consecutive_errors)
	},
	[BURROW_OPTION_HANDLER_TIMEOUT] = {
		"handler_timeout", BURROW_KIND_INTERVAL, NULL,
		"the handler is cancelled after this time", 1 * MS, DAY, FIELD(handler_timeout_us)
	},
	[BURROW_OPTION_SHUTDOWN_TIMEOUT] = {
		"shutdown_timeout", BURROW_KIND_INTERVAL, "30 s",
		"messages in hand are cancelled so long after a stop was asked for", 1 * MS, HOUR,
		FIELD(shutdown_timeout_us)
	},
	[BURROW_OPTION_SYNCHRONOUS_COMMIT] = {
		"synchronous_commit", BURROW_KIND_CHOICE, "off",
		"synchronous_commit of the transactions that handlers run in; no message is lost either way",
		.choices = commit_levels, FIELD(synchronous_commit)
	},
	[BURROW_OPTION_RUN_AS_OWNER] = {
		"run_as_owner", BURROW_KIND_BOOLEAN, "false",
		"whether a superuser's subscription calls a function that somebody else owns who is not one",
		FIELD(run_as_owner)
	},
	[BURROW_OPTION_ENABLED] = {
		"enabled", BURROW_KIND_BOOLEAN, "true",
		"whether the subscription runs", .own_column = true
	},
	[BURROW_OPTION_KAFKA] = {
		"kafka", BURROW_KIND_KAFKA, "{}",
		"properties of librdkafka's consumer", FIELD(kafka)
	},
};

StaticAssertDecl(sizeof(BurrowDelivery) == sizeof(int) && sizeof(BurrowOrdering) == sizeof(int) &&
				 sizeof(BurrowBackoff) == sizeof(int) && sizeof(BurrowOnFailure) == sizeof(int),
				 "choices are stored as int");

const BurrowOption *
burrow_option_find(const char *name)
{
	for (int i = 0; i < BURROW_NOPTIONS; i++)
	{
		if (strcmp(burrow_options[i].name, name) == 0)
			return &burrow_options[i];
	}
	return NULL;
}

static char *
choice_from_text(const BurrowOption *option, const char *word)
{
	BurrowNearest nearest;

	burrow_nearest_init(&nearest, word);
	for (const BurrowOptionChoice *c = option->choices; c->word != NULL; c++)
	{
		if (strcmp(c->word, word) == 0)
			return pstrdup(word);
		burrow_nearest_offer(&nearest, c->word);
	}
	burrow_option_reject(option, word, nearest.best);
}

static const BurrowOptionChoice *
find_choice(const BurrowOption *option, const char *word)
{
	for (const BurrowOptionChoice *c = option->choices; c->word != NULL; c++)
	{
		if (strcmp(c->word, word) == 0)
			return c;
	}
	return NULL;
}

/* In the order of the table, each once. */
static char *
set_from_text(const BurrowOption *option, const char *text)
{
	char	   *rest = pstrdup(text);
	char	   *word;
	int			set = 0;
	StringInfoData canonical;

	while ((word = strsep(&rest, ",")) != NULL)
	{
		const BurrowOptionChoice *choice;
		size_t		len;

		word += strspn(word, " ");
		for (len = strlen(word); len > 0 && word[len - 1] == ' '; len--)
			word[len - 1] = '\0';
		choice = find_choice(option, word);
		if (choice == NULL)
			burrow_option_reject(option, text, NULL);
		set |= choice->value;
	}
	initStringInfo(&canonical);
	for (const BurrowOptionChoice *c = option->choices; c->word != NULL; c++)
	{
		if (set & c->value)
			appendStringInfo(&canonical, "%s%s", canonical.len == 0 ? "" : ",", c->word);
	}
	return canonical.data;
}

static char *
integer_from_datum(const BurrowOption *option, Datum value)
{
	int64		number = DatumGetInt64(value);
	char	   *text = psprintf(INT64_FORMAT, number);

	if (number < option->min || number > option->max)
		burrow_option_reject(option, text, NULL);
	return text;
}

static char *
interval_from_datum(const BurrowOption *option, Datum value)
{
	int64		us;

	if (!burrow_interval_text_us(DatumGetIntervalP(value), &us) ||
		us < option->min || us > option->max)
		burrow_option_reject(option, DatumGetCString(DirectFunctionCall1(interval_out, value)), NULL);
	return burrow_interval_text_format(us);
}

static char *
size_from_datum(const BurrowOption *option, Datum value)
{
	int64		bytes;

	if (!burrow_size_text_bytes(DatumGetTextPP(value), &bytes) || bytes < option->min || bytes > option->max)
		burrow_option_reject(option, TextDatumGetCString(value), NULL);
	return burrow_size_text_format(bytes);
}

char *
burrow_option_from_datum(const BurrowOption *option, Datum value)
{
	char	   *word;

	switch (option->kind)
	{
		case BURROW_KIND_BOOLEAN:
			return pstrdup(DatumGetBool(value) ? "true" : "false");
		case BURROW_KIND_INTEGER:
			return integer_from_datum(option, value);
		case BURROW_KIND_BYTES:
			return size_from_datum(option, value);
		case BURROW_KIND_INTERVAL:
			return interval_from_datum(option, value);
		case BURROW_KIND_CHOICE:
			return choice_from_text(option, TextDatumGetCString(value));
		case BURROW_KIND_SET:
			return set_from_text(option, TextDatumGetCString(value));
		case BURROW_KIND_SERVER:
			word = pstrdup(NameStr(*DatumGetName(value)));
			return word[0] == '\0' ? NULL : word;
		case BURROW_KIND_GROUP:
			word = TextDatumGetCString(value);
			if (!burrow_name_is_group(word))
				burrow_option_reject(option, word, NULL);
			return word;
		case BURROW_KIND_START:
			return burrow_start_from_normalize(option, TextDatumGetCString(value));
		case BURROW_KIND_TOPIC:
			word = TextDatumGetCString(value);
			if (word[0] == '\0')
				return NULL;
			if (!burrow_name_is_topic(word))
				burrow_option_reject(option, word, NULL);
			return word;
		case BURROW_KIND_SQLSTATES:
			return burrow_sqlstates_normalize(option, DatumGetArrayTypeP(value));
		case BURROW_KIND_KAFKA:
			return burrow_kafka_properties_normalize(option, value);
	}
	pg_unreachable();
}

void
burrow_options_set_defaults(const char **values)
{
	for (int i = 0; i < BURROW_NOPTIONS; i++)
		values[i] = burrow_options[i].default_value;
}

/* The number, size or time that the text means. */
static int64
value_of(const char *const *values, BurrowOptionId id)
{
	switch (burrow_options[id].kind)
	{
		case BURROW_KIND_INTERVAL:
			return burrow_interval_text_parse(values[id]);
		case BURROW_KIND_BYTES:
			return burrow_size_text_parse(values[id]);
		default:
			return strtoll(values[id], NULL, 10);
	}
}

/* a must not be greater than b, where both have a value */
static void
check_order(const char *const *values, BurrowOptionId a, BurrowOptionId b)
{
	if (values[a] == NULL || values[b] == NULL || value_of(values, a) <= value_of(values, b))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("option \"%s\" must not be greater than option \"%s\"",
					burrow_options[a].name, burrow_options[b].name),
			 errdetail("The value of \"%s\" is %s, that of \"%s\" is %s.",
					   burrow_options[a].name, values[a], burrow_options[b].name, values[b])));
}

/*
 * Without dead letters there is nothing to wait behind; where the whole partition is one
 * order, one dead letter would stop it, which is what on_failure => 'halt' says better;
 * and where there is no order, there is nothing to keep.
 */
static void
check_park_key(const char *const *values)
{
	static const BurrowOptionId needed[] = {BURROW_OPTION_ON_FAILURE, BURROW_OPTION_ORDERING};
	static const char *const wanted[] = {"dead_letter", "key"};

	if (strcmp(values[BURROW_OPTION_PARK_KEY], "true") != 0)
		return;
	for (int i = 0; i < lengthof(needed); i++)
	{
		const char *value = values[needed[i]];

		if (strcmp(value, wanted[i]) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("option \"%s\" cannot be true while option \"%s\" is \"%s\"",
							burrow_options[BURROW_OPTION_PARK_KEY].name, burrow_options[needed[i]].name, value),
					 errdetail("Messages of a key are parked behind a dead letter of that key."),
					 errhint("Set \"%s\" to \"%s\", or \"%s\" to false.", burrow_options[needed[i]].name, wanted[i],
							 burrow_options[BURROW_OPTION_PARK_KEY].name)));
	}
}

static void
check_dead_letter_topic(const char *const *values)
{
	const char *on_failure = values[BURROW_OPTION_ON_FAILURE];
	const char *topic = values[BURROW_OPTION_DEAD_LETTER_TOPIC];

	if (topic == NULL)
		return;
	/* in Kafka's own ones are all groups' positions */
	if (strncmp(topic, "__", 2) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\": \"%s\"", "dead_letter_topic", topic),
				 errdetail("Topics whose names begin with two underscores belong to Kafka itself."),
				 errhint("Name another topic.")));
	if (strcmp(on_failure, "dead_letter") == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("option \"%s\" needs option \"%s\" to be \"%s\"", "dead_letter_topic", "on_failure", "dead_letter"),
			 errdetail("The value of \"%s\" is \"%s\".", "on_failure", on_failure),
			 errhint("Use on_failure => 'dead_letter', or dead_letter_topic => '' for none.")));
}

void
burrow_options_check(const char *const *values)
{
	check_order(values, BURROW_OPTION_MIN_WORKERS, BURROW_OPTION_WORKERS);
	check_order(values, BURROW_OPTION_WORKERS, BURROW_OPTION_MAX_INFLIGHT);
	check_order(values, BURROW_OPTION_BATCH_SIZE, BURROW_OPTION_MAX_INFLIGHT);
	check_order(values, BURROW_OPTION_RETRY_BACKOFF, BURROW_OPTION_RETRY_BACKOFF_MAX);
	check_park_key(values);
	check_dead_letter_topic(values);
}

ArrayType *
burrow_options_to_array(const char *const *values)
{
	Datum		elements[BURROW_NOPTIONS];
	int			n = 0;

	for (int i = 0; i < BURROW_NOPTIONS; i++)
	{
		if (values[i] != NULL && !burrow_options[i].own_column)
			elements[n++] = CStringGetTextDatum(psprintf("%s=%s", burrow_options[i].name, values[i]));
	}
	return construct_array(elements, n, TEXTOID, -1, false, TYPALIGN_INT);
}

/*
 * What is not in the array has its default: an option that came with a later version
 * is not in rows that were stored before.
 */
void
burrow_options_from_array(ArrayType *array, const char **values)
{
	Datum	   *elements;
	int			n;

	burrow_options_set_defaults(values);
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL, &n);
	for (int i = 0; i < n; i++)
	{
		char	   *name = TextDatumGetCString(elements[i]);
		char	   *equals = strchr(name, '=');
		const BurrowOption *option = NULL;

		if (equals != NULL)
		{
			*equals = '\0';
			option = burrow_option_find(name);
		}
		if (option == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("unknown option \"%s\" in table \"%s.%s\"", burrow_option_clip(name), BURROW_SCHEMA, "subscription")));
		values[option - burrow_options] = equals + 1;
	}
}

int
burrow_options_max_inflight(int workers, int batch_size)
{
	return Max(1000, 2 * workers * batch_size);
}

static int
choice_value(const BurrowOption *option, const char *word)
{
	const BurrowOptionChoice *choice = find_choice(option, word);

	if (choice != NULL)
		return choice->value;
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("unknown value \"%s\" of option \"%s\" in table \"%s.%s\"",
					word, option->name, BURROW_SCHEMA, "subscription")));
}

static int
set_value(const BurrowOption *option, const char *text)
{
	char	   *rest = pstrdup(text);
	char	   *word;
	int			set = 0;

	while ((word = strsep(&rest, ",")) != NULL)
		set |= choice_value(option, word);
	return set;
}

static void
store_number(void *field, size_t size, int64 number)
{
	if (size == sizeof(int64))
		*(int64 *) field = number;
	else if (size == sizeof(int))
		*(int *) field = (int) number;
	else
		*(bool *) field = number != 0;
}

void
burrow_options_decode(const char *const *values, BurrowOptions *options)
{
	memset(options, 0, sizeof(BurrowOptions));
	for (int i = 0; i < BURROW_NOPTIONS; i++)
	{
		const BurrowOption *option = &burrow_options[i];
		void	   *field = (char *) options + option->field;

		if (values[i] == NULL || option->field_size == 0)
			continue;
		switch (option->kind)
		{
			case BURROW_KIND_INTEGER:
			case BURROW_KIND_BYTES:
			case BURROW_KIND_INTERVAL:
				store_number(field, option->field_size, value_of(values, i));
				break;
			case BURROW_KIND_BOOLEAN:
				store_number(field, option->field_size, strcmp(values[i], "true") == 0);
				break;
			case BURROW_KIND_CHOICE:
				store_number(field, option->field_size, choice_value(option, values[i]));
				break;
			case BURROW_KIND_SET:
				store_number(field, option->field_size, set_value(option, values[i]));
				break;
			case BURROW_KIND_KAFKA:
				options->nkafka = burrow_kafka_properties_parse(values[i], &options->kafka);
				break;
			default:
				*(char **) field = pstrdup(values[i]);
				break;
		}
	}
	if (options->max_inflight == 0)
		options->max_inflight = burrow_options_max_inflight(options->workers, options->batch_size);
}
