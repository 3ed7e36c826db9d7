/*
 * consumer.c
 *	  The consumer process of one subscription: start, main loop, stop.
 *
 * Runs in: a dynamic background worker, started by the launcher.
 *
 * Owns: its subscription slot while it is attached, partition slots, the workers'
 * segments, the tracker segments, and the only rd_kafka_t of the subscription.
 *
 * One thread of PostgreSQL code.  Each turn of the loop serves what has come (events
 * of Kafka's, results, messages), gives out chunks and sees to commits, then sleeps
 * in one WaitEventSet: latch, postmaster death, and the pipe to which librdkafka
 * writes when a queue is no longer empty.  The time-out is that of the next thing
 * that is due; when nothing is, it is the poll that keeps the group membership.
 *
 * It runs no code of users', holds no lock over a call of librdkafka's, and its
 * transactions are short, with a lock_timeout.
 *
 * The process always ends by _exit(), in an on_proc_exit callback that runs last:
 * librdkafka's threads may still live then, because waiting for them may take as
 * long as a broker that is away, and no exit handler or destructor may run under
 * them.  A crash there would restart the whole server.
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "storage/sinval.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"
#include "utils/wait_event.h"

#include "compat.h"
#include "guc.h"
#include "proc/bgw.h"
#include "proc/consumer.h"
#include "proc/kafka_library.h"

/* Events of Kafka's served in one turn. */
#define EVENTS_A_TURN		1000

/* Bytes read from the pipe at once; a full buffer means that ids may be missing. */
#define WAKE_BUFFER			4096

/* While in trouble: between two looks whether it is over. */
#define PROBE_US			INT64CONST(5000000)
/* After a connection was lost, before looking whether that is all. */
#define SUSPECT_US			INT64CONST(1000000)

/* Lines of librdkafka's in the log between two changes of state. */
#define LOG_LINES			5

/* A stop on SIGTERM has 3 s for the final commit and for leaving the group. */
#define SHUTDOWN_COMMIT_US	INT64CONST(1500000)
#define SHUTDOWN_CLOSE_US	INT64CONST(1000000)
/* Any other end. */
#define END_COMMIT_US		INT64CONST(5000000)
#define END_CLOSE_US		INT64CONST(3000000)
/* Between two looks whether the group was left. */
#define LEAVE_LOOK_US		INT64CONST(10000)

/* For trouble at the start. */
#define CONNECT_AGAIN_MS	2000
#define CONNECT_TIMEOUT_MS	1000

static BurrowConsumer *consumer;	/* this process's */

/* ---- process ---- */

/*
 * A cancel is ignored, but for the one that lock_timeout sends to this process
 * itself.
 */
static void
handle_sigint(SIGNAL_ARGS)
{
	if (get_timeout_indicator(LOCK_TIMEOUT, false))
		StatementCancelHandler(postgres_signal_arg);
}

static void
exit_at_once(int code, Datum arg)
{
	_exit(code);
}

static void *
sched_allocate(size_t size)
{
	return MemoryContextAlloc(consumer->message_cxt, size);
}

static void
sched_release(void *pointer)
{
	pfree(pointer);
}

/* The pipe lives as long as the process: librdkafka writes to the number of its file
 * descriptor, which must never become that of a data file. */
static void
make_pipe(BurrowConsumer *c)
{
	int			fds[2];

	if (pipe(fds) < 0 ||
		fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0 || fcntl(fds[1], F_SETFL, O_NONBLOCK) < 0 ||
		fcntl(fds[0], F_SETFD, FD_CLOEXEC) < 0 || fcntl(fds[1], F_SETFD, FD_CLOEXEC) < 0)
		ereport(ERROR,
				(errcode_for_socket_access(),
				 errmsg("could not create a pipe: %m")));
	/* counted against max_files_per_process */
	ReserveExternalFD();
	ReserveExternalFD();
	c->wake_read = fds[0];
	c->wake_write = fds[1];
}

static BurrowConsumer *
consumer_new(int slot, const BurrowConsumerArgs *args)
{
	BurrowConsumer *c = MemoryContextAllocZero(TopMemoryContext, sizeof(BurrowConsumer));

	c->slot = slot;
	c->generation = args->generation;
	c->subid = args->subid;
	c->dboid = args->dboid;
	c->wake_read = -1;
	c->wake_write = -1;
	c->message_cxt = AllocSetContextCreate(TopMemoryContext, "burrow messages", ALLOCSET_DEFAULT_SIZES);
	c->turn_cxt = AllocSetContextCreate(TopMemoryContext, "burrow turn", ALLOCSET_DEFAULT_SIZES);
	c->halt_cxt = AllocSetContextCreate(TopMemoryContext, "burrow halt", ALLOCSET_SMALL_SIZES);
	dlist_init(&c->parts);
	dlist_init(&c->readable);
	dlist_init(&c->moving);
	c->now = GetCurrentTimestamp();
	return c;
}

void
burrow_consumer_start_transaction(BurrowConsumer *c)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
}

void
burrow_consumer_commit_transaction(BurrowConsumer *c)
{
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(c->turn_cxt);
	pgstat_report_stat(false);
}

/* ---- trouble that goes away by itself ---- */

/* Something is wrong that is not a message's fault: the state says what. */
void
burrow_consumer_trouble(BurrowConsumer *c, const char *sqlstate, const char *text)
{
	burrow_registry_set_error(c->slot, sqlstate, text);
	c->probe_at = c->now + PROBE_US;
	if (c->troubled)
	{
		ereport(DEBUG1,
				(errcode(MAKE_SQLSTATE(sqlstate[0], sqlstate[1], sqlstate[2], sqlstate[3], sqlstate[4])),
				 errmsg_internal("subscription \"%s\": %s", c->sub->name, text)));
		return;
	}
	c->troubled = true;
	c->log_lines = 0;
	burrow_registry_set_state(c->slot, BURROW_RETRYING);
	ereport(WARNING,
			(errcode(MAKE_SQLSTATE(sqlstate[0], sqlstate[1], sqlstate[2], sqlstate[3], sqlstate[4])),
			 errmsg("subscription \"%s\" is waiting: %s", c->sub->name, text),
			 errdetail("It goes on by itself when the cause is gone.")));
}

/* Kafka has answered. */
void
burrow_consumer_trouble_over(BurrowConsumer *c)
{
	c->suspicious = false;
	c->transport_text[0] = '\0';
	if (!c->troubled)
		return;
	c->troubled = false;
	c->log_lines = 0;
	if (c->ending == BURROW_ENDING_NOT)
		burrow_registry_set_state(c->slot, c->joined ? BURROW_RUNNING : BURROW_STARTING);
	ereport(LOG, (errmsg("subscription \"%s\" goes on", c->sub->name)));
}

/*
 * Is Kafka there?  Nothing tells that a broker is back when there is nothing to fetch,
 * and a lost connection may mean everything or nothing.  So ask, by the scout, whose
 * answer waits for nothing else.
 */
static void
probe(BurrowConsumer *c)
{
	char		text[BURROW_KAFKA_TEXT_MAX] = "no partitions found";

	if (!(c->troubled || c->suspicious) || c->client == NULL || c->now < c->probe_at)
		return;
	c->probe_at = c->now + PROBE_US;
	if (c->kafka->count_partitions(c->scout, c->sub->topic, CONNECT_TIMEOUT_MS, text) > 0)
		burrow_consumer_trouble_over(c);
	else if (!c->troubled)
		burrow_consumer_trouble(c, "08006", c->transport_text[0] != '\0' ?
								psprintf("%s (%s)", text, c->transport_text) : text);
}

/* ---- Kafka's events ---- */

static void
serve_error(BurrowConsumer *c, const BurrowKafkaEvent *event)
{
	if (event->fatal)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("could not go on consuming for subscription \"%s\": %s", c->sub->name, event->text),
				 strcmp(event->error_name, "FENCED_INSTANCE_ID") == 0 || strstr(event->text, "fenced") != NULL
				 ? errhint("Another member of the consumer group \"%s\" has the same group.instance.id.",
						   c->sub->consumer_group) : 0));

	/*
	 * One connection that is lost is librdkafka's everyday business, but its text is
	 * the reason why, if all brokers turn out to be away.
	 */
	if (strcmp(event->error_name, "_TRANSPORT") == 0 || strcmp(event->error_name, "_RESOLVE") == 0)
	{
		strlcpy(c->transport_text, event->text, sizeof(c->transport_text));
		if (!c->troubled && !c->suspicious)
		{
			c->suspicious = true;
			c->probe_at = c->now + SUSPECT_US;
		}
		return;
	}
	if (event->all_brokers_down && c->transport_text[0] != '\0')
		burrow_consumer_trouble(c, "08006", psprintf("%s (%s)", event->text, c->transport_text));
	else if (event->authentication)
		burrow_consumer_trouble(c, "28000", event->text);
	else if (event->topic[0] != '\0')
		burrow_consumer_trouble(c, "08006", psprintf("topic \"%s\": %s", event->topic, event->text));
	else
		burrow_consumer_trouble(c, "08006", event->text);
}

/* A line of librdkafka's log.  It repeats itself with every attempt to connect. */
static void
serve_log(BurrowConsumer *c, const BurrowKafkaEvent *event)
{
	int			elevel = DEBUG1;

	if (event->log_level <= 4 && c->log_lines < LOG_LINES)
	{
		c->log_lines++;
		elevel = LOG;
	}
	ereport(elevel,
			(errmsg_internal("subscription \"%s\": librdkafka: %s", c->sub->name, event->text)));
}

static void
begin_closing(BurrowConsumer *c)
{
	char		text[BURROW_KAFKA_TEXT_MAX];

	c->end_phase = c->kafka->close_begin(c->client, text) ? BURROW_END_CLOSING : BURROW_END_OVER;
}

/* The group is being left: rebalances only need their answer. */
static void
serve_rebalance_while_leaving(BurrowConsumer *c, const BurrowKafkaEvent *event)
{
	char		text[BURROW_KAFKA_TEXT_MAX];
	BurrowKafkaList none = {0};

	if (event->type == BURROW_KAFKA_REVOKE)
		(void) c->kafka->unassign(c->client, &event->list, text);
	else
		(void) c->kafka->assign(c->client, &none, text);
}

static void
serve_events(BurrowConsumer *c)
{
	BurrowKafkaEvent event;

	if (c->client == NULL)
		return;
	for (int i = 0; i < EVENTS_A_TURN && c->kafka->poll(c->client, &event); i++)
	{
		switch (event.type)
		{
			case BURROW_KAFKA_ASSIGN:
			case BURROW_KAFKA_REVOKE:
				if (c->end_phase >= BURROW_END_LEAVING)
					serve_rebalance_while_leaving(c, &event);
				else if (event.type == BURROW_KAFKA_ASSIGN)
					burrow_assignment_assign(c, &event.list);
				else
					burrow_assignment_revoke(c, &event.list, event.lost);
				break;
			case BURROW_KAFKA_COMMITTED:
				burrow_commit_answer(c, &event);
				break;
			case BURROW_KAFKA_FETCHED:
				burrow_assignment_fetched(c, &event);
				break;
			case BURROW_KAFKA_ERROR:
				serve_error(c, &event);
				break;
			case BURROW_KAFKA_LOG:
				serve_log(c, &event);
				break;
			case BURROW_KAFKA_NOTHING:
				break;
		}
	}
}

/* Reads the ids of the queues that are no longer empty. */
static void
read_pipe(BurrowConsumer *c)
{
	uint32		ids[WAKE_BUFFER / sizeof(uint32)];
	ssize_t		n = read(c->wake_read, ids, sizeof(ids));
	dlist_iter	iter;

	if (n == sizeof(ids))
	{
		/* the pipe may have been full, and ids lost */
		dlist_foreach(iter, &c->parts)
		{
			BurrowPart *part = dlist_container(BurrowPart, node, iter.cur);

			if (part->state == BURROW_PART_ACTIVE)
				burrow_intake_readable(c, part);
		}
		return;
	}
	for (ssize_t i = 0; i < n / (ssize_t) sizeof(uint32); i++)
	{
		uint32		id = ids[i];

		/* 0 is the main queue, which is polled each turn */
		if (id > 0 && id <= c->nids && c->part_by_id[id - 1] != NULL &&
			c->part_by_id[id - 1]->state == BURROW_PART_ACTIVE)
			burrow_intake_readable(c, c->part_by_id[id - 1]);
	}
}

/* ---- the client ---- */

static void
set_property(BurrowConsumer *c, BurrowKafkaConf *conf, const char *name, const char *value)
{
	char		text[BURROW_KAFKA_TEXT_MAX];

	if (!c->kafka->conf_set(conf, name, value, text))
	{
		c->kafka->conf_free(conf);
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid Kafka property \"%s\" of subscription \"%s\": %s", name, c->sub->name, text)));
	}
}

/* Kafka takes letters, digits, dots, underscores and hyphens. */
static char *
instance_id(BurrowConsumer *c)
{
	char	   *id = psprintf("%s." UINT64_FORMAT, c->sub->consumer_group, c->sub->system_identifier);

	for (char *p = id; *p != '\0'; p++)
		if (!isalnum((unsigned char) *p) && strchr("._-", *p) == NULL)
			*p = '_';
	return id;
}

/* partitions: to divide queue_memory by; 0: this client is only asked for their number. */
static BurrowKafkaConf *
make_conf(BurrowConsumer *c, int partitions)
{
	const BurrowOptions *o = &c->sub->options;
	BurrowKafkaConf *conf = c->kafka->conf_new();
	char		text[BURROW_KAFKA_TEXT_MAX];

	if (conf == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	set_property(c, conf, "bootstrap.servers", burrow_bootstrap_servers);
	set_property(c, conf, "client.id", "burrow");
	/* a crash or a restart takes its partitions back at once */
	set_property(c, conf, "group.instance.id", instance_id(c));
	if (partitions > 0)
		set_property(c, conf, "queued.max.messages.kbytes",
					 psprintf("%d", (int) Min(Max(o->queue_memory / 1024 / partitions, 64), 2097151)));
	for (int i = 0; i < o->nkafka; i++)
		set_property(c, conf, o->kafka[i].name, o->kafka[i].value);

	if (c->kafka->conf_get(conf, "max.poll.interval.ms", text, sizeof(text)))
		c->max_poll_us = (int64) atol(text) * 1000;
	else
		c->max_poll_us = 300000 * INT64CONST(1000);
	c->poll_interval_us = Min(c->max_poll_us / 3, 60 * USECS_PER_SEC);
	return conf;
}

static BurrowKafkaClient *
open_client(BurrowConsumer *c, int partitions)
{
	BurrowKafkaConf *conf = make_conf(c, partitions);
	char		text[BURROW_KAFKA_TEXT_MAX];
	BurrowKafkaClient *client = c->kafka->open(conf, c->sub->consumer_group, c->wake_write, text);

	if (client == NULL)
	{
		c->kafka->conf_free(conf);
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("could not create a Kafka client for subscription \"%s\": %s", c->sub->name, text)));
	}
	return client;
}

/* What the scout has to say: only interesting while there is no other client. */
static void
serve_scout(BurrowConsumer *c)
{
	BurrowKafkaEvent event;

	while (c->scout != NULL && c->kafka->poll(c->scout, &event))
	{
		if (event.type == BURROW_KAFKA_ERROR && c->client == NULL)
			serve_error(c, &event);
		else if (event.type == BURROW_KAFKA_LOG && c->client == NULL)
			serve_log(c, &event);
	}
}

/*
 * One attempt.  How many partitions there are must be known before the client is made
 * whose memory it divides, so the scout asks for it first.
 */
static bool
connect_kafka(BurrowConsumer *c)
{
	char		text[BURROW_KAFKA_TEXT_MAX];
	int			partitions;

	if (c->scout == NULL)
		c->scout = open_client(c, 0);
	partitions = c->kafka->count_partitions(c->scout, c->sub->topic, CONNECT_TIMEOUT_MS, text);
	if (partitions < 0)
	{
		serve_scout(c);			/* its events say why */
		burrow_consumer_trouble(c, "08006", c->transport_text[0] != '\0' ?
								psprintf("%s (%s)", text, c->transport_text) : text);
		return false;
	}
	c->client = open_client(c, Max(partitions, 1));
	if (!c->kafka->subscribe(c->client, c->sub->topic, text))
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("could not subscribe to topic \"%s\": %s", c->sub->topic, text)));
	c->commit_answered_at = c->now;
	return true;
}

/* ---- the catalog ---- */

static BurrowSubscription *
load(BurrowConsumer *c, MemoryContext *cxt)
{
	BurrowSubscription *sub;
	MemoryContext old;

	*cxt = AllocSetContextCreate(TopMemoryContext, "burrow subscription", ALLOCSET_SMALL_SIZES);
	burrow_consumer_start_transaction(c);
	old = MemoryContextSwitchTo(*cxt);
	sub = burrow_subscription_load(c->subid);
	MemoryContextSwitchTo(old);
	burrow_consumer_commit_transaction(c);
	return sub;
}

/* May it run: as the catalog has it, and as the server is set? */
static bool
may_run(const BurrowSubscription *sub)
{
	return sub != NULL && sub->status == BURROW_STATUS_ENABLED && burrow_subscription_at_home(sub);
}

static bool
same_kafka(const BurrowOptions *a, const BurrowOptions *b)
{
	if (a->nkafka != b->nkafka || a->queue_memory != b->queue_memory)
		return false;
	for (int i = 0; i < a->nkafka; i++)
		if (strcmp(a->kafka[i].name, b->kafka[i].name) != 0 || strcmp(a->kafka[i].value, b->kafka[i].value) != 0)
			return false;
	return true;
}

/* Can the client and the trackers stay as they are under the new options? */
static bool
can_stay(const BurrowSubscription *a, const BurrowSubscription *b)
{
	return strcmp(a->topic, b->topic) == 0 &&
		strcmp(a->consumer_group, b->consumer_group) == 0 &&
		strcmp(a->uuid, b->uuid) == 0 &&
		a->owner == b->owner &&
		a->options.delivery == b->options.delivery &&
		a->options.ordering == b->options.ordering &&
		same_kafka(&a->options, &b->options);
}

/* The catalog row may have changed. */
static void
reload(BurrowConsumer *c)
{
	MemoryContext cxt;
	BurrowSubscription *sub = load(c, &cxt);
	dlist_iter	iter;

	if (!may_run(sub))
	{
		burrow_consumer_end(c, BURROW_ENDING_CATALOG);
		return;
	}
	if (!can_stay(c->sub, sub))
	{
		burrow_consumer_end(c, BURROW_ENDING_RESTART);
		return;
	}
	if (strcmp(c->sub->options_text, sub->options_text) == 0 &&
		strcmp(c->sub->handler, sub->handler) == 0 && c->sub->handler_owner == sub->handler_owner)
	{
		MemoryContextDelete(cxt);
		return;
	}

	MemoryContextDelete(c->sub_cxt);
	c->sub_cxt = cxt;
	c->sub = sub;
	dlist_foreach(iter, &c->parts)
		dlist_container(BurrowPart, node, iter.cur)->tracker.window = sub->options.window;
	burrow_pool_replace(c);
	ereport(LOG, (errmsg("subscription \"%s\" goes on with new options", sub->name)));
}

static void
serve_requests(BurrowConsumer *c)
{
	pg_atomic_uint32 *requests = &burrow->subscriptions[c->slot].requests;
	uint32		bits;

	if (pg_atomic_read_u32(requests) == 0)
		return;
	bits = pg_atomic_exchange_u32(requests, 0);
	if (bits & BURROW_REQUEST_LEAVE)
		burrow_consumer_end(c, BURROW_ENDING_LEAVE);
	if ((bits & BURROW_REQUEST_RELOAD) && c->ending == BURROW_ENDING_NOT)
		reload(c);
	if (bits & BURROW_REQUEST_REFRESH)
	{
		/* somebody waits for it to catch up */
		c->refresh_ends = true;
		c->refreshed_at = c->now;
		c->commit_now = true;
	}
}

/* ---- the end ---- */

/* A later reason counts only if it is a stronger one. */
void
burrow_consumer_end(BurrowConsumer *c, BurrowEnding ending)
{
	if (c->ending == BURROW_ENDING_NOT || c->ending == BURROW_ENDING_RESTART ||
		ending == BURROW_ENDING_SHUTDOWN)
		c->ending = ending;
}

/* The error goes into the catalog, where it survives a restart. */
static void
record_halt(BurrowConsumer *c)
{
	burrow_consumer_start_transaction(c);
	burrow_subscription_halt(c->subid, &c->halt);
	burrow_consumer_commit_transaction(c);
	burrow_registry_set_error(c->slot, c->halt.sqlstate, c->halt.message);
	ereport(LOG,
			(errmsg("subscription \"%s\" is halted at topic \"%s\" partition %d offset %lld",
					c->sub->name, c->halt.topic, c->halt.partition, (long long) c->halt.offset),
			 errdetail("%s: %s", c->halt.sqlstate, c->halt.message),
			 errhint("Correct the cause, then call burrow.resume().")));
}

/* Nothing is waited for but what is in hand. */
static void
begin_end(BurrowConsumer *c)
{
	burrow_assignment_stop(c);
	c->end_deadline = c->now + c->sub->options.shutdown_timeout_us;
	c->kill_deadline = 0;
	c->end_phase = BURROW_END_DRAINING;
}

/* Workers have nothing more in hand: the last commit. */
static void
begin_final_commit(BurrowConsumer *c)
{
	bool		shutdown = c->ending == BURROW_ENDING_SHUTDOWN;

	if (c->ending == BURROW_ENDING_HALT)
		record_halt(c);
	burrow_commit_flush(c);
	c->commit_now = true;
	c->commit_not_before = 0;
	burrow_commit_run(c);
	c->end_deadline = c->now + (shutdown ? SHUTDOWN_COMMIT_US : END_COMMIT_US);
	c->end_phase = BURROW_END_COMMITTING;
}

/*
 * A static member that only closes keeps its place in the group until its session
 * times out.  That is wanted where it will be back soon, and not where somebody else
 * should have its partitions.
 */
static void
begin_leave(BurrowConsumer *c)
{
	bool		back_soon = c->ending == BURROW_ENDING_SHUTDOWN || c->ending == BURROW_ENDING_RESTART;
	char		text[BURROW_KAFKA_TEXT_MAX];

	burrow_pool_detach_all(c);
	burrow_assignment_close(c);
	c->end_deadline = c->now +
		(c->ending == BURROW_ENDING_SHUTDOWN ? SHUTDOWN_CLOSE_US : END_CLOSE_US);
	if (c->client == NULL)
		c->end_phase = BURROW_END_OVER;
	else if (!back_soon && c->kafka->leave(c->client, text))
		c->end_phase = BURROW_END_LEAVING;
	else
		begin_closing(c);
}

/* One step of the end. */
static void
advance_end(BurrowConsumer *c)
{
	if (c->ending == BURROW_ENDING_NOT)
		return;
	if (c->end_phase == BURROW_END_NOT)
		begin_end(c);
	if (c->end_phase == BURROW_END_DRAINING)
	{
		/* when the server stops, what is in hand rolls back and is not waited for */
		if (c->ending != BURROW_ENDING_SHUTDOWN && burrow_sched_in_hand(c->sched) > 0)
		{
			burrow_assignment_enforce(c, c->end_deadline);
			return;
		}
		begin_final_commit(c);
	}
	if (c->end_phase == BURROW_END_COMMITTING &&
		(burrow_commit_settled(c, false) || c->now >= c->end_deadline))
		begin_leave(c);
	if (c->end_phase == BURROW_END_LEAVING && c->kafka->left(c->client))
		begin_closing(c);
	if (c->end_phase >= BURROW_END_LEAVING && c->end_phase < BURROW_END_OVER &&
		(c->now >= c->end_deadline ||
		 (c->end_phase == BURROW_END_CLOSING && c->kafka->closed(c->client))))
		c->end_phase = BURROW_END_OVER;
}

static TimestampTz
end_next(const BurrowConsumer *c)
{
	if (c->ending == BURROW_ENDING_NOT)
		return 0;
	if (c->end_phase == BURROW_END_NOT)
		return c->now;
	if (c->end_phase == BURROW_END_DRAINING && c->kill_deadline != 0)
		return c->kill_deadline;
	/* librdkafka does not tell when it has left */
	if (c->end_phase == BURROW_END_LEAVING)
		return c->now + LEAVE_LOOK_US;
	return c->end_deadline;
}

/* How it leaves, for the launcher. */
static void
leave(BurrowConsumer *c)
{
	switch (c->ending)
	{
		case BURROW_ENDING_RESTART:
			burrow_registry_leave(c->slot, BURROW_LEAVE_RESTART);
			break;
		case BURROW_ENDING_CATALOG:
		case BURROW_ENDING_LEAVE:
		case BURROW_ENDING_HALT:
			burrow_registry_leave(c->slot, BURROW_LEAVE_STOPPED);
			break;
		case BURROW_ENDING_SHUTDOWN:
		case BURROW_ENDING_NOT:
			/* pg_terminate_backend(): the launcher starts it again */
			break;
	}
}

/* ---- the loop ---- */

static void
publish(BurrowConsumer *c)
{
	BurrowSubscriptionSlot *slot = &burrow->subscriptions[c->slot];

	pg_atomic_write_u64(&slot->jobs_queued, burrow_sched_ready(c->sched) + burrow_sched_blocked(c->sched));
	pg_atomic_write_u64(&slot->inflight, burrow_sched_in_hand(c->sched));
	pg_atomic_write_u64(&slot->inflight_bytes, c->bytes);
}

static long
sleep_ms(BurrowConsumer *c)
{
	TimestampTz next = c->now + c->poll_interval_us;

	next = burrow_earlier(next, burrow_assignment_next(c));
	next = burrow_earlier(next, burrow_commit_next(c));
	next = burrow_earlier(next, burrow_pool_next(c));
	next = burrow_earlier(next, end_next(c));
	if (c->troubled || c->suspicious)
		next = burrow_earlier(next, c->probe_at);
	return burrow_ms_until(next, c->now);
}

static void
serve_signals(BurrowConsumer *c)
{
	CHECK_FOR_INTERRUPTS();
	if (ShutdownRequestPending)
		burrow_consumer_end(c, BURROW_ENDING_SHUTDOWN);
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
		if (c->bootstrap_servers != NULL && strcmp(c->bootstrap_servers, burrow_bootstrap_servers) != 0)
			burrow_consumer_end(c, BURROW_ENDING_RESTART);
	}
	/* invalidations pile up in a process that seldom starts a transaction */
	if (catchupInterruptPending)
		ProcessCatchupInterrupt();
}

/* Sleeps until something has come or is due. */
static void
wait(BurrowConsumer *c, WaitEventSet *events, long timeout_ms)
{
	WaitEvent	occurred[3];
	int			n;

	if (timeout_ms > 0)
		pgstat_report_stat(false);
	n = WaitEventSetWait(events, timeout_ms, occurred, lengthof(occurred), PG_WAIT_EXTENSION);
	for (int i = 0; i < n; i++)
	{
		if (occurred[i].events & WL_LATCH_SET)
			ResetLatch(MyLatch);
		if (occurred[i].events & WL_SOCKET_READABLE)
			read_pipe(c);
	}
}

static void
run(BurrowConsumer *c)
{
	WaitEventSet *events = burrow_create_wait_event_set(3);

	AddWaitEventToSet(events, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(events, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	AddWaitEventToSet(events, WL_SOCKET_READABLE, c->wake_read, NULL, NULL);

	while (c->end_phase != BURROW_END_OVER)
	{
		bool		again;

		MemoryContextReset(c->turn_cxt);
		MemoryContextSwitchTo(c->turn_cxt);
		c->now = GetCurrentTimestamp();

		serve_signals(c);
		serve_requests(c);
		if (c->client == NULL && c->ending == BURROW_ENDING_NOT && !connect_kafka(c))
		{
			wait(c, events, CONNECT_AGAIN_MS);
			continue;
		}
		serve_events(c);
		serve_scout(c);
		burrow_pool_collect(c);
		burrow_assignment_advance(c);
		again = burrow_intake_run(c);
		burrow_pool_dispatch(c);
		burrow_commit_run(c);
		advance_end(c);
		probe(c);
		publish(c);
		if (c->end_phase != BURROW_END_OVER)
			wait(c, events, again ? 0 : sleep_ms(c));
	}
	leave(c);
}

/* Waits until nobody of an older generation can commit behind our back. */
static bool
wait_for_stragglers(BurrowConsumer *c)
{
	while (!burrow_registry_wait_for_stragglers(c->slot, c->generation))
	{
		serve_signals(c);
		if (c->ending != BURROW_ENDING_NOT)
			return false;
		if (pg_atomic_read_u32(&burrow->subscriptions[c->slot].requests) & BURROW_REQUEST_LEAVE)
		{
			burrow_registry_leave(c->slot, BURROW_LEAVE_STOPPED);
			return false;
		}
	}
	return true;
}

static void
consume(BurrowConsumer *c)
{
	if (!wait_for_stragglers(c))
		return;
	c->sub = load(c, &c->sub_cxt);
	if (!may_run(c->sub))
	{
		burrow_registry_leave(c->slot, BURROW_LEAVE_STOPPED);
		return;
	}
	burrow_consumer_start_transaction(c);
	MemoryContextSwitchTo(TopMemoryContext);
	burrow_start_parse(c->sub->options.start_from, &c->start);
	burrow_consumer_commit_transaction(c);

	/* what is made here lives as long as the process */
	MemoryContextSwitchTo(TopMemoryContext);
	c->kafka = burrow_kafka_library();
	c->bootstrap_servers = pstrdup(burrow_bootstrap_servers);
	make_pipe(c);
	c->area = dsa_create(LWLockNewTrancheId());
	dsa_pin_mapping(c->area);
	c->sched = burrow_sched_create(sched_allocate, sched_release);
	burrow_pool_init(c);
	MemoryContextSwitchTo(c->turn_cxt);

	ereport(LOG,
			(errmsg("consumer for subscription \"%s\" has started", c->sub->name),
			 errdetail("Topic \"%s\", consumer group \"%s\", librdkafka %s.",
					   c->sub->topic, c->sub->consumer_group, c->kafka->version())));
	pgstat_report_activity(STATE_RUNNING, psprintf("consuming topic \"%s\"", c->sub->topic));
	run(c);
}

void
burrow_consumer_main(Datum arg)
{
	BurrowConsumerArgs args;
	BurrowConsumer *c;

	/* registered first, so run last */
	on_proc_exit(exit_at_once, 0);

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGINT, handle_sigint);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();

	memcpy(&args, MyBgworkerEntry->bgw_extra, sizeof(args));
	c = consumer = consumer_new(DatumGetInt32(arg), &args);
	BackgroundWorkerInitializeConnectionByOid(args.dboid, InvalidOid, 0);
	burrow_bgw_set_overrides();
	burrow_registry_attach_consumer(c->slot, c->generation);

	PG_TRY();
	{
		MemoryContextSwitchTo(c->turn_cxt);
		consume(c);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(c->halt_cxt);
		error = CopyErrorData();
		burrow_registry_set_error(c->slot, unpack_sql_state(error->sqlerrcode), error->message);
		PG_RE_THROW();
	}
	PG_END_TRY();
	proc_exit(0);
}
