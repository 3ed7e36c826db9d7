/*
 * publisher.c
 *	  Dead letters on their way to the dead-letter topic.
 *
 * Runs in: the consumer.
 * Owns: the producer, which is made when a letter is to be sent, and one batch.
 *
 * The rows of burrow.dead_letter feed the topic.  A row is committed together with its
 * message's offset; when that is durable, here and on the standbys that the level asks for,
 * the row is read, produced, and when Kafka has it marked.  Whatever happens in between, a
 * row that is not marked is produced, be it once more: at least once, and never without
 * its row.
 *
 * One batch is under way at a time: read, sent, answered, marked in one transaction.  What
 * becomes a dead letter meanwhile is in the next one, so many make larger batches and not
 * more of them; and what is in memory is bounded.
 *
 * librdkafka may be left without any broker, for good (its issue 5301; consumer/client_watch.c has that of the group's
 * member).  So a producer all of whose letters were given up, while Kafka answers others, is replaced by another one.
 *
 * Who is away for a while is waited for, and the state says so.  What would be refused
 * again (the topic is not there, or takes no such record) halts the subscription: a letter
 * that nobody gets is a message that is lost for those who read the topic.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "lib/stringinfo.h"
#include "utils/memutils.h"

#include "catalog/dead_letter.h"
#include "catalog/encoding.h"
#include "compat.h"
#include "core/letter_headers.h"
#include "dead_letter/publisher.h"
#include "offsets/durability.h"
#include "partition/context.h"
#include "partition/status.h"
#include "partition/turn.h"
#include "runtime/crash_point.h"
#include "runtime/kafka_client.h"

/* Letters in a batch, and about how many bytes. */
#define BATCH_LETTERS		1000
#define BATCH_BYTES			INT64CONST(16777216)

/* Between two looks whether standbys have confirmed what was read. */
#define DURABLE_AGAIN_US	INT64CONST(100000)
/* When rows could not be read or marked, or somebody has locked one. */
#define ROWS_AGAIN_US		INT64CONST(1000000)
/* When Kafka did not take some. */
#define SEND_AGAIN_US		INT64CONST(5000000)

typedef enum Step
{
	STEP_IDLE,					/* -> READ */
	STEP_READ,					/* until it is durable -> SENT, IDLE */
	STEP_SENT,					/* answers are awaited -> MARKING */
	STEP_MARKING				/* -> IDLE */
} Step;

typedef struct Letter
{
	BurrowDeadLetterId key;
	BurrowKafkaRecord record;	/* until it is handed over */
	bool		delivered;
} Letter;

typedef struct BurrowPublisher
{
	int			wake_write;		/* the pipe that its producer writes to */
	BurrowKafkaClient *producer;	/* NULL: none was needed yet */
	bool		wanted;			/* there may be rows */
	TimestampTz again_at;		/* nothing before; 0: at once */
	bool		failing;		/* the state says so */
	bool		renewed;		/* there was another producer since it is failing */

	/* the batch */
	Step		step;
	MemoryContext batch_cxt;
	MemoryContext record_cxt;	/* the records, until librdkafka has its copies */
	char	   *topic;
	int			n;
	int			answered;
	XLogRecPtr	lsn;			/* all of it was committed before */
	Letter	   *letters;
	int			refused;		/* the first that is refused for good; -1: none */
	int			undelivered;	/* the others that Kafka does not have */
	BurrowKafkaEvent why;		/* the answer to the refused one, or else to the last of those */
} BurrowPublisher;

static BurrowPublisher publisher;

void
burrow_publisher_init(int wake_write)
{
	BurrowPublisher *o = &publisher;

	o->wanted = true;
	o->wake_write = wake_write;
	o->batch_cxt = AllocSetContextCreate(TopMemoryContext, "burrow dead-letter batch", ALLOCSET_DEFAULT_SIZES);
	o->record_cxt = AllocSetContextCreate(o->batch_cxt, "burrow dead-letter records", ALLOCSET_DEFAULT_SIZES);
}

void
burrow_publisher_wake(void)
{
	publisher.wanted = true;
	burrow_turn_again();
}

/* ---- reading ---- */

/* As the server's log would have it. */
static const char *
whole_error(const BurrowDeadLetterRow *row)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "ERROR:  %s: %s", row->sqlstate, row->message);
	if (row->detail != NULL)
		appendStringInfo(&text, "\nDETAIL:  %s", row->detail);
	if (row->hint != NULL)
		appendStringInfo(&text, "\nHINT:  %s", row->hint);
	if (row->context != NULL)
		appendStringInfo(&text, "\nCONTEXT:  %s", row->context);
	return burrow_encoding_to_utf8(text.data);
}

static void *
copy_bytes(const bytea *bytes, size_t *len)
{
	char	   *copy;

	*len = 0;
	if (bytes == NULL)
		return NULL;
	*len = VARSIZE_ANY_EXHDR(bytes);
	copy = MemoryContextAllocHuge(CurrentMemoryContext, *len + 1);
	memcpy(copy, VARDATA_ANY(bytes), *len);
	return copy;
}

/* The message's own, and after them those that say what became of it: who looks for a
 * name takes the last. */
static void
set_headers(const BurrowConsumer *c, const BurrowDeadLetterRow *row, BurrowKafkaRecord *record)
{
	BurrowLetterOrigin origin = {
		.topic = row->topic,
		.partition = row->partition,
		.offset = row->offset,
		.timestamp_ms = burrow_dead_letter_time_ms(row),
		.attempts = row->attempts,
		.subscription = burrow_encoding_to_utf8(c->sub->name),
		.consumer_group = c->sub->consumer_group,
		.handler = burrow_encoding_to_utf8(c->sub->handler),
		.sqlstate = row->sqlstate,
		.message = burrow_encoding_to_utf8(row->message),
		.report = whole_error(row)
	};
	BurrowLetterHeaders *ours = palloc(sizeof(BurrowLetterHeaders));
	BurrowKafkaHeader *headers = palloc(sizeof(BurrowKafkaHeader) * (row->nheaders + BURROW_LETTER_HEADERS));
	int			n = 0;

	for (; n < row->nheaders; n++)
	{
		size_t		len;
		const char *name = burrow_dead_letter_header_name(row, n, &len);

		headers[n].name = pnstrdup(name, len);
		headers[n].name_len = len;
		headers[n].value = copy_bytes(row->header_nulls[n] ? NULL : DatumGetByteaPP(row->header_values[n]),
									  &headers[n].value_len);
	}
	burrow_letter_headers_make(ours, &origin, c->sub->options.dead_letter_headers);
	for (int i = 0; i < ours->n; i++, n++)
		headers[n] = (BurrowKafkaHeader) {ours->items[i].name, strlen(ours->items[i].name), ours->items[i].value, ours->items[i].value_len};
	record->nheaders = n;
	record->headers = headers;
}

static void
take_row(void *arg, const BurrowDeadLetterRow *row)
{
	const BurrowConsumer *c = arg;
	BurrowPublisher *o = &publisher;
	Letter	   *letter = &o->letters[o->n];
	BurrowDeadLetterRow copy = *row;
	MemoryContext old = MemoryContextSwitchTo(o->batch_cxt);

	letter->key = (BurrowDeadLetterId) {pstrdup(row->topic), row->partition, row->offset};
	MemoryContextSwitchTo(o->record_cxt);
	/* the texts that the headers point to */
	copy.topic = letter->key.topic;
	copy.sqlstate = pstrdup(row->sqlstate);
	copy.message = pstrdup(row->message);
	letter->record.topic = o->topic;
	letter->record.tag = (uint64) o->n;
	letter->record.key = copy_bytes(row->key, &letter->record.key_len);
	letter->record.value = copy_bytes(row->value, &letter->record.value_len);
	set_headers(c, &copy, &letter->record);
	MemoryContextSwitchTo(old);
	o->n++;
}

static void
drop_batch(BurrowPublisher *o)
{
	MemoryContextReset(o->batch_cxt);	/* and record_cxt, which is gone with it */
	o->record_cxt = AllocSetContextCreate(o->batch_cxt, "burrow dead-letter records", ALLOCSET_DEFAULT_SIZES);
	o->n = o->answered = o->undelivered = 0;
	o->refused = -1;
	o->step = STEP_IDLE;
}

/*
 * The transaction gets an xid, and with it a commit record, which follows those of all rows
 * that it has seen: when that is durable, they are.
 */
static void
read_rows(const BurrowConsumer *c, void *arg)
{
	BurrowPublisher *o = &publisher;

	o->letters = MemoryContextAllocZero(o->batch_cxt, sizeof(Letter) * BATCH_LETTERS);
	o->topic = MemoryContextStrdup(o->batch_cxt, c->sub->options.dead_letter_topic);
	if (burrow_dead_letter_each(c->subid, BURROW_LETTERS_UNPRODUCED, BATCH_LETTERS, BATCH_BYTES, take_row, (void *) c) > 0)
		(void) GetCurrentTransactionId();
}

static bool
wants_to_read(const BurrowConsumer *c)
{
	const BurrowPublisher *o = &publisher;

	return o->step == STEP_IDLE && o->wanted && c->sub->options.dead_letter_topic != NULL &&
		!burrow_status_is_stopping();
}

static void
read_batch(const BurrowConsumer *c)
{
	BurrowPublisher *o = &publisher;

	drop_batch(o);
	if (!burrow_status_try(c, read_rows, NULL, BURROW_TROUBLE_FIND_LETTERS))
	{
		drop_batch(o);
		o->again_at = c->now + ROWS_AGAIN_US;
		return;
	}
	o->wanted = o->n > 0;
	if (o->n == 0)
		return;
	o->lsn = XactLastCommitEnd;
	XLogFlush(o->lsn);
	o->step = STEP_READ;
}

/* ---- sending ---- */

static void
record_failure(BurrowPublisher *o, int i, const BurrowKafkaEvent *why)
{
	if (why->permanent && o->refused < 0)
		o->refused = i;
	else
		o->undelivered++;
	/* the reason why it halts is not overwritten by another */
	if (o->refused < 0 || o->refused == i)
		o->why = *why;
}

static void
send_batch(const BurrowConsumer *c)
{
	BurrowPublisher *o = &publisher;

	BURROW_CRASH_POINT("dead letter durable");
	if (o->producer == NULL)
		o->producer = burrow_kafka_client_open_producer(c->kafka, c->sub, o->wake_write);
	for (int i = 0; i < o->n; i++)
	{
		BurrowKafkaEvent event = {0};

		if (c->kafka->produce(o->producer, &o->letters[i].record, event.text))
			continue;
		record_failure(o, i, &event);
		o->answered++;
	}
	MemoryContextReset(o->record_cxt);
	o->step = STEP_SENT;
}

/*
 * After a fatal error the producer is of no more use: the process ends, and the next one tries
 * again after a while.  If we are not allowed to produce, that would not help.
 */
static void
serve_fatal_error(const BurrowConsumer *c, const BurrowKafkaEvent *event)
{
	BurrowPublisher *o = &publisher;
	BurrowKafkaEvent why = *event;

	if (!event->authentication || o->step != STEP_SENT)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("could not go on producing dead letters of subscription \"%s\" to topic \"%s\": %s",
						c->sub->name, o->topic, event->text)));
	for (int i = 0; i < o->n && o->refused < 0; i++)
	{
		if (o->letters[i].delivered)
			continue;
		why.permanent = true;
		record_failure(o, i, &why);
	}
	o->answered = o->n;
}

/* Trouble with a connection is told by the group's member, or by records that are late. */
static void
serve_producer(const BurrowConsumer *c)
{
	BurrowPublisher *o = &publisher;
	BurrowKafkaEvent event;

	while (o->producer != NULL && c->kafka->poll(o->producer, &event))
	{
		if (event.type == BURROW_KAFKA_DELIVERED && o->step == STEP_SENT && o->answered < o->n)
		{
			o->answered++;
			if (event.error == 0)
				o->letters[event.tag].delivered = true;
			else
				record_failure(o, (int) event.tag, &event);
		}
		else if (event.type == BURROW_KAFKA_ERROR && event.fatal)
			serve_fatal_error(c, &event);
		else if (event.type == BURROW_KAFKA_LOG)
			ereport(DEBUG1,
					(errmsg_internal("subscription \"%s\": librdkafka: %s", c->sub->name, event.text)));
	}
}

/* ---- marking ---- */

static void
mark_rows(const BurrowConsumer *c, void *arg)
{
	BurrowPublisher *o = &publisher;
	uint64	   *left = arg;
	BurrowDeadLetterId *keys = palloc(sizeof(BurrowDeadLetterId) * o->n);
	int			n = 0;

	for (int i = 0; i < o->n; i++)
	{
		if (o->letters[i].delivered)
			keys[n++] = o->letters[i].key;
	}
	*left = n == 0 ? 0 : burrow_dead_letter_mark_produced(c->subid, keys, n);
}

/* Kafka will not have it: the message that is a dead letter is named, as when it failed. */
static void
halt(const BurrowConsumer *c)
{
	BurrowPublisher *o = &publisher;
	const BurrowDeadLetterId *key = &o->letters[o->refused].key;
	const char *name = o->why.error_name;
	BurrowHalt	halt = {
		.topic = key->topic,
		.partition = key->partition,
		.offset = key->offset,
		.sqlstate = "08P01",
		.message = psprintf("could not produce the dead letter of topic \"%s\" partition %d offset %lld to topic \"%s\": %s",
							key->topic, key->partition, (long long) key->offset, o->topic, o->why.text),
		.hint = "Remove the cause, or discard the dead letter by burrow.discard_dead_letters(); then call burrow.resume()."
	};

	if (o->why.authentication)
	{
		halt.sqlstate = "28000";
		halt.hint = "Allow the client to write to the topic; then call burrow.resume().";
	}
	else if (strcmp(name, "MSG_SIZE_TOO_LARGE") == 0 || strcmp(name, "RECORD_LIST_TOO_LARGE") == 0)
	{
		halt.sqlstate = "54000";
		halt.hint = "Raise max.message.bytes of the topic, or discard the dead letter by burrow.discard_dead_letters(); then call burrow.resume().";
	}
	else if (strcmp(name, "_UNKNOWN_TOPIC") == 0 || strcmp(name, "UNKNOWN_TOPIC_OR_PART") == 0)
	{
		halt.sqlstate = "42704";
		halt.hint = "Create the topic, or name another one as dead_letter_topic by burrow.alter(); then call burrow.resume().";
	}
	burrow_status_halt(&halt);
}

static void
set_failing(const BurrowConsumer *c, bool failing)
{
	BurrowPublisher *o = &publisher;

	if (failing)
	{
		const char *text = psprintf("could not produce dead letters to topic \"%s\": %s", o->topic, o->why.text);
		BurrowTroubleReport report = {.sqlstate = "08006", .message = text};

		burrow_status_set(c, BURROW_TROUBLE_DEAD_LETTER_TOPIC, &report);
		if (!o->failing)
			ereport(WARNING,
					(errcode(ERRCODE_CONNECTION_FAILURE),
					 errmsg("subscription \"%s\": %s", c->sub->name, text),
					 errdetail("They are kept in burrow.dead_letters and produced when the cause is gone.")));
	}
	else if (o->failing)
		ereport(LOG,
				(errmsg("subscription \"%s\" goes on producing dead letters to topic \"%s\"", c->sub->name, o->topic)));
	o->failing = failing;
	o->renewed = o->renewed && failing;
	if (!failing)
		burrow_status_over(c, BURROW_TROUBLE_DEAD_LETTER_TOPIC);
}

/*
 * Kafka had none of the letters in all the time that they are given, though it answers: perhaps the producer has no broker any
 * more.  The next batch is another one's.  Where that does not help either, nothing is lost by it.  While
 * nothing answers it would gain nothing, and its threads might take long to end.
 */
static void
replace_silent_producer(const BurrowConsumer *c)
{
	BurrowPublisher *o = &publisher;

	if (o->undelivered < o->n || !o->why.timed_out || o->producer == NULL || burrow_status_is_failing())
		return;
	c->kafka->destroy(o->producer);
	o->producer = NULL;
	if (!o->renewed)
		ereport(LOG,
				(errmsg("subscription \"%s\": Kafka has not answered the producer of dead letters", c->sub->name),
				 errdetail("Another producer is made, with new connections.")));
	o->renewed = true;
}

static void
mark_batch(const BurrowConsumer *c)
{
	BurrowPublisher *o = &publisher;
	uint64		left = 0;

	BURROW_CRASH_POINT("dead letter delivered");
	if (!burrow_status_try(c, mark_rows, &left, BURROW_TROUBLE_MARK_LETTERS) || left > 0)
	{
		o->again_at = c->now + ROWS_AGAIN_US;
		return;
	}
	if (o->refused >= 0)
		halt(c);
	else
	{
		set_failing(c, o->undelivered > 0);
		replace_silent_producer(c);
		if (o->undelivered > 0)
			o->again_at = c->now + SEND_AGAIN_US;
	}
	drop_batch(o);
}

/* ---- the steps ---- */

/* As many steps as can be taken now. */
static void
run(const BurrowConsumer *c)
{
	BurrowPublisher *o = &publisher;

	if (o->again_at > c->now)
		return;
	o->again_at = 0;
	if (wants_to_read(c))
		read_batch(c);
	if (o->step == STEP_READ && burrow_status_is_stopping())
		drop_batch(o);
	if (o->step == STEP_READ)
	{
		if (burrow_durability_lsn(c) >= o->lsn)
			send_batch(c);
		else
			o->again_at = c->now + DURABLE_AGAIN_US;
	}
	if (o->step == STEP_SENT && o->answered == o->n)
		o->step = STEP_MARKING;
	if (o->step == STEP_MARKING)
		mark_batch(c);
}

TimestampTz
burrow_publisher_run(const BurrowConsumer *c)
{
	const BurrowPublisher *o = &publisher;

	serve_producer(c);
	run(c);
	/* the pipe tells of answers */
	if (o->step == STEP_SENT && o->answered < o->n)
		return 0;
	if (o->step == STEP_IDLE && !wants_to_read(c))
		return 0;
	return Max(o->again_at, c->now);
}

/* Is nothing under way?  At the end nothing new is begun. */
bool
burrow_publisher_settled(const BurrowConsumer *c)
{
	return publisher.step == STEP_IDLE || publisher.step == STEP_READ;
}
