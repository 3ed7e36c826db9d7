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
#include "partition/context.h"
#include "runtime/transaction.h"

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
/* Between two looks whether the group was left. */
#define LEAVE_LOOK_US		INT64CONST(10000)

static void
begin_closing(BurrowConsumer *c)
{
	char		text[BURROW_KAFKA_TEXT_MAX];

	c->end_phase = c->kafka->close_begin(c->client, text) ? BURROW_SHUTDOWN_CLOSING : BURROW_SHUTDOWN_OVER;
}

/* The group is being left: rebalances only need their answer. */
void
burrow_shutdown_answer_rebalance(BurrowConsumer *c, const BurrowKafkaEvent *event)
{
	char		text[BURROW_KAFKA_TEXT_MAX];
	BurrowKafkaList none = {0};

	if (event->type == BURROW_KAFKA_REVOKE)
		(void) c->kafka->unassign(c->client, &event->list, text);
	else
		(void) c->kafka->assign(c->client, &none, text);
}

/* The error goes into the catalog, where it survives a restart. */
static void
record_halt(BurrowConsumer *c)
{
	/* the log gets what may be shown to others than the owner */
	bool		ours = c->halt.public_message == NULL;
	const char *text = ours ? c->halt.message : c->halt.public_message;

	burrow_transaction_begin();
	if (c->rejected_seek != NULL)
		burrow_seek_request_remove(c->subid, c->rejected_seek, 1);
	burrow_subscription_halt(c->subid, &c->halt);
	burrow_transaction_commit(c->turn_cxt);
	burrow_registry_set_error(c->slot, c->halt.sqlstate, c->halt.message, c->halt.public_message);
	ereport(LOG,
			(c->halt.partition < 0 ? errmsg("subscription \"%s\" is halted", c->sub->name) :
			 errmsg("subscription \"%s\" is halted at topic \"%s\" partition %d offset %lld",
					c->sub->name, c->halt.topic, c->halt.partition, (long long) c->halt.offset),
			 ours && c->halt.detail != NULL ?
			 errdetail("%s: %s\n%s", c->halt.sqlstate, text, c->halt.detail) :
			 errdetail("%s: %s", c->halt.sqlstate, text),
			 ours && c->halt.hint != NULL ?
			 errhint("%s", c->halt.hint) :
			 errhint("Correct the cause, then call burrow.resume().")));
}

/* Nothing is waited for but what is in hand. */
static void
begin_end(BurrowConsumer *c)
{
	burrow_assignment_stop(c);
	c->end_deadline = c->now + c->sub->options.shutdown_timeout_us;
	c->kill_deadline = 0;
	c->finishing = false;
	c->end_phase = BURROW_SHUTDOWN_DRAINING;
}

/* Workers have nothing more in hand: the last commit. */
static void
begin_final_commit(BurrowConsumer *c)
{
	bool		shutdown = c->ending == BURROW_STOP_SHUTDOWN;

	if (c->ending == BURROW_STOP_HALT)
		record_halt(c);
	burrow_offset_commit_begin_final(c);
	c->end_deadline = c->now + (shutdown ? SHUTDOWN_COMMIT_US : END_COMMIT_US);
	c->end_phase = BURROW_SHUTDOWN_COMMITTING;
}

/*
 * A static member that only closes keeps its place in the group until its session
 * times out.  That is wanted where it will be back soon for the same partitions, and not
 * where somebody else should have them.
 */
static void
begin_leave(BurrowConsumer *c)
{
	bool		back_soon = c->ending == BURROW_STOP_SHUTDOWN ||
	(c->ending == BURROW_STOP_RESTART && !c->gives_up_place);
	char		text[BURROW_KAFKA_TEXT_MAX];

	burrow_pool_detach_all(c);
	burrow_assignment_close(c);
	c->end_deadline = c->now +
		(c->ending == BURROW_STOP_SHUTDOWN ? SHUTDOWN_CLOSE_US : END_CLOSE_US);
	if (c->client == NULL)
		c->end_phase = BURROW_SHUTDOWN_OVER;
	else if (!back_soon && c->kafka->leave(c->client, text))
		c->end_phase = BURROW_SHUTDOWN_LEAVING;
	else
		begin_closing(c);
}

/* One step of the end. */
void
burrow_shutdown_advance(BurrowConsumer *c)
{
	if (c->ending == BURROW_STOP_NONE)
		return;
	if (c->end_phase == BURROW_SHUTDOWN_NOT)
		begin_end(c);
	if (c->end_phase == BURROW_SHUTDOWN_DRAINING)
	{
		if (burrow_scheduler_in_hand(c->sched) > 0)
		{
			if (c->ending != BURROW_STOP_SHUTDOWN)
			{
				burrow_assignment_enforce(c, c->end_deadline);
				return;
			}
			c->end_deadline = Min(c->end_deadline, c->now + SHUTDOWN_DRAIN_US);
			if (c->now < c->end_deadline)
				return;
		}
		begin_final_commit(c);
	}
	if (c->end_phase == BURROW_SHUTDOWN_COMMITTING &&
		((burrow_offset_commit_settled(c, false) && burrow_publisher_settled(c)) || c->now >= c->end_deadline))
		begin_leave(c);
	if (c->end_phase == BURROW_SHUTDOWN_LEAVING && c->kafka->left(c->client))
		begin_closing(c);
	if (c->end_phase >= BURROW_SHUTDOWN_LEAVING && c->end_phase < BURROW_SHUTDOWN_OVER &&
		(c->now >= c->end_deadline ||
		 (c->end_phase == BURROW_SHUTDOWN_CLOSING && c->kafka->closed(c->client))))
		c->end_phase = BURROW_SHUTDOWN_OVER;
}

TimestampTz
burrow_shutdown_next(const BurrowConsumer *c)
{
	if (c->ending == BURROW_STOP_NONE)
		return 0;
	if (c->end_phase == BURROW_SHUTDOWN_NOT)
		return c->now;
	if (c->end_phase == BURROW_SHUTDOWN_DRAINING && c->kill_deadline != 0 && c->ending != BURROW_STOP_SHUTDOWN)
		return c->kill_deadline;
	/* librdkafka does not tell when it has left */
	if (c->end_phase == BURROW_SHUTDOWN_LEAVING)
		return c->now + LEAVE_LOOK_US;
	return c->end_deadline;
}

/* How it leaves, for the launcher. */
void
burrow_shutdown_tell(BurrowConsumer *c)
{
	switch (c->ending)
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
