/*
 * fetch.c
 *	  The messages that come next for a subscription, without taking them.
 *
 * Runs in: processes of burrow.dry_run().
 *
 * Where they come from is decided as the consumer decides it (start.c), from the group's
 * commits, the database's rows and the seeks that are pending; but nothing is stored.  Where
 * the consumer would halt, because positions contradict each other or the topic does not hold
 * what comes next, it is an error.  Only that a topic was made anew is not found out here.
 *
 * The client is one of those that only ask (connection.c): it joins no group and commits
 * nothing.  At the end it is given partitions and offsets by hand.  An error leaves it to the end
 * of the process.
 *
 * Partitions take turns strictly: one that has more to come is waited for, so that a second
 * call has the same result.
 */
#include "postgres.h"

#include <unistd.h>

#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "catalog/done_set.h"
#include "catalog/sqlstates.h"
#include "core/offset.h"
#include "dry_run/fetch.h"
#include "offsets/gap.h"
#include "offsets/seek.h"
#include "offsets/start_choice.h"
#include "partition/message.h"
#include "runtime/kafka_client.h"
#include "runtime/kafka_library.h"
#include "shmem/wait_events.h"

/* Longest wait for Kafka as a whole, when nothing goes on. */
#define MAX_WAIT_US		INT64CONST(8000000)
/* Between two attempts. */
#define PAUSE_MS		100
/* Partitions that have no answer for so long are left out: the others have theirs. */
#define LEFT_OUT_AFTER_US	INT64CONST(2000000)

typedef struct DryPartition
{
	const char *topic;
	int32		partition;
	int64		start;			/* next to read; a special offset or a time, if not located */
	bool		located;
	BurrowOffsetSet skip;		/* done beyond it */
	int64		low;			/* of the log, if located */
	int64		end;
	BurrowKafkaPartition *queue;	/* NULL: there is nothing to read */
	const char *trouble;		/* why it is left out; NULL: it is not */
} DryPartition;

typedef struct DryFetch
{
	const BurrowSubscription *sub;
	const BurrowKafkaFunctions *kafka;
	BurrowKafkaClient *client;
	int			wake_read;
	int			wake_write;
	DryPartition *parts;		/* in the order of topic and partition; NULL: not known yet */
	int			nparts;

	const char *what;			/* is being done */
	char		text[BURROW_KAFKA_TEXT_MAX];	/* why it has failed; "": no answer */
	char		connection_text[BURROW_KAFKA_TEXT_MAX]; /* why a connection was lost */
	bool		auth_failed;	/* by authentication or authorization */
} DryFetch;

/* The consumer would halt. */
static void
refuse(const BurrowHalt *halt)
{
	ereport(ERROR,
			(errcode(burrow_sqlstate_pack(halt->sqlstate)),
			 errmsg_internal("%s", halt->message),
			 errdetail_internal("%s", halt->detail),
			 errhint("%s", halt->hint)));
}

/* ---- waiting for Kafka ---- */

static void locate_all(DryFetch *f, const BurrowKafkaList *commits);

static void
take_commits(DryFetch *f, const BurrowKafkaEvent *event)
{
	if (event->error != 0)
		strlcpy(f->text, event->text, sizeof(f->text));
	else
		locate_all(f, &event->list);
}

static void
serve_client(DryFetch *f)
{
	BurrowKafkaEvent event;

	while (f->kafka->poll(f->client, &event))
	{
		if (event.type == BURROW_KAFKA_FETCHED)
			take_commits(f, &event);
		else if (event.type == BURROW_KAFKA_ERROR && !f->auth_failed)
		{
			f->auth_failed = event.authentication;
			/* that all are down says less than why */
			if (!event.all_brokers_down || f->connection_text[0] == '\0')
				strlcpy(f->connection_text, event.text, sizeof(f->connection_text));
		}
	}
}

/* Waits until something has come, or it is time for another attempt; not for ever. */
static void
wait_for_kafka(DryFetch *f, TimestampTz deadline)
{
	char		ids[512];

	serve_client(f);
	if (f->auth_failed || GetCurrentTimestamp() >= deadline)
	{
		const char *text = f->auth_failed || f->text[0] == '\0' ? f->connection_text : f->text;

		ereport(ERROR,
				(errcode(f->auth_failed ? ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION : ERRCODE_CONNECTION_FAILURE),
				 errmsg("could not %s for subscription \"%s\": %s", f->what, f->sub->name,
						text[0] != '\0' ? text : "Kafka has not answered"),
				 text == f->text && f->connection_text[0] != '\0' ?
				 errdetail_internal("%s", f->connection_text) : 0));
	}
	(void) WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_SOCKET_READABLE | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
							 f->wake_read, PAUSE_MS, burrow_wait_event(BURROW_WAIT_FETCH));
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	while (read(f->wake_read, ids, sizeof(ids)) > 0)
		;
}

static TimestampTz
deadline_from_now(void)
{
	return GetCurrentTimestamp() + MAX_WAIT_US;
}

/* ---- where do partitions start? ---- */

static void
locate(DryFetch *f, DryPartition *part, const BurrowStartFrom *option, const BurrowKafkaTopicPartition *commit,
	   const BurrowPosition *row, bool group_has_others, const BurrowLogBounds *log)
{
	BurrowStartChoice choice = burrow_start_choice_decide(f->sub, option, commit, row, group_has_others, log,
														  &part->skip);

	if (choice.decided.decision == BURROW_START_HALT)
	{
		BurrowHalt	halt = burrow_start_choice_behind(part->topic, part->partition, commit->offset, row->low);

		refuse(&halt);
	}
	part->start = choice.start;
	part->located = choice.located;
}

static void
leave_out(DryPartition *part, const char *what, const char *reason)
{
	if (part->trouble == NULL)
		part->trouble = psprintf("%s: %s", what, reason);
}

/* What the logs hold of those whose commits claim more than their offsets; NULL: Kafka has not answered. */
static BurrowLogBounds *
ask_logs(DryFetch *f, const BurrowKafkaList *commits, const BurrowPosition *rows, const char **errors)
{
	BurrowKafkaList *claims = burrow_start_choice_claims(f->kafka, f->sub, commits, rows);
	BurrowLogBounds *logs = NULL;

	if (claims == NULL)
		strlcpy(f->text, "out of memory", sizeof(f->text));
	else if (f->kafka->list_bounds(f->client, claims, BURROW_KAFKA_ANSWER_MS, f->text))
		logs = burrow_start_choice_logs(commits, claims, errors);
	f->kafka->list_free(claims);
	return logs;
}

/* The group's commits have come.  As in the consumer, the rows are read after that. */
static void
locate_all(DryFetch *f, const BurrowKafkaList *commits)
{
	MemoryContext cxt = CurrentMemoryContext;
	BurrowPosition *rows = palloc(sizeof(BurrowPosition) * commits->n);
	BurrowPendingSeeks seeks;
	BurrowStartFrom option;
	BurrowLogBounds *logs;
	const char **errors = palloc(sizeof(char *) * Max(commits->n, 1));
	bool		others;

	f->parts = palloc0(sizeof(DryPartition) * commits->n);
	f->nparts = commits->n;
	for (int i = 0; i < f->nparts; i++)
	{
		rows[i].topic = f->parts[i].topic = pstrdup(commits->items[i].topic);
		rows[i].partition = f->parts[i].partition = commits->items[i].partition;
		burrow_done_set_init(&f->parts[i].skip);
	}
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(cxt);
	burrow_seek_request_load(f->sub->subid, &seeks);
	burrow_position_load(f->sub->subid, rows, f->nparts);
	others = burrow_position_exists(f->sub->subid, NULL);
	burrow_start_from_parse(&burrow_options[BURROW_OPTION_START_FROM], f->sub->options.start_from, &option);
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(cxt);

	logs = ask_logs(f, commits, rows, errors);
	if (logs == NULL)
	{
		f->parts = NULL;
		return;
	}
	for (int i = 0; i < f->nparts; i++)
	{
		DryPartition *part = &f->parts[i];

		if (commits->items[i].error != 0)
			leave_out(part, "could not get the committed offset", commits->items[i].error_text);
		else if (errors[i] != NULL)
			leave_out(part, "could not look up what the partition holds", errors[i]);
		else if (!burrow_seek_decide(&seeks, part->topic, part->partition, &part->start, &part->located))
			locate(f, part, &option, &commits->items[i], &rows[i], others, &logs[i]);
	}
}

/* Asks for what is neither stored here nor in the group: ends, and starts that are to be looked
 * up, or the log's where they are known.  Those that have no answer are left out.  False: Kafka has not
 * answered. */
static bool
look_up(DryFetch *f, bool ends, BurrowKafkaList *list)
{
	f->what = ends ? "look up where partitions end" : "look up where partitions start";
	for (int i = 0; i < f->nparts; i++)
	{
		DryPartition *part = &f->parts[i];
		int64		which = ends ? BURROW_KAFKA_LATEST :
		part->located || part->trouble != NULL ? BURROW_KAFKA_EARLIEST : part->start;

		if (!f->kafka->list_set(list, i, part->topic, part->partition, which, NULL, 0))
			return false;
	}
	if (!f->kafka->list_offsets(f->client, list, BURROW_KAFKA_ANSWER_MS, f->text))
		return false;
	for (int i = 0; i < f->nparts; i++)
	{
		DryPartition *part = &f->parts[i];

		if (list->items[i].error != 0 || list->items[i].offset < 0)
			leave_out(part, psprintf("could not %s", f->what),
					  list->items[i].error != 0 ? list->items[i].error_text : "no offset was returned");
		else if (ends)
			part->end = list->items[i].offset;
		else
		{
			part->low = list->items[i].offset;
			part->start = part->located ? part->start : part->low;
		}
	}
	return true;
}

static void
require_cluster(DryFetch *f)
{
	BurrowHalt	halt;

	(void) burrow_kafka_client_cluster(f->kafka, f->client, f->sub, &halt);
	if (halt.message != NULL)
		refuse(&halt);
}

static void
require_partitions(const DryFetch *f, const BurrowKafkaList *list)
{
	if (list->n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 f->sub->topic[0] == '^' ?
				 errmsg("no topic matches \"%s\"", f->sub->topic) :
				 errmsg("topic \"%s\" does not exist", f->sub->topic),
				 errdetail("Kafka has none, or does not show it to this client.")));
}

/* One attempt to have the parts, with their starts and ends. */
static bool
find_out(DryFetch *f)
{
	BurrowKafkaList *list;
	TimestampTz deadline = deadline_from_now();
	bool		ok;

	f->text[0] = '\0';
	f->what = "list partitions";
	list = f->kafka->list_partitions(f->client, f->sub->topic, BURROW_KAFKA_ANSWER_MS, f->text);
	if (list == NULL)
		return false;
	require_cluster(f);
	require_partitions(f, list);

	f->what = "get committed offsets";
	f->parts = NULL;
	ok = f->kafka->fetch_committed(f->client, list, 0, f->text);
	while (ok && f->parts == NULL && f->text[0] == '\0')
		wait_for_kafka(f, deadline);
	ok = f->parts != NULL && look_up(f, false, list) && look_up(f, true, list);
	f->kafka->list_free(list);
	return ok;
}

/* What comes next must be in the topic. */
static void
check_bounds(DryFetch *f, DryPartition *part)
{
	if (part->start < part->low && f->sub->options.skip_gaps)
		part->start = burrow_offset_set_next_missing(&part->skip, part->low);
	if ((part->located && part->start < part->low) || part->start > part->end)
	{
		BurrowHalt	halt = burrow_gap_halt(part->topic, part->partition, part->start,
										   burrow_gap_bounds_text(part->low, part->end));

		refuse(&halt);
	}
}

/* Are all partitions known, or those that ever will be?  Says which are not. */
static bool
has_enough(DryFetch *f, TimestampTz until)
{
	const DryPartition *first = NULL;
	int			n = 0;

	for (int i = 0; i < f->nparts; i++)
	{
		if (f->parts[i].trouble == NULL)
			continue;
		first = first != NULL ? first : &f->parts[i];
		n++;
	}
	if (n == 0)
		return true;
	if (n == f->nparts || GetCurrentTimestamp() < until)
	{
		strlcpy(f->text, first->trouble, sizeof(f->text));
		return false;
	}
	ereport(WARNING,
			(errcode(ERRCODE_CONNECTION_FAILURE),
			 errmsg("%d of %d partitions are left out", n, f->nparts),
			 errdetail("Topic \"%s\" partition %d: %s.", first->topic, first->partition, first->trouble)));
	return true;
}

static void
locate_partitions(DryFetch *f)
{
	TimestampTz deadline = deadline_from_now();
	TimestampTz until = GetCurrentTimestamp() + LEFT_OUT_AFTER_US;

	while (!find_out(f) || !has_enough(f, until))
		wait_for_kafka(f, deadline);
	for (int i = 0; i < f->nparts; i++)
	{
		DryPartition *part = &f->parts[i];

		if (part->trouble != NULL)
			part->start = part->end = 0;
		else
			check_bounds(f, part);
	}
}

/* ---- the messages ---- */

/* Is the partition to be read, of those from first on, and those that are being read? */
static bool
is_wanted(const DryPartition *part, bool is_next)
{
	return part->start < part->end && (is_next || part->queue != NULL);
}

/*
 * Has those fetched that have more, and of the others from this one on as many as there may be messages still: what
 * librdkafka holds of all of them is bounded by that.  All begin anew, each where it is.
 */
static void
read_from(DryFetch *f, int first, int n)
{
	BurrowKafkaList *list;
	int			last = first;
	int			at = 0;

	f->what = "read the topic";
	for (int i = 0; i < f->nparts; i++)
		n -= is_wanted(&f->parts[i], false) ? 1 : 0;
	for (; last < f->nparts && n > 0; last++)
		n -= is_wanted(&f->parts[last], true) && f->parts[last].queue == NULL ? 1 : 0;
	for (int i = 0; i < f->nparts; i++)
		at += is_wanted(&f->parts[i], i >= first && i < last) ? 1 : 0;

	list = f->kafka->list_new(at);
	at = 0;
	for (int i = 0; i < f->nparts && list != NULL; i++)
	{
		DryPartition *part = &f->parts[i];
		bool		wanted = is_wanted(part, i >= first && i < last);

		if (part->queue != NULL)
			f->kafka->close_queue(part->queue);
		part->queue = wanted ? f->kafka->open_queue(f->client, part->topic, part->partition, i + 1, f->text) : NULL;
		if (wanted && (part->queue == NULL ||
					   !f->kafka->list_set(list, at++, part->topic, part->partition, part->start, NULL, 0)))
			list = NULL;
	}
	if (list == NULL || !f->kafka->assign(f->client, list, f->text))
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("could not %s for subscription \"%s\": %s", f->what, f->sub->name, f->text)));
	f->kafka->list_free(list);
}

static BurrowDryMessage *
copy_message(DryFetch *f, DryPartition *part, const BurrowKafkaMessage *km)
{
	BurrowDryMessage *m = palloc(sizeof(BurrowDryMessage));
	size_t		headers_len;
	size_t		size = burrow_message_size(f->kafka, part->queue, km, &headers_len);
	BurrowMessageHeader *h;

	if (size == 0 || !AllocSizeIsValid(size))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("message at offset %lld of topic \"%s\" partition %d is too large",
						(long long) km->offset, part->topic, part->partition)));
	h = palloc(size);
	burrow_message_copy(f->kafka, part->queue, km, size, headers_len, h);
	m->topic = part->topic;
	m->partition = part->partition;
	m->view.header = h;
	m->view.key = km->key != NULL ? burrow_frame_key(h) : NULL;
	m->view.value = km->value != NULL ? burrow_frame_value(h) : NULL;
	m->view.headers = burrow_frame_headers(h);
	return m;
}

/*
 * The partition's turn: its next message that is not done, or NULL at its end, which is where it
 * was when it was asked for: librdkafka tells of an end only when there is no more for a while.
 */
static BurrowDryMessage *
take_turn(DryFetch *f, DryPartition *part)
{
	TimestampTz deadline = deadline_from_now();
	BurrowKafkaMessage km;

	f->what = psprintf("read topic \"%s\" partition %d", part->topic, part->partition);
	f->text[0] = '\0';
	while (part->start < part->end)
	{
		switch (f->kafka->poll_queue(part->queue, &km))
		{
			case BURROW_KAFKA_MESSAGE:
				part->start = burrow_offset_after(km.offset);
				if (!burrow_offset_set_contains(&part->skip, km.offset))
					return copy_message(f, part, &km);
				deadline = deadline_from_now();
				break;
			case BURROW_KAFKA_END:
				part->start = part->end;
				break;
			case BURROW_KAFKA_BROKEN:
				strlcpy(f->text, km.text, sizeof(f->text));
				/* what is there cannot be read, or Kafka may know better soon */
				wait_for_kafka(f, km.offset >= 0 ? 0 : deadline);
				break;
			case BURROW_KAFKA_EMPTY:
				wait_for_kafka(f, deadline);
				break;
		}
	}
	return NULL;
}

/* In turn, until there are n or no more. */
static List *
take_messages(DryFetch *f, int n)
{
	List	   *messages = NIL;
	int64		room = f->sub->options.max_inflight_bytes;
	bool		any = true;

	while (any)
	{
		any = false;
		for (int i = 0; i < f->nparts; i++)
		{
			DryPartition *part = &f->parts[i];
			BurrowDryMessage *m;

			if (list_length(messages) >= n || room <= 0)
				return messages;
			if (part->queue == NULL && part->start < part->end)
				read_from(f, i, n);
			m = take_turn(f, part);
			if (m == NULL)
				continue;
			any = true;
			messages = lappend(messages, m);
			room -= m->view.header->total;
		}
	}
	return messages;
}

List *
burrow_fetch_next_messages(const BurrowSubscription *sub, int n)
{
	DryFetch	f = {.sub = sub, .kafka = burrow_kafka_library()};
	List	   *messages;

	burrow_kafka_client_make_pipe(&f.wake_read, &f.wake_write);
	f.client = burrow_kafka_client_open_metadata(f.kafka, sub, f.wake_write, n);
	locate_partitions(&f);
	messages = take_messages(&f, n);
	f.kafka->destroy(f.client);
	return messages;
}
