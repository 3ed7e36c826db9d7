/*
 * watchdog.c
 *	  Messages that are there and do not come, and nobody says why.
 *
 * Runs in: the consumer.
 * Owns: part->watch, and the trouble "stalled".
 *
 * Whatever is known to be the matter has a trouble of its own, which says so.  This is for what is not known: a
 * client that has stopped to fetch, a queue of librdkafka's whose wake-up was lost, a group that gives no
 * assignment.  core/watchdog.c decides about a partition.  One that is behind has its queue looked at without
 * being called, which mends the second, and its end is asked for again and again, which tells of a leader that does
 * not serve it; one that stalls gets a new client, once: the consumer ends what is in hand, and starts anew
 * where it was, as after a change of its server.  Whether that was done is kept in the slot until the
 * subscription has been well for a while: a client that does not help is not made again and again.
 */
#include "postgres.h"

#include "consumer/assignment.h"
#include "consumer/watchdog.h"
#include "guc.h"
#include "offsets/lag.h"
#include "partition/partition.h"
#include "partition/status.h"
#include "partition/turn.h"
#include "shmem/registry.h"

/* Looks in the time after which something stalls. */
#define LOOKS	6

static TimestampTz look_at;

/* When there was last a reason for the group to give no assignment, or it had given one. */
static TimestampTz assigned_at;

/* Since when nothing was behind; 0: something is. */
static TimestampTz well_since;

/* ---- what is found ---- */

/* Is it known why nothing comes? */
static bool
is_kept_back(const BurrowPartition *part)
{
	return part->readable || part->intake.window_full || part->intake.starved || part->intake.obstacle != NULL ||
		part->fetch.failing_since != 0 || part->fetch.paused || part->fetch.suspected ||
		part->identity.unknown_to_broker || part->seek.pending ||
		burrow_status_is_failing() || burrow_status_is_waiting();
}

static BurrowWatchVerdict
look(const BurrowConsumer *c, BurrowPartition *part)
{
	BurrowWatchLook l = {
		.now = c->now,
		.after = burrow_stalled_after * INT64CONST(1000000),
		.kept_back = is_kept_back(part),
		.position = Max(burrow_tracker_position(&part->tracker), part->end.eof_offset),
		.end = part->end.offset,
		.asked_at = part->end.asked_at,
	};

	return burrow_watchdog_look(&part->watch, &l);
}

/* As far as it can be told from here. */
static const char *
cause_of(const BurrowConsumer *c, const BurrowPartition *part)
{
	if (part->end.unanswered != NULL)
		return psprintf("the broker that leads it does not serve it (%s)", part->end.unanswered);
	if (c->kafka->queue_length(part->queue) > 0)
		return "librdkafka has fetched it, and does not give it out";
	return "librdkafka does not fetch it";
}

static const char *
text_of(const BurrowConsumer *c, const BurrowPartition *part, int n)
{
	int64		position = burrow_tracker_position(&part->tracker);
	const char *text = psprintf("topic \"%s\" partition %d offset %lld is there and does not come: %s",
								part->topic, part->partition, (long long) position, cause_of(c, part));

	return n == 1 ? text : psprintf("%s; and so with %d other partitions", text, n - 1);
}

/* The partitions' verdict: what is to be said of those that stall; NULL: none does. */
static const char *
look_at_partitions(const BurrowConsumer *c, bool *behind)
{
	BurrowPartition *first = NULL;
	bool		ask = false;
	int			n = 0;
	dlist_iter	iter;

	dlist_foreach(iter, burrow_partition_all())
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (part->state != BURROW_PARTITION_ACTIVE || part->is_redelivery)
			continue;
		switch (look(c, part))
		{
			case BURROW_WATCH_WELL:
				break;
			case BURROW_WATCH_ASK:
				ask = true;
				break;
			case BURROW_WATCH_STALLED:
				n++;
				first = first != NULL ? first : part;
				/* FALLTHROUGH */
			case BURROW_WATCH_BEHIND:
				/* what the broker says now tells why */
				ask = true;
				*behind = true;
				burrow_partition_readable(part);
				break;
		}
	}
	if (ask)
		burrow_lag_ask(c);
	return first != NULL ? text_of(c, first, n) : NULL;
}

/* The same of the group: it lets others take their time at a rebalance, but not in silence. */
static const char *
look_at_group(const BurrowConsumer *c)
{
	if (assigned_at == 0 || !burrow_assignment_is_awaited() || burrow_status_is_failing())
		assigned_at = c->now;
	if (assigned_at + burrow_stalled_after * INT64CONST(1000000) > c->now)
		return NULL;
	return psprintf("consumer group \"%s\" has given no assignment for %lld s", c->sub->consumer_group,
					(long long) ((c->now - assigned_at) / INT64CONST(1000000)));
}

/* ---- what follows ---- */

static void
renew_client(const BurrowConsumer *c)
{
	pg_atomic_uint64 *renewed_at = &burrow->subscriptions[c->slot].renewed_at;

	if (pg_atomic_read_u64(renewed_at) != 0)
		return;
	pg_atomic_write_u64(renewed_at, (uint64) c->now);
	BURROW_COUNT(c->slot, clients_renewed, 1);
	ereport(LOG,
			(errmsg("subscription \"%s\" starts anew with a new Kafka client", c->sub->name),
			 errdetail("It is tried once, until messages have come again.")));
	burrow_status_stop(BURROW_STOP_RESTART);
}

static void
stall(const BurrowConsumer *c, const char *text)
{
	BurrowTroubleReport report = {.sqlstate = "08006", .message = text};

	burrow_status_fail(c, BURROW_TROUBLE_STALLED, &report);
	renew_client(c);
}

/* A new client may help again only if the last one has helped. */
static void
go_on(const BurrowConsumer *c, bool behind)
{
	if (behind || burrow_assignment_is_awaited())
	{
		well_since = 0;
		return;
	}
	if (well_since == 0)
		well_since = c->now;
	if (well_since + 2 * burrow_stalled_after * INT64CONST(1000000) <= c->now)
		pg_atomic_write_u64(&burrow->subscriptions[c->slot].renewed_at, 0);
}

TimestampTz
burrow_watchdog_run(const BurrowConsumer *c)
{
	const char *text;
	bool		behind = false;

	if (burrow_stalled_after == 0)
		burrow_status_over(c, BURROW_TROUBLE_STALLED);
	if (burrow_stalled_after == 0 || c->client == NULL || burrow_status_is_stopping())
		return 0;
	if (look_at > c->now)
		return look_at;
	look_at = c->now + burrow_stalled_after * INT64CONST(1000000) / LOOKS;

	text = look_at_group(c);
	if (text == NULL)
		text = look_at_partitions(c, &behind);
	if (behind)
		burrow_turn_again();
	if (text != NULL)
		stall(c, text);
	else
		burrow_status_over(c, BURROW_TROUBLE_STALLED);
	go_on(c, behind || text != NULL);
	return look_at;
}
