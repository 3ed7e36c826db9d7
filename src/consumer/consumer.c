/*
 * consumer.c
 *	  The consumer process of one subscription: start, main loop, stop.
 *
 * Runs in: a dynamic background worker, started by the launcher.
 *
 * Owns: its subscription slot while it is attached, partition slots, the workers'
 * segments, the tracker segments, and the subscription's Kafka clients.
 *
 * One thread of PostgreSQL code.  Each turn of the loop serves what has come (events
 * of Kafka's, results, messages), gives out chunks and sees to commits, then sleeps
 * in one WaitEventSet: latch, postmaster death, and the pipe to which librdkafka
 * writes when a queue is no longer empty.  The time-out is that of the next thing
 * that is due; when nothing is, it is the poll that keeps the group membership.
 *
 * It runs no code of users', holds no lock over a call of librdkafka's, and its
 * transactions are short, with a lock_timeout (runtime/transaction.c).
 *
 * The process always ends by _exit(), in an on_proc_exit callback that runs last:
 * librdkafka's threads may still live then, because waiting for them may take as
 * long as a broker that is away, and no exit handler or destructor may run under
 * them.  A crash there would restart the whole server.
 */
#include "postgres.h"

#include <unistd.h>

#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/sinval.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"
#include "utils/wait_event.h"

#include "catalog/access.h"
#include "compat.h"
#include "guc.h"
#include "consumer/assignment.h"
#include "consumer/client_watch.h"
#include "consumer/connection.h"
#include "consumer/fetch_trouble.h"
#include "consumer/intake.h"
#include "consumer/shutdown.h"
#include "consumer/watchdog.h"
#include "dead_letter/key_parking.h"
#include "dead_letter/letter_count.h"
#include "dead_letter/publisher.h"
#include "dead_letter/redelivery.h"
#include "dead_letter/writer.h"
#include "delivery/dispatch.h"
#include "delivery/failure.h"
#include "delivery/pool.h"
#include "delivery/results.h"
#include "delivery/retry.h"
#include "offsets/durability.h"
#include "offsets/lag.h"
#include "offsets/offset_commit.h"
#include "offsets/seek.h"
#include "offsets/topic_watch.h"
#include "offsets/start.h"
#include "partition/context.h"
#include "partition/history_step.h"
#include "partition/partition.h"
#include "partition/question.h"
#include "partition/status.h"
#include "partition/turn.h"
#include "runtime/bgw.h"
#include "runtime/kafka_client.h"
#include "runtime/kafka_library.h"
#include "shmem/groups.h"
#include "shmem/wait_events.h"
#include "shmem/worker_slots.h"

/* For trouble at the start. */
#define CONNECT_AGAIN_US	INT64CONST(2000000)
/* When the catalog could not be read. */
#define RELOAD_AGAIN_US		INT64CONST(1000000)

static BurrowConsumer *consumer;	/* this process's */

/* Owns consumer->sub. */
static MemoryContext sub_cxt;

/* The settings that name the cluster of a subscription that names none, as they were last seen. */
static char *bootstrap_servers;
static char *default_server;

/* The catalog could not be read; when to try again; 0: it could. */
static TimestampTz reload_again_at;

/* No attempt to make the clients before; 0: at once. */
static TimestampTz connect_again_at;

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

static BurrowConsumer *
consumer_new(int slot, const BurrowConsumerArgs *args)
{
	BurrowConsumer *c = MemoryContextAllocZero(TopMemoryContext, sizeof(BurrowConsumer));

	c->slot = slot;
	c->generation = args->generation;
	c->subid = args->subid;
	c->dboid = args->dboid;
	c->message_cxt = AllocSetContextCreate(TopMemoryContext, "burrow messages", ALLOCSET_DEFAULT_SIZES);
	c->turn_cxt = AllocSetContextCreate(TopMemoryContext, "burrow turn", ALLOCSET_DEFAULT_SIZES);
	c->now = GetCurrentTimestamp();
	return c;
}

/* ---- the catalog ---- */

/*
 * Servers, mappings and privileges come out of caches, and who changes them tells of it in the
 * commit callback, which is before the invalidations are sent: so what is cached may be older.
 */
static bool
find_server_anew(BurrowSubscription *sub)
{
	InvalidateSystemCaches();
	return burrow_subscription_find_server(sub);
}

/* In a transaction; in the current memory context. */
static BurrowSubscription *
read_subscription(const BurrowConsumer *c)
{
	/* whatever another version says, this library cannot read it */
	BurrowSubscription *sub = burrow_access_other_version() != NULL ? NULL : burrow_subscription_load(c->subid);

	if (sub != NULL)
		(void) find_server_anew(sub);
	return sub;
}

static void
report_server_trouble(const BurrowConsumer *c)
{
	static const BurrowTroubleKind kinds[] = {
		[BURROW_SERVER_MISSING] = BURROW_TROUBLE_SERVER_MISSING,
		[BURROW_SERVER_DENIED] = BURROW_TROUBLE_SERVER_DENIED,
		[BURROW_SERVER_CREDENTIALS] = BURROW_TROUBLE_SERVER_CREDENTIALS,
	};
	const BurrowServerTrouble *trouble = &c->sub->server_trouble;
	BurrowTroubleReport report = {
		.sqlstate = unpack_sql_state(trouble->sqlerrcode),
		.message = trouble->message,
		.statement = trouble->statement,
	};

	/* it is one of them now */
	for (int i = 0; i < lengthof(kinds); i++)
		if (i != trouble->what)
			burrow_status_over(c, kinds[i]);
	burrow_status_fail(c, kinds[trouble->what], &report);
}

/* What an attempt to find the cluster has found. */
typedef struct ServerLook
{
	MemoryContext cxt;
	bool		found;
} ServerLook;

static void
look_for_server(const BurrowConsumer *c, void *arg)
{
	ServerLook *look = arg;

	MemoryContextSwitchTo(look->cxt);
	look->found = find_server_anew(c->sub);
}

/*
 * There was no cluster that the owner may use.  False: that is still so, and the state says why.  It may be so
 * for days: an attempt in vain keeps nothing.
 */
static bool
find_server(BurrowConsumer *c)
{
	ServerLook	look = {AllocSetContextCreate(sub_cxt, "burrow server", ALLOCSET_SMALL_SIZES)};
	bool		looked = burrow_status_try(c, look_for_server, &look, BURROW_TROUBLE_FIND_SERVER);

	if (looked && look.found)
	{
		ereport(LOG, (errmsg("subscription \"%s\" may connect to Kafka now", c->sub->name)));
		burrow_status_over(c, BURROW_TROUBLE_SERVER_MISSING);
		burrow_status_over(c, BURROW_TROUBLE_SERVER_DENIED);
		burrow_status_over(c, BURROW_TROUBLE_SERVER_CREDENTIALS);
		return true;
	}
	if (looked)
		report_server_trouble(c);
	c->sub->server = NULL;
	c->sub->server_trouble = (BurrowServerTrouble) {0};
	MemoryContextDelete(look.cxt);
	return false;
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

/* Is the cluster the same, and are they who they were there?  Privileges count: without them there is none. */
static bool
same_server(const BurrowServer *a, const BurrowServer *b)
{
	return a == NULL ? b == NULL : b != NULL && strcmp(a->text, b->text) == 0;
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
		a->options.park_key == b->options.park_key &&
		same_server(a->server, b->server) &&
		same_kafka(&a->options, &b->options);
}

/* What the catalog says now. */
typedef struct CatalogLook
{
	MemoryContext cxt;
	BurrowSubscription *sub;
} CatalogLook;

static void
look_at_catalog(const BurrowConsumer *c, void *arg)
{
	CatalogLook *look = arg;

	MemoryContextSwitchTo(look->cxt);
	look->sub = read_subscription(c);
	burrow_seek_look(c);
}

/*
 * The catalog row may have changed.  Who has locked the table, after a change or for another reason, does not
 * hold up the messages: it is looked at again.
 */
static void
reload(BurrowConsumer *c)
{
	CatalogLook look = {AllocSetContextCreate(TopMemoryContext, "burrow subscription", ALLOCSET_SMALL_SIZES)};
	BurrowSubscription *sub;

	reload_again_at = 0;
	if (!burrow_status_try(c, look_at_catalog, &look, BURROW_TROUBLE_LOAD))
	{
		MemoryContextDelete(look.cxt);
		reload_again_at = GetCurrentTimestamp() + RELOAD_AGAIN_US;
		return;
	}
	sub = look.sub;
	burrow_redelivery_wake();
	burrow_key_parking_outdate(c);
	burrow_publisher_wake();
	burrow_letter_count_outdate();
	if (!may_run(sub))
	{
		burrow_status_stop(BURROW_STOP_CATALOG);
		return;
	}
	if (!can_stay(c->sub, sub) || burrow_seek_is_new())
	{
		if (strcmp(c->sub->topic, sub->topic) != 0 || strcmp(c->sub->consumer_group, sub->consumer_group) != 0)
			burrow_shutdown_give_up_place();
		burrow_status_stop(BURROW_STOP_RESTART);
		return;
	}
	if (strcmp(c->sub->options_text, sub->options_text) == 0 &&
		strcmp(c->sub->handler, sub->handler) == 0 && c->sub->handler_owner == sub->handler_owner)
	{
		MemoryContextDelete(look.cxt);
		return;
	}

	MemoryContextDelete(sub_cxt);
	sub_cxt = look.cxt;
	c->sub = sub;
	burrow_partition_set_window(sub->options.window);
	burrow_pool_replace(c);
	ereport(LOG, (errmsg("subscription \"%s\" goes on with new options", sub->name)));
}

static void
record_settings(void)
{
	if (bootstrap_servers != NULL)
	{
		pfree(bootstrap_servers);
		pfree(default_server);
	}
	bootstrap_servers = MemoryContextStrdup(TopMemoryContext, burrow_bootstrap_servers);
	default_server = MemoryContextStrdup(TopMemoryContext, burrow_default_server);
}

static void
serve_requests(BurrowConsumer *c)
{
	pg_atomic_uint32 *requests = &burrow->subscriptions[c->slot].requests;
	uint32		bits;

	if (reload_again_at != 0 && reload_again_at <= c->now && !burrow_status_is_stopping())
		reload(c);
	if (pg_atomic_read_u32(requests) == 0)
		return;
	/* before the bits: whoever asks for the ends after a change was told sees its effect */
	c->now = GetCurrentTimestamp();
	bits = pg_atomic_exchange_u32(requests, 0);
	if (bits & BURROW_REQUEST_LEAVE)
		burrow_status_stop(BURROW_STOP_LEAVE);
	if ((bits & BURROW_REQUEST_RELOAD) && !burrow_status_is_stopping())
		reload(c);
	if (bits & BURROW_REQUEST_RENEW)
		burrow_pool_renew();
	if (bits & BURROW_REQUEST_REFRESH)
	{
		/* somebody waits for it to catch up */
		burrow_lag_ask(c);
		burrow_offset_commit_ask();
	}
}

/* ---- the loop ---- */

static void
publish(BurrowConsumer *c)
{
	BurrowSubscriptionSlot *slot = &burrow->subscriptions[c->slot];

	pg_atomic_write_u64(&slot->jobs_queued, burrow_scheduler_ready(c->sched) + burrow_scheduler_blocked(c->sched));
	pg_atomic_write_u64(&slot->inflight, burrow_scheduler_in_hand(c->sched) - burrow_retry_count());
	pg_atomic_write_u64(&slot->inflight_bytes, burrow_partition_bytes());
	pg_atomic_write_u64(&slot->unconfirmed_since, (uint64) burrow_durability_unconfirmed_since());
	burrow_retry_publish(c, burrow_failure_wait_until());
}

/*
 * Messages that have ended the sleep of a consumer all of whose workers are idle go to a worker before the turn's other
 * steps.  They would be given out by the same steps later in the turn; whatever else has come is as if it had come a moment later.
 * The worker is woken first: to be woken takes it about as long as it takes us to have something for it.
 */
static void
hand_over_at_once(const BurrowConsumer *c)
{
	const BurrowPool *pool = burrow_pool();
	int			worker;

	if (pool->nidle == 0 || pool->nbusy > 0 || c->client == NULL || burrow_status_is_stopping() || burrow_status_is_waiting())
		return;
	worker = burrow_pool_next()->worker;
	burrow_worker_slot_announce(worker);
	(void) burrow_intake_run(c);
	(void) burrow_dispatch_run(c);
	burrow_worker_slot_announced_is_sent(worker);
}

/* One turn, but for what makes the clients.  When the next one is due. */
static TimestampTz
take_turn(BurrowConsumer *c)
{
	TimestampTz due = burrow_earlier(c->now + burrow_connection_poll_interval_us(), reload_again_at);

	burrow_connection_serve(c);
	due = burrow_earlier(due, burrow_results_collect(c));
	due = burrow_earlier(due, burrow_assignment_advance(c));
	due = burrow_earlier(due, burrow_question_run(c));
	due = burrow_earlier(due, burrow_seek_run(c));
	due = burrow_earlier(due, burrow_redelivery_run(c, burrow_assignment_is_unanswered()));
	due = burrow_earlier(due, burrow_intake_run(c));
	due = burrow_earlier(due, burrow_dispatch_run(c));
	due = burrow_earlier(due, burrow_lag_refresh(c));
	due = burrow_earlier(due, burrow_topic_watch_run(c));
	due = burrow_earlier(due, burrow_offset_commit_run(c));
	due = burrow_earlier(due, burrow_intake_pass_obstacles(c));
	due = burrow_earlier(due, burrow_fetch_trouble_run(c));
	due = burrow_earlier(due, burrow_publisher_run(c));
	due = burrow_earlier(due, burrow_letter_count_run(c));
	due = burrow_earlier(due, burrow_watchdog_run(c));
	due = burrow_earlier(due, burrow_shutdown_advance(c));
	due = burrow_earlier(due, burrow_connection_probe(c));
	due = burrow_earlier(due, burrow_client_watch_run(c));
	publish(c);
	return burrow_turn_take_again() ? c->now : due;
}

static void
serve_signals(BurrowConsumer *c)
{
	CHECK_FOR_INTERRUPTS();
	if (ShutdownRequestPending)
		burrow_status_stop(BURROW_STOP_SHUTDOWN);
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
		if (bootstrap_servers != NULL && !burrow_status_is_stopping() &&
			(strcmp(bootstrap_servers, burrow_bootstrap_servers) != 0 ||
			 strcmp(default_server, burrow_default_server) != 0))
		{
			record_settings();
			reload(c);
		}
	}
	/* invalidations pile up in a process that seldom starts a transaction */
	if (catchupInterruptPending)
		ProcessCatchupInterrupt();
}

/* Sleeps until something has come or is due.  True: there are messages. */
static bool
wait(BurrowConsumer *c, WaitEventSet *events, long timeout_ms)
{
	WaitEvent	occurred[3];
	bool		messages = false;
	int			n;

	if (timeout_ms > 0)
		pgstat_report_stat(false);
	n = WaitEventSetWait(events, timeout_ms, occurred, lengthof(occurred), burrow_wait_event(BURROW_WAIT_CONSUMER));
	for (int i = 0; i < n; i++)
	{
		if (occurred[i].events & WL_LATCH_SET)
			ResetLatch(MyLatch);
		if (occurred[i].events & WL_SOCKET_READABLE)
			messages = burrow_connection_read_pipe(c);
	}
	return messages;
}

/* One attempt, when it is time for one; false: there is no client yet. */
static bool
connect_to_kafka(BurrowConsumer *c)
{
	if (connect_again_at > c->now)
		return false;
	if ((c->sub->server != NULL || find_server(c)) && burrow_connection_open(c))
		return true;
	connect_again_at = GetCurrentTimestamp() + CONNECT_AGAIN_US;
	return false;
}

static void
run(BurrowConsumer *c, int wake_read)
{
	WaitEventSet *events = burrow_create_wait_event_set(3);
	bool		messages = false;

	AddWaitEventToSet(events, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(events, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	AddWaitEventToSet(events, WL_SOCKET_READABLE, wake_read, NULL, NULL);

	while (!burrow_shutdown_is_over())
	{
		TimestampTz due;

		MemoryContextReset(c->turn_cxt);
		MemoryContextSwitchTo(c->turn_cxt);
		c->now = GetCurrentTimestamp();

		serve_signals(c);
		serve_requests(c);
		due = burrow_earlier(burrow_status_run(c), burrow_history_step_run(c));
		if (c->client == NULL && !burrow_status_is_stopping() && !connect_to_kafka(c))
		{
			(void) wait(c, events, burrow_ms_until(burrow_earlier(connect_again_at, burrow_earlier(due, reload_again_at)), c->now));
			continue;
		}
		if (messages)
			hand_over_at_once(c);
		due = burrow_earlier(take_turn(c), due);
		messages = !burrow_shutdown_is_over() && wait(c, events, burrow_ms_until(due, c->now));
	}
	burrow_shutdown_report(c);
}

/*
 * SQL has refused what must not share a group, but rows also come out of dumps, and from databases
 * that were closed for a while.  Here it counts: nothing has been read or committed yet.
 */
static void
enter_group(BurrowConsumer *c)
{
	BurrowGroupHolder with;
	bool		known;
	BurrowGroupAnswer answer = burrow_groups_enter(c->slot, &with, &known);
	BurrowHalt	halt = {
		.partition = -1,
		.offset = -1,
		.sqlstate = "55006",
		.message = psprintf(answer == BURROW_GROUP_OTHER_OWNER ?
							"consumer group \"%s\" is used by a subscription of another role" :
							"consumer group \"%s\" is used by another subscription", c->sub->consumer_group),
		.detail = "The members of a group share its messages and its position.",
		.remedy = BURROW_REMEDY_GROUP,
		.hint = "Name another group with burrow.alter(), or unsubscribe the other subscription; then use burrow.resume().",
	};

	if (!known)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("too many subscriptions to keep track of their consumer groups"),
				 errhint("Unsubscribe some, or raise burrow.max_subscriptions and restart the server.")));
	if (answer != BURROW_GROUP_FREE)
		burrow_status_halt(&halt);
}

/* All that has to be known before anything else can be done. */
static void
read_first(const BurrowConsumer *c, void *arg)
{
	BurrowSubscription **sub = arg;

	MemoryContextSwitchTo(sub_cxt);
	*sub = read_subscription(c);
	if (*sub == NULL)
		return;
	burrow_seek_init(c);
	MemoryContextSwitchTo(TopMemoryContext);
	burrow_start_init(*sub);
}

/* The first time: nothing else can be done before.  False: it is not to run, or not here. */
static bool
load(BurrowConsumer *c)
{
	BurrowSubscription *sub;

	sub_cxt = AllocSetContextCreate(TopMemoryContext, "burrow subscription", ALLOCSET_SMALL_SIZES);
	while (!burrow_status_try(c, read_first, &sub, BURROW_TROUBLE_LOAD))
	{
		if (burrow_status_is_stopping())
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("%s", burrow_status_halt_reason()->message)));
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, RELOAD_AGAIN_US / 1000, burrow_wait_event(BURROW_WAIT_CONSUMER));
		ResetLatch(MyLatch);
		MemoryContextReset(sub_cxt);
		c->now = GetCurrentTimestamp();
		serve_signals(c);
		if (burrow_status_is_stopping())
			return false;		/* SIGTERM: the launcher starts it again, if it may */
		if (pg_atomic_read_u32(&burrow->subscriptions[c->slot].requests) & BURROW_REQUEST_LEAVE)
		{
			burrow_registry_leave(c->slot, BURROW_LEAVE_STOPPED);
			return false;
		}
	}
	c->sub = sub;
	if (may_run(c->sub))
		return true;
	burrow_registry_leave(c->slot, BURROW_LEAVE_STOPPED);
	return false;
}

static void
consume(BurrowConsumer *c)
{
	int			wake_read;
	int			wake_write;

	if (!load(c))
		return;

	/* what is made here lives as long as the process */
	MemoryContextSwitchTo(TopMemoryContext);
	c->kafka = burrow_kafka_library();
	burrow_registry_set_librdkafka(c->kafka->version());
	record_settings();
	burrow_kafka_client_make_pipe(&wake_read, &wake_write);
	burrow_connection_init(wake_read, wake_write);
	c->area = dsa_create(burrow->tracker_tranche);
	dsa_pin_mapping(c->area);
	c->sched = burrow_scheduler_create(sched_allocate, sched_release);
	burrow_assignment_init(c);
	burrow_pool_init(c);
	burrow_failure_init(c);
	burrow_key_parking_init(c);
	burrow_publisher_init(wake_write);
	MemoryContextSwitchTo(c->turn_cxt);

	ereport(LOG,
			(errmsg("consumer for subscription \"%s\" has started", c->sub->name),
			 errdetail("Topic \"%s\", consumer group \"%s\", librdkafka %s.",
					   c->sub->topic, c->sub->consumer_group, c->kafka->version())));
	enter_group(c);
	pgstat_report_activity(STATE_RUNNING, psprintf("consuming topic \"%s\"", c->sub->topic));
	run(c, wake_read);
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

		MemoryContextSwitchTo(TopMemoryContext);
		error = CopyErrorData();
		burrow_status_record(c, unpack_sql_state(error->sqlerrcode), error->message, "the consumer ended with an error");
		PG_RE_THROW();
	}
	PG_END_TRY();
	proc_exit(0);
}
