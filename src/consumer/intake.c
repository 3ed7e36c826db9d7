/*
 * intake.c
 *	  Messages out of Kafka's queues into the scheduler.
 *
 * Runs in: the consumer.
 *
 * Each partition has a queue of librdkafka's own.  A queue that may hold something
 * is on the readable list: put there when its number comes through the wake-up
 * pipe, taken off when it is found empty.  When there is no room (messages, bytes
 * or the partition's window) it simply stays unread and on the list: librdkafka
 * stops fetching when its queue is full, and the group membership is kept by the
 * main queue.  Nothing is paused, so nothing fetched is thrown away.
 *
 * An error of a partition takes its place in the order of offsets (partition/obstacle.c): it is
 * acted on when all before it is done, and, if the subscription is to halt for it, all
 * that the other partitions held when it was met.
 *
 * A message is copied at once, with its header, into one piece of our memory in the
 * form in which it is sent to a worker; librdkafka's copy is let go before the next
 * is taken, because it would pin the whole fetch response.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "catalog/dead_letter.h"
#include "catalog/seek_request.h"
#include "consumer/connection.h"
#include "consumer/intake.h"
#include "dead_letter/key_parking.h"
#include "offsets/lag.h"
#include "offsets/topic_identity.h"
#include "partition/context.h"
#include "partition/message.h"
#include "partition/partition.h"
#include "partition/segment.h"
#include "partition/status.h"

/* Messages taken from one partition before the next has its turn, at least. */
#define INTAKE_TURN		256

/* Where partitions end is asked for again after this, and not waited for for longer than that. */
#define GOALS_AGAIN_US		INT64CONST(1000000)
#define GOALS_WAIT_US		INT64CONST(5000000)

/* Longest look of the metadata client's at a partition that cannot be fetched: all others wait for it. */
#define LOOK_MS				200

static bool
has_room(const BurrowConsumer *c)
{
	const BurrowOptions *o = &c->sub->options;

	/*
	 * Only what runs or could run counts in max_inflight: were messages behind a stuck key
	 * counted, or those that wait for their retry, they would fill the pool's place with messages
	 * that cannot run.  They count in bytes and in the window.
	 */
	return burrow_scheduler_ready(c->sched) + burrow_scheduler_in_hand(c->sched) - c->nwaiting < (uint64) o->max_inflight &&
		c->bytes < (uint64) o->max_inflight_bytes;
}

static void
set_unreadable(BurrowPartition *part)
{
	part->readable = false;
	dlist_delete(&part->readable_node);
}

/* Which messages it has to keep its order with. */
static void
set_order(const BurrowConsumer *c, const BurrowKafkaMessage *km, BurrowSchedulerItem *item)
{
	switch (c->sub->options.ordering)
	{
		case BURROW_ORDER_KEY:
			item->ordered = km->key != NULL;
			/* a collision only makes two keys wait for each other */
			item->order = item->ordered ? burrow_key_order(km->key, km->key_len) : 0;
			break;
		case BURROW_ORDER_PARTITION:
			item->ordered = true;
			item->order = 0;
			break;
		case BURROW_ORDER_NONE:
			item->ordered = false;
			item->order = 0;
			break;
	}
}

/* Our copy of the message; size, hsize: of its frame, and of the headers in it. */
static BurrowMessage *
copy_message(BurrowConsumer *c, BurrowPartition *part, const BurrowKafkaMessage *km, BurrowTrackerRef ref,
			 size_t size, size_t hsize)
{
	size_t		total = offsetof(BurrowMessage, frame) + size;
	BurrowMessage *m;
	BurrowMessageHeader *h;

	m = MemoryContextAlloc(c->message_cxt, total);
	m->part = part;
	m->ref = ref;
	m->retry = NULL;
	set_order(c, km, &m->item);
	m->item.alone = false;
	m->item.kind = 0;
	m->item.bytes = (uint32) total;

	h = &m->frame;
	burrow_message_copy(c->kafka, part->queue, km, size, hsize, h);
	h->flags |= m->item.ordered ? BURROW_MESSAGE_ORDERED : 0;
	h->order = m->item.order;
	h->slots = ref.segment->handle;
	h->slot = ref.index;
	return m;
}

/* Where do the other partitions end? */
static void
ask_goals(BurrowConsumer *c)
{
	c->refresh_ends = true;
	c->refreshed_at = c->now;
	c->goals_ask_at = c->now + GOALS_AGAIN_US;
}

/* Nothing behind it is taken; what follows from it, follows when its turn has come. */
static void
set_obstacle(BurrowConsumer *c, BurrowPartition *part, BurrowObstacle *o)
{
	const char *sqlstate = burrow_obstacle_sqlstate(o);
	dlist_iter	iter;

	Assert(part->obstacle == NULL);
	part->obstacle = o;
	o->noticed_at = c->now;
	if (part->behind_since == 0)
		part->behind_since = c->now;
	if (c->obstructed_since == 0)
	{
		c->obstructed_since = c->now;
		ask_goals(c);
		dlist_foreach(iter, &c->parts)
			dlist_container(BurrowPartition, node, iter.cur)->goal = -1;
	}
	burrow_registry_set_error(c->slot, sqlstate, o->message, NULL);
	ereport(LOG,
			(errcode(MAKE_SQLSTATE(sqlstate[0], sqlstate[1], sqlstate[2], sqlstate[3], sqlstate[4])),
			 errmsg("subscription \"%s\" cannot go on in topic \"%s\" partition %d: %s",
					c->sub->name, part->topic, part->partition, o->message),
			 errdetail("What comes before it, and what the other partitions hold now, is handled first.")));
}

/*
 * The queue gave an error instead of a message.  What cannot be read, or is not there, is an
 * obstacle: nothing is skipped silently.  Anything else is trouble of this partition that librdkafka
 * goes on trying to overcome.
 */
static void
take_error(BurrowConsumer *c, BurrowPartition *part, const BurrowKafkaMessage *km)
{
	int64		position = part->tracker.last_offset + 1;
	MemoryContext old = MemoryContextSwitchTo(c->message_cxt);

	if (km->fault == BURROW_KAFKA_FAULT_GAP)
		set_obstacle(c, part, burrow_obstacle_gap(part->topic, part->partition, position));
	else if (km->fault == BURROW_KAFKA_FAULT_DATA)
		set_obstacle(c, part, burrow_obstacle_data(part->topic, part->partition, position, km));
	MemoryContextSwitchTo(old);
	if (part->obstacle != NULL)
		return;
	if (km->fault != BURROW_KAFKA_FAULT_GONE)
	{
		burrow_connection_unfetched(c, part, km);
		return;
	}
	burrow_status_fail(c, "08006",
					   psprintf("topic \"%s\" partition %d: %s",
								part->topic, part->partition, km->text));
	burrow_topic_identity_lose(c, part);
}

/* Does a worker take it?  Not, if it was done before. */
static bool
is_too_large(const BurrowPartition *part, const BurrowKafkaMessage *km, size_t size)
{
	return (size == 0 || !AllocSizeIsValid(offsetof(BurrowMessage, frame) + size)) &&
		km->offset > part->tracker.last_offset && !burrow_offset_set_contains(&part->skip, km->offset);
}

/* Enters a message in the tracker and the scheduler, if it is no obstacle. */
static void
take_message(BurrowConsumer *c, BurrowPartition *part, const BurrowKafkaMessage *km)
{
	BurrowTrackerRef ref;
	BurrowMessage *m;
	BurrowTrackerBegin begun;
	size_t		hsize;
	size_t		size = burrow_message_size(c->kafka, part->queue, km, &hsize);

	if (is_too_large(part, km, size))
	{
		MemoryContext old = MemoryContextSwitchTo(c->message_cxt);

		set_obstacle(c, part, burrow_obstacle_too_large(part->topic, part->partition, km));
		MemoryContextSwitchTo(old);
		return;
	}

	begun = burrow_tracker_begin(&part->tracker, km->offset, &ref);
	/* redelivered after a pause of librdkafka's own */
	if (begun == BURROW_TRACKER_REPEATED)
		return;
	/* room and segment were seen to before the message was taken */
	if (begun != BURROW_TRACKER_TAKEN)
		elog(ERROR, "tracker refused offset " INT64_FORMAT " of topic \"%s\" partition %d",
			 km->offset, part->topic, part->partition);

	burrow_topic_identity_note_message(part, km->offset, km->timestamp_ms);
	((BurrowSegment *) ref.segment)->taken_at[ref.index] = c->now;
	BURROW_COUNT(c->slot, messages_received, 1);

	if (part->skip.nruns > 0 && burrow_offset_set_contains(&part->skip, km->offset))
	{
		/* done before the last restart, say the rows or the commit's metadata */
		burrow_tracker_found_done(&part->tracker, ref);
		burrow_partition_moved(c, part);
		return;
	}

	m = copy_message(c, part, km, ref, size, hsize);
	c->bytes += m->item.bytes;
	BURROW_COUNT(c->slot, bytes_received, km->key_len + km->value_len + m->frame.headers_len);
	burrow_scheduler_add(c->sched, part->sched, &m->item);
}

/*
 * Kafka has said that the partition is not there.  Whatever comes after that is another topic's, or shows
 * that Kafka was mistaken: the next start finds out.
 */
static void
look_at_lost(BurrowConsumer *c, BurrowPartition *part)
{
	BurrowKafkaMessage km;
	BurrowKafkaTake found;

	while ((found = c->kafka->poll_queue(part->queue, &km)) == BURROW_KAFKA_BROKEN)
		;
	c->kafka->discard(part->queue);
	if (found == BURROW_KAFKA_EMPTY)
		set_unreadable(part);
	else
		burrow_status_stop(c, BURROW_STOP_RESTART);
}

/* Whole chunks: they are made of one partition's messages. */
static int
turn_size(const BurrowConsumer *c)
{
	int			batch_size = c->sub->options.batch_size;

	return (INTAKE_TURN + batch_size - 1) / batch_size * batch_size;
}

/*
 * May one more message of the partition be taken?  Not while a commit has no room for what is
 * done beyond its offset; but what was done before a restart may fill it alone, and then only
 * going on makes it less.
 */
static bool
part_has_room(const BurrowPartition *part)
{
	return burrow_tracker_has_room(&part->tracker) &&
		(!part->runs_full || burrow_tracker_depth(&part->tracker) == 0);
}

/* Takes up to a turn of messages from one partition. */
static void
run_part(BurrowConsumer *c, BurrowPartition *part)
{
	BurrowKafkaMessage km;

	if (part->turn == 0)
		part->turn = turn_size(c);
	for (; part->turn > 0 && c->ending == BURROW_STOP_NONE && !part->unknown_to_broker && part->obstacle == NULL && has_room(c); part->turn--)
	{
		bool		room = part_has_room(part);

		if (!room || (burrow_tracker_needs_segment(&part->tracker) && !burrow_segment_add(c, part)))
		{
			part->window_full = !room;
			part->starved = room;
			break;
		}
		part->window_full = part->starved = false;
		switch (c->kafka->poll_queue(part->queue, &km))
		{
			case BURROW_KAFKA_EMPTY:
				set_unreadable(part);
				burrow_lag_queue_empty(part);
				goto done;
			case BURROW_KAFKA_MESSAGE:
				part->last_eof_offset = -1;
				if (part->unfetched_since != 0)
					burrow_connection_fetched(c, part);
				if (part->behind_since == 0)
					part->behind_since = c->now;
				take_message(c, part, &km);
				break;
			case BURROW_KAFKA_END:
				if (part->unfetched_since != 0)
					burrow_connection_fetched(c, part);
				burrow_tracker_note_end(&part->tracker, km.offset);
				part->last_eof_offset = km.offset;
				part->last_eof_at = c->now;
				burrow_partition_moved(c, part);
				break;
			case BURROW_KAFKA_BROKEN:
				take_error(c, part, &km);
				break;
		}
		part->dirty = true;
	}
done:
	/* lets go of the last message, and with it of its fetch response */
	c->kafka->discard(part->queue);
	if (part->dirty)
		burrow_partition_moved(c, part);
}

/*
 * One turn for every readable partition.  A turn that ends because there is no more room
 * goes on when there is: little room at a time would otherwise be shared out among all
 * partitions, and make as many small chunks.
 */
bool
burrow_intake_run(BurrowConsumer *c)
{
	int			turns = 0;
	dlist_node *stop;

	if (!burrow_key_parking_is_known(c))
		return false;
	if (c->segments_again_at <= c->now)
		c->segments_again_at = 0;
	stop = dlist_is_empty(&c->readable) ? NULL : dlist_tail_node(&c->readable);

	while (stop != NULL && c->ending == BURROW_STOP_NONE && has_room(c))
	{
		BurrowPartition *part = dlist_head_element(BurrowPartition, readable_node, &c->readable);
		bool		last = &part->readable_node == stop;

		if (part->state == BURROW_PARTITION_ACTIVE && part->start_acked && !part->seek_pending && !part->unknown_to_broker &&
			part->obstacle == NULL)
		{
			run_part(c, part);
			if (part->readable && part->turn > 0 && !has_room(c))
				break;
			part->turn = 0;
			if (part->readable && !part->window_full && !part->starved)
				turns++;
		}
		else if (part->state == BURROW_PARTITION_ACTIVE && part->unknown_to_broker)
			look_at_lost(c, part);
		/* to the end of the list, so that the others have their turn next time too */
		if (part->readable)
		{
			dlist_delete(&part->readable_node);
			dlist_push_tail(&c->readable, &part->readable_node);
		}
		if (last)
			break;
	}
	return turns > 0 && has_room(c);
}

/* ---- obstacles ---- */

/* That which was met first, of those whose turn has come; *any: there are others, too. */
static BurrowPartition *
first_obstructed(BurrowConsumer *c, bool *any)
{
	BurrowPartition *first = NULL;
	dlist_iter	iter;

	*any = false;
	dlist_foreach(iter, &c->parts)
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (part->obstacle == NULL || part->state != BURROW_PARTITION_ACTIVE)
			continue;
		*any = true;
		if (burrow_tracker_depth(&part->tracker) == 0 &&
			(first == NULL || part->obstacle->noticed_at < first->obstacle->noticed_at))
			first = part;
	}
	return first;
}

/* Is there something to be handled that was there when the obstacle was met? */
static bool
is_behind_goal(BurrowConsumer *c, BurrowPartition *part)
{
	if (part->goal < 0 && part->asked_at >= c->obstructed_since)
		part->goal = part->end_offset;
	if (part->goal >= 0)
		return burrow_tracker_head(&part->tracker) < part->goal;
	/* that nobody tells its end must not keep others waiting */
	return c->now < c->obstructed_since + GOALS_WAIT_US || burrow_tracker_depth(&part->tracker) > 0;
}

/* Have all partitions done what they held? */
static bool
others_are_done(BurrowConsumer *c)
{
	bool		done = true;
	bool		unknown = false;
	dlist_iter	iter;

	dlist_foreach(iter, &c->parts)
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (part->state != BURROW_PARTITION_ACTIVE || part->is_redelivery || part->unknown_to_broker)
			continue;
		if (part->obstacle != NULL || part->unfetched_since != 0)
			done &= burrow_tracker_depth(&part->tracker) == 0;
		else
		{
			done &= !is_behind_goal(c, part);
			unknown |= part->goal < 0;
		}
	}
	if (unknown && !done && c->goals_ask_at <= c->now)
		ask_goals(c);
	return done;
}

static void
store_skip(BurrowConsumer *c, void *arg)
{
	burrow_seek_request_skip(c->subid, c->sub->uuid, arg);
}

/* The option on_gap says so: goes on behind it.  What is lost of a gap is found out at the next start. */
static void
skip_obstacle(BurrowConsumer *c, BurrowPartition *part)
{
	BurrowObstacle *o = part->obstacle;
	BurrowSeek	seek = {part->topic, part->partition, burrow_obstacle_end(o)};

	if (o->kind == BURROW_OBSTACLE_DATA)
	{
		if (!burrow_status_try(c, store_skip, &seek, "skip what cannot be read"))
		{
			o->again_at = c->now + GOALS_AGAIN_US;
			return;
		}
		ereport(WARNING,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("subscription \"%s\" skips %lld offsets of topic \"%s\" partition %d",
						c->sub->name, (long long) (seek.offset - o->offset), part->topic, part->partition),
				 errdetail("%s", o->message)));
		BURROW_COUNT(c->slot, offsets_skipped, seek.offset - o->offset);
	}
	burrow_status_stop(c, BURROW_STOP_RESTART);
}

static void
halt_at_obstacle(BurrowConsumer *c, BurrowPartition *part)
{
	BurrowHalt	halt;
	int64		low = -1;
	int64		end = -1;
	char		text[BURROW_KAFKA_TEXT_MAX];

	if (part->obstacle->kind == BURROW_OBSTACLE_GAP)
	{
		if (!c->kafka->query_bounds(c->metadata_client, part->topic, part->partition, 1000, &low, &end, text))
			low = end = -1;
		burrow_topic_identity_halt_gap(c, part, part->obstacle->offset, low, end);
		return;
	}
	halt = burrow_obstacle_halt(part->obstacle, c->sub->name, part->topic, part->partition);
	burrow_status_halt(c, &halt);
}

bool
burrow_intake_pass_obstacles(BurrowConsumer *c)
{
	BurrowPartition *part;
	bool		any;
	bool		done;
	bool		skips;

	if (c->obstructed_since == 0 || c->ending != BURROW_STOP_NONE)
		return false;
	done = others_are_done(c);
	part = first_obstructed(c, &any);
	if (!any)
		c->obstructed_since = 0;
	if (part == NULL || part->obstacle->again_at > c->now)
		return false;
	skips = c->sub->options.skip_gaps && part->obstacle->kind != BURROW_OBSTACLE_TOO_LARGE;
	if (!skips && !done)
		return false;
	if (!burrow_obstacle_look(part->obstacle, c->kafka, c->metadata_client, part->topic, part->partition))
		return true;
	if (skips && (part->obstacle->kind == BURROW_OBSTACLE_GAP || burrow_obstacle_end(part->obstacle) >= 0))
		skip_obstacle(c, part);
	else
		halt_at_obstacle(c, part);
	return false;
}

/* ---- trouble with fetching ---- */

/* May what the metadata client sees be what the client sees?  Not, while something is left in its queue. */
static bool
is_to_be_looked_at(const BurrowPartition *part)
{
	return part->state == BURROW_PARTITION_ACTIVE && !part->is_redelivery && part->obstacle == NULL &&
		(part->unfetched_since != 0 || (part->suspected && !part->readable));
}

/* The one whose turn it is; sees to when the next one's is. */
static BurrowPartition *
next_to_look_at(BurrowConsumer *c)
{
	BurrowPartition *first = NULL;
	bool		any = false;
	dlist_iter	iter;

	c->fetch_look_at = 0;
	dlist_foreach(iter, &c->parts)
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		any |= part->unfetched_since != 0 || part->suspected;
		if (!is_to_be_looked_at(part))
			continue;
		if (part->look_at > c->now || first != NULL)
			c->fetch_look_at = burrow_earlier(c->fetch_look_at, Max(part->look_at, c->now));
		else
			first = part;
	}
	if (!any)
	{
		/* those that could not be fetched may have been given up */
		c->unfetched = false;
		burrow_status_show(c);
	}
	else if (first == NULL && c->fetch_look_at == 0)
		c->fetch_look_at = c->now + BURROW_PROBE_US;
	return first;
}

/*
 * The answer that is too large would break each connection anew, and all partitions that the broker
 * has would wait for it: so the client leaves that one out until the metadata client gets it.
 */
static void
look_at(BurrowConsumer *c, BurrowPartition *part)
{
	BurrowKafkaMessage m;

	part->look_at = c->now + BURROW_PROBE_US;
	switch (c->kafka->look(c->metadata_client, part->topic, part->partition, part->tracker.last_offset + 1, LOOK_MS, &m))
	{
		case BURROW_KAFKA_EMPTY:
			break;
		case BURROW_KAFKA_BROKEN:
			if (m.fault == BURROW_KAFKA_FAULT_SIZE && !part->paused)
				part->paused = c->kafka->pause(part->queue, true);
			if (m.fault == BURROW_KAFKA_FAULT_SIZE || (part->unfetched_since != 0 &&
													   (m.fault == BURROW_KAFKA_FAULT_PASSING || m.fault == BURROW_KAFKA_FAULT_REFUSED)))
			{
				burrow_connection_unfetched(c, part, &m);
				break;
			}
			/* the client will find it, too */
			/* FALLTHROUGH */
		case BURROW_KAFKA_MESSAGE:
		case BURROW_KAFKA_END:
			part->suspected = false;
			if (part->unfetched_since != 0)
				burrow_connection_fetched(c, part);
			break;
	}
	c->fetch_look_at = burrow_earlier(c->fetch_look_at, part->look_at);
}

void
burrow_intake_look(BurrowConsumer *c)
{
	BurrowPartition *part;

	if (!c->unfetched || c->ending != BURROW_STOP_NONE || c->fetch_look_at > c->now)
		return;
	part = next_to_look_at(c);
	if (part != NULL)
		look_at(c, part);
}

TimestampTz
burrow_intake_next(const BurrowConsumer *c)
{
	TimestampTz next = c->segments_again_at;

	if (c->ending != BURROW_STOP_NONE)
		return 0;
	if (c->obstructed_since != 0)
		next = burrow_earlier(next, c->now + GOALS_AGAIN_US);
	if (c->unfetched)
		next = burrow_earlier(next, c->fetch_look_at);
	return next;
}
