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
#include "catalog/sqlstates.h"
#include "consumer/fetch_trouble.h"
#include "consumer/intake.h"
#include "core/kafka_time.h"
#include "core/offset.h"
#include "dead_letter/key_parking.h"
#include "delivery/retry.h"
#include "offsets/lag.h"
#include "offsets/topic_identity.h"
#include "offsets/topic_watch.h"
#include "partition/context.h"
#include "partition/end.h"
#include "partition/message.h"
#include "partition/partition.h"
#include "partition/question.h"
#include "partition/segment.h"
#include "partition/status.h"

/* Messages taken from one partition before the next has its turn, at least. */
#define INTAKE_TURN		256

/* Where partitions end is asked for again after this, and not waited for for longer than that. */
#define GOALS_AGAIN_US		INT64CONST(1000000)
#define GOALS_WAIT_US		INT64CONST(5000000)

/* Some partition has an obstacle since; 0: none has. */
static TimestampTz obstructed_since;

/* When to ask next where the others end. */
static TimestampTz goals_ask_at;

/* What may still be taken, of all partitions together. */
typedef struct Room
{
	int64		messages;
	int64		bytes;
}			Room;

static inline bool
is_left(const Room * room)
{
	return room->messages > 0 && room->bytes > 0;
}

static Room
room_of(const BurrowConsumer *c)
{
	const BurrowOptions *o = &c->sub->options;

	/*
	 * Only what runs or could run counts in max_inflight: were messages behind a stuck key
	 * counted, or those that wait for their retry, they would fill the pool's place with messages
	 * that cannot run.  They count in bytes and in the window.
	 */
	uint64		runnable = burrow_scheduler_ready(c->sched) + burrow_scheduler_in_hand(c->sched) - burrow_retry_count();

	return (Room) {
		.messages = o->max_inflight - (int64) runnable,
			.bytes = o->max_inflight_bytes - (int64) burrow_partition_bytes(),
	};
}

static bool
has_room(const BurrowConsumer *c)
{
	Room		room = room_of(c);

	return is_left(&room);
}

/*
 * The same, for each message: what was taken since the last look is subtracted, though some of it may wait behind
 * another of its key and take no room.  So it is looked at again where none seems to be left.
 */
static inline bool
still_has_room(const BurrowConsumer *c, Room * room)
{
	if (!is_left(room))
		*room = room_of(c);
	return is_left(room);
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
copy_message(const BurrowConsumer *c, BurrowPartition *part, const BurrowKafkaMessage *km, BurrowTrackerRef ref,
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
ask_goals(const BurrowConsumer *c)
{
	burrow_lag_ask(c);
	goals_ask_at = c->now + GOALS_AGAIN_US;
}

/* Nothing behind it is taken; what follows from it, follows when its turn has come. */
static void
set_obstacle(const BurrowConsumer *c, BurrowPartition *part, BurrowObstacle *o)
{
	const char *sqlstate = burrow_obstacle_sqlstate(o);
	dlist_iter	iter;

	Assert(part->intake.obstacle == NULL);
	part->intake.obstacle = o;
	o->noticed_at = c->now;
	burrow_end_behind(c, &part->end);
	if (obstructed_since == 0)
	{
		obstructed_since = c->now;
		ask_goals(c);
		dlist_foreach(iter, burrow_partition_all())
			dlist_container(BurrowPartition, node, iter.cur)->intake.goal = -1;
	}
	burrow_registry_set_error(c->slot, sqlstate, o->message, NULL);
	ereport(LOG,
			(errcode(burrow_sqlstate_pack(sqlstate)),
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
take_error(const BurrowConsumer *c, BurrowPartition *part, const BurrowKafkaMessage *km)
{
	int64		position = burrow_tracker_position(&part->tracker);
	MemoryContext old = MemoryContextSwitchTo(c->message_cxt);

	if (km->fault == BURROW_KAFKA_FAULT_GAP)
		set_obstacle(c, part, burrow_obstacle_gap(part->topic, part->partition, position));
	else if (km->fault == BURROW_KAFKA_FAULT_DATA)
		set_obstacle(c, part, burrow_obstacle_data(part->topic, part->partition, position, km));
	MemoryContextSwitchTo(old);
	if (part->intake.obstacle != NULL)
		return;
	if (km->fault != BURROW_KAFKA_FAULT_GONE)
	{
		burrow_fetch_trouble_record(c, part, km);
		return;
	}
	burrow_status_fail_kafka(c, BURROW_TROUBLE_TOPIC, BURROW_CAUSE_NO_TOPIC,
							 psprintf("topic \"%s\" partition %d: %s", part->topic, part->partition, km->text));
	burrow_topic_identity_lose(c, part);
}

/* Does a worker take it?  Not, if it was done before. */
static bool
is_too_large(const BurrowPartition *part, const BurrowKafkaMessage *km, size_t size)
{
	return (size == 0 || !AllocSizeIsValid(offsetof(BurrowMessage, frame) + size)) &&
		km->offset > part->tracker.last_offset && !burrow_offset_set_contains(&part->skip, km->offset);
}

static void
record_times(const BurrowConsumer *c, BurrowTrackerRef ref, const BurrowKafkaMessage *km)
{
	BurrowSegment *segment = (BurrowSegment *) ref.segment;

	segment->taken_at[ref.index] = c->now;
	(void) burrow_kafka_time_to_us(km->timestamp_ms, &segment->produced_at[ref.index]);
}

/* Enters a message in the tracker and the scheduler, if it is no obstacle. */
static void
take_message(const BurrowConsumer *c, BurrowPartition *part, const BurrowKafkaMessage *km, Room * room)
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

	burrow_topic_identity_record_message(part, km->offset, km->timestamp_ms);
	record_times(c, ref, km);
	BURROW_COUNT(c->slot, messages_received, 1);

	if (part->skip.nruns > 0 && burrow_offset_set_contains(&part->skip, km->offset))
	{
		/* done before the last restart, say the rows or the commit's metadata */
		burrow_tracker_found_done(&part->tracker, ref);
		burrow_partition_moved(part);
		return;
	}

	m = copy_message(c, part, km, ref, size, hsize);
	burrow_partition_count_message(m);
	room->messages--;
	room->bytes -= m->item.bytes;
	BURROW_COUNT(c->slot, bytes_received, km->key_len + km->value_len + m->frame.headers_len);
	burrow_scheduler_add(c->sched, part->sched, &m->item);
}

/*
 * Kafka has said that the partition is not there.  Whatever comes after that is another topic's, or shows
 * that Kafka was mistaken: the next start finds out.
 */
static void
look_at_lost(const BurrowConsumer *c, BurrowPartition *part)
{
	BurrowKafkaMessage km;
	BurrowKafkaTake found;

	while ((found = c->kafka->poll_queue(part->queue, &km)) == BURROW_KAFKA_BROKEN)
		;
	c->kafka->discard(part->queue);
	if (found == BURROW_KAFKA_EMPTY)
		burrow_partition_set_unreadable(part);
	else
		burrow_status_stop(BURROW_STOP_RESTART);
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
		(!part->merge.no_room || burrow_tracker_depth(&part->tracker) == 0);
}

/* Takes up to a turn of messages from one partition, if it may be read. */
static void
run_part(const BurrowConsumer *c, BurrowPartition *part)
{
	BurrowKafkaMessage km;
	Room		room = room_of(c);
	bool		moved = false;
	bool		stop = false;

	if (part->intake.turn == 0)
		part->intake.turn = turn_size(c);
	for (; part->intake.turn > 0 && !stop && part->intake.obstacle == NULL && still_has_room(c, &room); part->intake.turn--)
	{
		bool		fits = part_has_room(part);

		if (!fits || (burrow_tracker_needs_segment(&part->tracker) && !burrow_segment_add(c, part)))
		{
			part->intake.window_full = !fits;
			part->intake.starved = fits;
			break;
		}
		part->intake.window_full = part->intake.starved = false;
		switch (c->kafka->poll_queue(part->queue, &km))
		{
			case BURROW_KAFKA_EMPTY:
				burrow_partition_set_unreadable(part);
				moved |= burrow_end_queue_empty(&part->end);
				goto done;
			case BURROW_KAFKA_MESSAGE:
				burrow_end_message(c, &part->end);
				if (part->fetch.failing_since != 0)
					burrow_fetch_trouble_over(c, part);
				take_message(c, part, &km, &room);
				break;
			case BURROW_KAFKA_END:
				if (part->fetch.failing_since != 0)
					burrow_fetch_trouble_over(c, part);
				burrow_tracker_record_end(&part->tracker, km.offset);
				burrow_end_reached(c, &part->end, km.offset);
				burrow_partition_moved(part);
				break;
			case BURROW_KAFKA_BROKEN:
				take_error(c, part, &km);
				stop = burrow_status_is_stopping() || part->identity.unknown_to_broker;
				break;
		}
		moved = true;
	}
done:
	/* lets go of the last message, and with it of its fetch response */
	c->kafka->discard(part->queue);
	if (moved || part->dirty)
		burrow_partition_moved(part);
}

/*
 * One turn for every readable partition.  A turn that ends because there is no more room
 * goes on when there is: little room at a time would otherwise be shared out among all
 * partitions, and make as many small chunks.
 */
static bool
take_turns(const BurrowConsumer *c)
{
	dlist_head *readables = burrow_partition_readables();
	int			turns = 0;
	dlist_node *stop;

	stop = dlist_is_empty(readables) ? NULL : dlist_tail_node(readables);

	while (stop != NULL && !burrow_status_is_stopping() && has_room(c))
	{
		BurrowPartition *part = dlist_head_element(BurrowPartition, readable_node, readables);
		bool		last = &part->readable_node == stop;

		if (part->state == BURROW_PARTITION_ACTIVE && part->commit.start_acked && !part->seek.pending && !part->identity.unknown_to_broker &&
			part->intake.obstacle == NULL)
		{
			run_part(c, part);
			if (part->readable && part->intake.turn > 0 && !has_room(c))
				break;
			part->intake.turn = 0;
			if (part->readable && !part->intake.window_full && !part->intake.starved)
				turns++;
		}
		else if (part->state == BURROW_PARTITION_ACTIVE && part->identity.unknown_to_broker)
			look_at_lost(c, part);
		/* to the end of the list, so that the others have their turn next time too */
		if (part->readable)
			burrow_partition_end_turn(part);
		if (last)
			break;
	}
	return turns > 0 && has_room(c);
}

TimestampTz
burrow_intake_run(const BurrowConsumer *c)
{
	bool		more = false;

	if (burrow_key_parking_is_known())
	{
		burrow_segment_look(c);
		more = take_turns(c);
	}
	if (more)
		return c->now;
	return burrow_status_is_stopping() ? 0 : burrow_segment_next();
}

/* ---- obstacles ---- */

/* That which was met first, of those whose turn has come; *any: there are others, too. */
static BurrowPartition *
first_obstructed(const BurrowConsumer *c, bool *any)
{
	BurrowPartition *first = NULL;
	dlist_iter	iter;

	*any = false;
	dlist_foreach(iter, burrow_partition_all())
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (part->intake.obstacle == NULL || part->state != BURROW_PARTITION_ACTIVE)
			continue;
		*any = true;
		if (burrow_tracker_depth(&part->tracker) == 0 &&
			(first == NULL || part->intake.obstacle->noticed_at < first->intake.obstacle->noticed_at))
			first = part;
	}
	return first;
}

/* Is there something to be handled that was there when the obstacle was met? */
static bool
is_behind_goal(const BurrowConsumer *c, BurrowPartition *part)
{
	if (part->intake.goal < 0 && part->end.asked_at >= obstructed_since)
		part->intake.goal = part->end.offset;
	if (part->intake.goal >= 0)
		return burrow_tracker_head(&part->tracker) < part->intake.goal;
	/* that nobody tells its end must not keep others waiting */
	return c->now < obstructed_since + GOALS_WAIT_US || burrow_tracker_depth(&part->tracker) > 0;
}

/* Have all partitions done what they held? */
static bool
others_are_done(const BurrowConsumer *c)
{
	bool		done = true;
	bool		unknown = false;
	dlist_iter	iter;

	dlist_foreach(iter, burrow_partition_all())
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (part->state != BURROW_PARTITION_ACTIVE || part->is_redelivery || part->identity.unknown_to_broker)
			continue;
		if (part->intake.obstacle != NULL || part->fetch.failing_since != 0)
			done &= burrow_tracker_depth(&part->tracker) == 0;
		else
		{
			done &= !is_behind_goal(c, part);
			unknown |= part->intake.goal < 0;
		}
	}
	if (unknown && !done && goals_ask_at <= c->now)
		ask_goals(c);
	return done;
}

static void
store_skip(const BurrowConsumer *c, void *arg)
{
	burrow_seek_request_skip(c->subid, c->sub->uuid, arg);
}

/* The option on_gap says so: goes on behind it.  What is lost of a gap is found out at the next start. */
static void
skip_obstacle(const BurrowConsumer *c, BurrowPartition *part)
{
	BurrowObstacle *o = part->intake.obstacle;
	BurrowSeek	seek = {part->topic, part->partition, burrow_obstacle_end(o)};

	if (o->kind == BURROW_OBSTACLE_DATA)
	{
		if (!burrow_status_try(c, store_skip, &seek, BURROW_TROUBLE_SKIP))
		{
			o->again_at = c->now + GOALS_AGAIN_US;
			return;
		}
		ereport(WARNING,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("subscription \"%s\" skips %lld offsets of topic \"%s\" partition %d",
						c->sub->name, (long long) (burrow_offset_count(o->offset, seek.offset)), part->topic, part->partition),
				 errdetail("%s", o->message)));
		BURROW_COUNT(c->slot, offsets_skipped, burrow_offset_count(o->offset, seek.offset));
	}
	burrow_status_stop(BURROW_STOP_RESTART);
}

static void
halt_at_obstacle(const BurrowConsumer *c, BurrowPartition *part)
{
	const BurrowObstacle *o = part->intake.obstacle;
	BurrowHalt	halt;

	if (o->kind == BURROW_OBSTACLE_GAP)
	{
		burrow_topic_identity_halt_gap(c, part, o->offset, o->log_start, o->log_end);
		return;
	}
	halt = burrow_obstacle_halt(o, c->sub->name, part->topic, part->partition);
	burrow_status_halt(&halt);
}

/*
 * Of another topic it is none: the next start says so.  While it is not known whether the topic is the same the
 * partition waits, and says why; and one that is not there any more is waited for as one.
 */
static bool
is_gap(const BurrowConsumer *c, BurrowPartition *part)
{
	const char *why;

	switch (burrow_topic_watch_look(c, part, part->intake.obstacle->noticed_at, &why))
	{
		case BURROW_TOPIC_SAME:
			if (part->fetch.failing_since != 0)
				burrow_fetch_trouble_over(c, part);
			return true;
		case BURROW_TOPIC_ASKED:
			break;
		case BURROW_TOPIC_UNTOLD:
			burrow_fetch_trouble_record_doubt(c, part, why);
			break;
		case BURROW_TOPIC_GONE:
			burrow_topic_identity_lose(c, part);
			break;
	}
	return false;
}

/* Kafka has said something about where an obstacle ends, if it is still there. */
static void
take_obstacle_answer(const BurrowConsumer *c, const BurrowKafkaEvent *event)
{
	dlist_iter	iter;

	dlist_foreach(iter, burrow_partition_all())
	{
		BurrowObstacle *o = dlist_container(BurrowPartition, node, iter.cur)->intake.obstacle;

		if (o == NULL || o->asked_tag != event->tag)
			continue;
		o->asked_tag = 0;
		burrow_obstacle_take_answer(o, event);
	}
}

/* Is it known where it ends, as far as that can be known?  If not, it is asked for. */
static bool
is_end_known(const BurrowConsumer *c, const BurrowPartition *part)
{
	BurrowObstacle *o = part->intake.obstacle;
	BurrowKafkaQuestion what;
	int64		offset;
	char		text[BURROW_KAFKA_TEXT_MAX];

	if (o->asked_tag != 0)
		return false;
	if (!burrow_obstacle_question(o, &what, &offset))
		return true;
	o->asked_tag = burrow_question_ask_of(c, what, part->topic, part->partition, offset, take_obstacle_answer, text);
	if (o->asked_tag == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not ask what topic \"%s\" partition %d holds: %s", part->topic, part->partition, text)));
	return false;
}

/* Those whose turn has come. */
static void
pass_obstacles(const BurrowConsumer *c)
{
	BurrowPartition *part;
	bool		any;
	bool		done;
	bool		skips;

	done = others_are_done(c);
	part = first_obstructed(c, &any);
	if (!any)
		obstructed_since = 0;
	if (part == NULL || part->intake.obstacle->again_at > c->now)
		return;
	if (part->intake.obstacle->kind == BURROW_OBSTACLE_GAP && !is_gap(c, part))
		return;
	skips = c->sub->options.skip_gaps && part->intake.obstacle->kind != BURROW_OBSTACLE_TOO_LARGE;
	if (!skips && !done)
		return;
	/* what is lost of a gap is found out at the next start */
	if (!(skips && part->intake.obstacle->kind == BURROW_OBSTACLE_GAP) && !is_end_known(c, part))
		return;
	if (skips && (part->intake.obstacle->kind == BURROW_OBSTACLE_GAP || burrow_obstacle_end(part->intake.obstacle) >= 0))
		skip_obstacle(c, part);
	else
		halt_at_obstacle(c, part);
}

TimestampTz
burrow_intake_pass_obstacles(const BurrowConsumer *c)
{
	if (obstructed_since == 0 || burrow_status_is_stopping())
		return 0;
	pass_obstacles(c);
	return obstructed_since == 0 || burrow_status_is_stopping() ? 0 : c->now + GOALS_AGAIN_US;
}
