/*
 * shutdown.c
 *	  The end of a consumer: draining, the final commit, leaving the group.
 *
 * Runs in: the consumer.
 *
 * Each phase has a deadline.  What is in workers' hands is waited for within
 * shutdown_timeout, then cancelled; when the server stops it is only waited for until its
 * workers have ended, because PostgreSQL rolls it back.  Whatever is not done in time is simply left: Kafka's
 * offset says what was, and the next consumer goes on from there.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "consumer/assignment.h"
#include "consumer/shutdown.h"
#include "dead_letter/publisher.h"
#include "delivery/pool.h"
#include "offsets/offset_commit.h"
#include "offsets/seek.h"
#include "partition/context.h"
#include "partition/status.h"
#include "partition/turn.h"

/*
 * A stop on SIGTERM has 3 s: for the workers, who were told to end too, so that the final
 * commit has what they could still commit; for that commit; and for leaving the group.
 */
#define SHUTDOWN_DRAIN_US	INT64CONST(500000)
#define SHUTDOWN_COMMIT_US	INT64CONST(1500000)
#define SHUTDOWN_CLOSE_US	INT64CONST(1000000)
/* Any other end. */
#define END_COMMIT_US		INT64CONST(5000000)
#define END_CLOSE_US		INT64CONST(3000000)
/* Between two attempts to record why it halts. */
#define RECORD_AGAIN_US		INT64CONST(1000000)
/* Between two looks whether the group was left. */
#define LEAVE_LOOK_US		INT64CONST(10000)

/* How far the end has come. */
typedef enum BurrowShutdownPhase
{
	BURROW_SHUTDOWN_NOT,		/* -> DRAINING */
	BURROW_SHUTDOWN_DRAINING,	/* messages in hand are waited for -> COMMITTING */
	BURROW_SHUTDOWN_COMMITTING, /* the final commit is waited for, and dead letters that are being
								 * produced -> LEAVING, CLOSING, OVER */
	BURROW_SHUTDOWN_LEAVING,	/* out of the group for good -> CLOSING, OVER */
	BURROW_SHUTDOWN_CLOSING,	/* the client is being closed -> OVER */
	BURROW_SHUTDOWN_OVER
} BurrowShutdownPhase;

static BurrowShutdownPhase phase;

/* Of this phase. */
static TimestampTz deadline;

/* Why it halts is in the catalog; if not, when to try again, 0: at once. */
static bool recorded;
static TimestampTz record_again_at;

/* Its place in the group: the next start is for other partitions, or another group. */
static bool gives_up_place;

static void
begin_closing(const BurrowConsumer *c)
{
	char		text[BURROW_KAFKA_TEXT_MAX];

	phase = c->kafka->close_begin(c->client, text) ? BURROW_SHUTDOWN_CLOSING : BURROW_SHUTDOWN_OVER;
}

/* The group is being left: rebalances only need their answer. */
void
burrow_shutdown_answer_rebalance(const BurrowConsumer *c, const BurrowKafkaEvent *event)
{
	char		text[BURROW_KAFKA_TEXT_MAX];
	BurrowKafkaList none = {0};

	if (event->type == BURROW_KAFKA_REVOKE)
		(void) c->kafka->unassign(c->client, &event->list, text);
	else
		(void) c->kafka->assign(c->client, &none, text);
}

void
burrow_shutdown_give_up_place(void)
{
	gives_up_place = true;
}

bool
burrow_shutdown_is_leaving(void)
{
	return phase >= BURROW_SHUTDOWN_LEAVING;
}

bool
burrow_shutdown_is_over(void)
{
	return phase == BURROW_SHUTDOWN_OVER;
}

static void
write_halt(const BurrowConsumer *c, void *arg)
{
	/* in this order: see burrow_subscription_hold() */
	burrow_subscription_halt(c->subid, burrow_status_halt_reason());
	if (burrow_seek_rejected() != NULL)
		burrow_seek_request_remove(c->subid, burrow_seek_rejected(), 1);
}

/* The error goes into the catalog, where it survives a restart.  False: not now, somebody has locked the table. */
static bool
record_halt(const BurrowConsumer *c)
{
	const BurrowHalt *halt = burrow_status_halt_reason();

	/* the log gets what may be shown to others than the owner */
	bool		ours = halt->public_message == NULL;
	const char *text = ours ? halt->message : halt->public_message;

	if (!burrow_status_try(c, write_halt, NULL, BURROW_TROUBLE_HALT))
	{
		record_again_at = c->now + RECORD_AGAIN_US;
		return false;
	}
	record_again_at = 0;
	recorded = true;
	burrow_registry_set_error(c->slot, halt->sqlstate, halt->message, halt->public_message);
	ereport(LOG,
			(halt->partition < 0 ? errmsg("subscription \"%s\" is halted", c->sub->name) :
			 errmsg("subscription \"%s\" is halted at topic \"%s\" partition %d offset %lld",
					c->sub->name, halt->topic, halt->partition, (long long) halt->offset),
			 ours && halt->detail != NULL ?
			 errdetail("%s: %s\n%s", halt->sqlstate, text, halt->detail) :
			 errdetail("%s: %s", halt->sqlstate, text),
			 ours && halt->hint != NULL ?
			 errhint("%s", halt->hint) :
			 errhint("Correct the cause, then call burrow.resume()."),
			 halt->traceparent != NULL ? (errcontext("traceparent %s", halt->traceparent)) : 0));
	return true;
}

/* Nothing is waited for but what is in hand. */
static void
begin_end(const BurrowConsumer *c)
{
	burrow_assignment_stop(c);
	deadline = c->now + c->sub->options.shutdown_timeout_us;
	burrow_assignment_begin_enforcing();
	burrow_offset_commit_end_final();
	phase = BURROW_SHUTDOWN_DRAINING;
	burrow_turn_again();
}

/* Workers have nothing more in hand: the last commit. */
static void
begin_final_commit(const BurrowConsumer *c)
{
	bool		shutdown = burrow_status_stop_reason() == BURROW_STOP_SHUTDOWN;

	burrow_offset_commit_begin_final(c);
	deadline = c->now + (shutdown ? SHUTDOWN_COMMIT_US : END_COMMIT_US);
	phase = BURROW_SHUTDOWN_COMMITTING;
}

/*
 * A static member that only closes keeps its place in the group until its session
 * times out.  That is wanted where it will be back soon for the same partitions, and not
 * where somebody else should have them.
 */
static void
begin_leave(const BurrowConsumer *c)
{
	bool		back_soon = burrow_status_stop_reason() == BURROW_STOP_SHUTDOWN ||
	(burrow_status_stop_reason() == BURROW_STOP_RESTART && !gives_up_place);
	char		text[BURROW_KAFKA_TEXT_MAX];

	burrow_pool_detach_all(c);
	burrow_assignment_close(c);
	deadline = c->now +
		(burrow_status_stop_reason() == BURROW_STOP_SHUTDOWN ? SHUTDOWN_CLOSE_US : END_CLOSE_US);
	if (c->client == NULL)
		phase = BURROW_SHUTDOWN_OVER;
	else if (!back_soon && c->kafka->leave(c->client, text))
		phase = BURROW_SHUTDOWN_LEAVING;
	else
		begin_closing(c);
}

/* As many steps of the end as can be taken now. */
static void
advance(const BurrowConsumer *c)
{
	if (phase == BURROW_SHUTDOWN_NOT)
		begin_end(c);
	if (phase == BURROW_SHUTDOWN_DRAINING)
	{
		if (burrow_scheduler_in_hand(c->sched) > 0)
		{
			if (burrow_status_stop_reason() != BURROW_STOP_SHUTDOWN)
			{
				burrow_assignment_enforce(c, deadline);
				return;
			}
			deadline = Min(deadline, c->now + SHUTDOWN_DRAIN_US);
			if (c->now < deadline)
				return;
		}
		if (burrow_status_stop_reason() == BURROW_STOP_HALT && !recorded &&
			(record_again_at > c->now || !record_halt(c)))
			return;
		begin_final_commit(c);
	}
	if (phase == BURROW_SHUTDOWN_COMMITTING &&
		((burrow_offset_commit_settled(c, false) && burrow_publisher_settled(c)) || c->now >= deadline))
		begin_leave(c);
	if (phase == BURROW_SHUTDOWN_LEAVING && c->kafka->left(c->client))
		begin_closing(c);
	if (phase >= BURROW_SHUTDOWN_LEAVING && phase < BURROW_SHUTDOWN_OVER &&
		(c->now >= deadline ||
		 (phase == BURROW_SHUTDOWN_CLOSING && c->kafka->closed(c->client))))
		phase = BURROW_SHUTDOWN_OVER;
}

TimestampTz
burrow_shutdown_advance(const BurrowConsumer *c)
{
	if (!burrow_status_is_stopping())
		return 0;
	advance(c);
	if (phase == BURROW_SHUTDOWN_DRAINING && burrow_assignment_kill_deadline() != 0 &&
		burrow_status_stop_reason() != BURROW_STOP_SHUTDOWN)
		return burrow_assignment_kill_deadline();
	if (phase == BURROW_SHUTDOWN_DRAINING && record_again_at != 0)
		return Max(record_again_at, c->now);
	/* librdkafka does not tell when it has left */
	if (phase == BURROW_SHUTDOWN_LEAVING)
		return c->now + LEAVE_LOOK_US;
	return deadline;
}

/* How it leaves, for the launcher. */
void
burrow_shutdown_report(const BurrowConsumer *c)
{
	switch (burrow_status_stop_reason())
	{
		case BURROW_STOP_RESTART:
			burrow_registry_leave(c->slot, BURROW_LEAVE_RESTART);
			break;
		case BURROW_STOP_CATALOG:
		case BURROW_STOP_LEAVE:
		case BURROW_STOP_HALT:
			burrow_registry_leave(c->slot, BURROW_LEAVE_STOPPED);
			break;
		case BURROW_STOP_SHUTDOWN:
		case BURROW_STOP_NONE:
			/* pg_terminate_backend(): the launcher starts it again */
			break;
	}
}
