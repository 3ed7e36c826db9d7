/*
 * topic_identity.c
 *	  Is the topic still the one that we know, and does it hold what comes next?
 *
 * Runs in: the consumer, at an assignment, when all starts are known.
 *
 * A position is a number, and says nothing about the log that it belongs to.  A topic
 * that was deleted and made anew under its name, or a log that lost its end, would have
 * messages skipped or read again without anybody knowing.  What shows it: the topic's id,
 * where Kafka tells it; a position beyond the log's end; and a message that we know, with another
 * timestamp than it had.  So the id is kept with the position (burrow.topic_identity), and the
 * offset and timestamp of the last message that was taken (burrow.progress, seen_offset and
 * seen_time).  The second and the third are also about a log that has lost its end, whose
 * topic has the same id.  Where that message is gone, by retention or compaction, and no id is
 * told, nothing can be said, and the position is believed.
 *
 * A position below the log's start is a gap: retention was faster.  With on_gap => skip it
 * goes on where the log begins.
 *
 * Positions that are new are not looked at: start_from and burrow.seek() say what is
 * wanted now.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "core/kafka_time.h"
#include "core/offset.h"
#include "offsets/gap.h"
#include "offsets/lookup.h"
#include "offsets/seek.h"
#include "offsets/topic_identity.h"
#include "offsets/topic_watch.h"
#include "partition/context.h"
#include "partition/end.h"
#include "partition/partition.h"
#include "partition/status.h"

/* A topic that is missing for so long was deleted: a broker that has just started may not
 * know of it yet. */
#define MISSING_US			INT64CONST(10000000)

/* The message that was taken last is stored at least so often; retention is slower. */
#define SEEN_STALE_US		INT64CONST(600000000)

/* The topic is not there; 0: Kafka has it, or it was not looked at. */
static TimestampTz missing_since;

/* One that was lost; "": none. */
static char missing_topic[BURROW_TOPIC_MAX + 1];

bool
burrow_topic_identity_is_missing(void)
{
	return missing_since != 0;
}

/* Does the partition's start come from before?  What its log holds is known. */
static bool
is_old(const BurrowConsumer *c, const BurrowPartition *part)
{
	return burrow_lookup_is_due(c, part, BURROW_STEP_COMPARE) && part->start.resumed;
}

bool
burrow_topic_identity_wants_bounds(const BurrowPartition *part)
{
	return part->start.resumed || part->seek.given;
}

void
burrow_topic_identity_set_bounds(BurrowPartition *part, int64 log_start, int64 end)
{
	part->identity.log_start_offset = log_start;
	burrow_end_set(&part->end, end);
}

bool
burrow_topic_identity_is_comparable(const BurrowConsumer *c, const BurrowPartition *part)
{
	return is_old(c, part) && part->identity.last_read_offset >= 0 && part->identity.last_read_timestamp != BURROW_KAFKA_NO_TIME && part->identity.last_read_offset >= part->identity.log_start_offset;
}

int64
burrow_topic_identity_seen(const BurrowPartition *part)
{
	return part->identity.last_read_offset;
}

/* What is known of the log belongs to another one: all of this one is new.  seeks: the same is true of other
 * partitions; NULL: of this one alone. */
static void
halt(const BurrowConsumer *c, const BurrowPartition *part, int64 offset, const char *message, const char *detail,
	 const char *seeks)
{
	BurrowHalt	halt = {
		.topic = part->topic,
		.partition = part->partition,
		.offset = offset,
		.sqlstate = "55000",
		.message = message,
		.detail = detail,
		.hint = BURROW_HINT_SEEK,
		.remedy = seeks != NULL ? BURROW_REMEDY_SEEK_SOME : BURROW_REMEDY_SEEK,
		.seek_to = part->identity.log_start_offset,
		.seeks = seeks,
	};

	burrow_status_halt(&halt);
}

void
burrow_topic_identity_compare(const BurrowConsumer *c, const BurrowPartition *part, int64 timestamp_ms)
{
	if (timestamp_ms != BURROW_KAFKA_NO_TIME && timestamp_ms != part->identity.last_read_timestamp)
		halt(c, part, part->start.offset,
			 psprintf("topic \"%s\" partition %d was made anew", part->topic, part->partition),
			 psprintf("The message at offset %lld has timestamp %lld, and had %lld when it was read.",
					  (long long) part->identity.last_read_offset, (long long) timestamp_ms,
					  (long long) part->identity.last_read_timestamp),
			 NULL);
}

static bool
is_of_another_topic(const BurrowConsumer *c, const BurrowPartition *part)
{
	return is_old(c, part) && burrow_topic_id_differs(&part->topic_id.now, &part->identity.kept_topic_id);
}

/* All positions in this topic that are of another one, to where the logs begin; NULL: there is one only. */
static const char *
seeks_of_topic(const BurrowConsumer *c, const char *topic)
{
	StringInfoData seeks;
	dlist_iter	iter;
	int			n = 0;

	initStringInfo(&seeks);
	dlist_foreach(iter, burrow_partition_all())
	{
		const BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (strcmp(part->topic, topic) == 0 && is_of_another_topic(c, part))
			appendStringInfo(&seeks, "%s(%d, %lld)", n++ > 0 ? ", " : "", part->partition,
							 (long long) part->identity.log_start_offset);
	}
	return n > 1 ? seeks.data : NULL;
}

/* The position is of another topic, and so are most likely those in its other partitions. */
static void
check_id(const BurrowConsumer *c, BurrowPartition *part)
{
	if (is_of_another_topic(c, part))
		halt(c, part, part->start.offset,
			 psprintf("topic \"%s\" partition %d was made anew", part->topic, part->partition),
			 psprintf("The topic's id is %s, and was %s when it was read.",
					  part->topic_id.now.text, part->identity.kept_topic_id.text),
			 seeks_of_topic(c, part->topic));
}

/* The log ends before what we know of it. */
static void
check_end(const BurrowConsumer *c, BurrowPartition *part)
{
	int64		known = Max(part->start.offset, burrow_offset_after(part->identity.last_read_offset));

	if (known > part->end.offset && !burrow_topic_watch_doubts(c, part))
		halt(c, part, part->start.offset,
			 psprintf("offset %lld of topic \"%s\" partition %d is beyond its end",
					  (long long) known, part->topic, part->partition),
			 psprintf("The topic was made anew or has lost messages: this partition ends at offset %lld.",
					  (long long) part->end.offset),
			 NULL);
}

void
burrow_topic_identity_halt_gap(const BurrowConsumer *c, const BurrowPartition *part, int64 position, int64 low, int64 end)
{
	BurrowHalt	halt = burrow_gap_halt(part->topic, part->partition, position,
									   low >= 0 ? burrow_gap_bounds_text(low, end) : NULL);

	/* where they are not known, the next start finds them out */
	if (low >= 0)
	{
		halt.remedy = BURROW_REMEDY_SEEK;
		/* below the position it would be another log, of which nothing is done */
		halt.seek_to = low > position ? burrow_offset_set_next_missing(&part->skip, low) : low;
	}
	burrow_status_halt(&halt);
}

/* With on_gap => skip start.c goes on where it begins. */
void
burrow_topic_identity_check_start(const BurrowConsumer *c, BurrowPartition *part)
{
	if (!burrow_status_is_stopping() && part->start.resumed && part->start.offset < part->identity.log_start_offset &&
		!c->sub->options.skip_gaps && !burrow_topic_watch_doubts(c, part))
		burrow_topic_identity_halt_gap(c, part, part->start.offset, part->identity.log_start_offset, part->end.offset);
}

/* Calls check() for those that are wanted, until one halts. */
static void
check_each(const BurrowConsumer *c, BurrowLookupFilter is_wanted, void (*check) (const BurrowConsumer *c, BurrowPartition *part))
{
	dlist_iter	iter;

	dlist_foreach(iter, burrow_partition_all())
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (!burrow_status_is_stopping() && is_wanted(c, part))
			check(c, part);
	}
}

static bool
is_given(const BurrowConsumer *c, const BurrowPartition *part)
{
	return burrow_lookup_is_due(c, part, BURROW_STEP_COMPARE) && part->seek.given;
}

void
burrow_topic_identity_check(const BurrowConsumer *c)
{
	check_each(c, is_given, burrow_seek_check_bounds);
	check_each(c, is_old, check_id);
	check_each(c, is_old, check_end);
}

/* A position that does not go on from one that was kept has the id of now, or none. */
static BurrowTopicId
id_to_keep(const BurrowPartition *part)
{
	return burrow_topic_id_to_keep(&part->topic_id.now, &part->identity.kept_topic_id);
}

bool
burrow_topic_identity_is_kept(const BurrowPartition *part, const BurrowTopicId *kept)
{
	BurrowTopicId id = id_to_keep(part);

	return strcmp(id.text, kept->text) == 0;
}

void
burrow_topic_identity_fill(const BurrowPartition *part, BurrowPosition *position)
{
	position->last_read_offset = part->identity.last_read_offset;
	position->last_read_timestamp = part->identity.last_read_timestamp;
	position->topic_id = id_to_keep(part);
	position->has_new_id = strcmp(position->topic_id.text, part->identity.kept_topic_id.text) != 0;
}

void
burrow_topic_identity_load(BurrowPartition *part, const BurrowPosition *row)
{
	burrow_topic_identity_record_message(part, row->last_read_offset, row->last_read_timestamp);
	if (part->start.resumed)
		part->identity.kept_topic_id = row->topic_id;
}

void
burrow_topic_identity_stored(const BurrowConsumer *c, BurrowPartition *part)
{
	part->identity.stored_at = c->now;
	part->identity.kept_topic_id = id_to_keep(part);
}

bool
burrow_topic_identity_is_stale(const BurrowConsumer *c, const BurrowPartition *part)
{
	return part->identity.stored_at + SEEN_STALE_US <= c->now;
}

/* ---- a topic that is not there ---- */

static void
look_for_position(const BurrowConsumer *c, void *arg)
{
	bool	   *found = arg;

	*found = burrow_position_exists(c->subid, c->sub->topic);
}

/* It was there, if we have a position in it.  False also if that cannot be read now: it is looked for again. */
static bool
was_there(const BurrowConsumer *c)
{
	bool		was = false;

	return burrow_status_try(c, look_for_position, &was, BURROW_TROUBLE_READ_POSITIONS) && was;
}

void
burrow_topic_identity_lose(const BurrowConsumer *c, BurrowPartition *part)
{
	if (part->identity.unknown_to_broker)
		return;
	part->identity.unknown_to_broker = true;
	/* one is looked for at a time: the first */
	if (missing_topic[0] != '\0')
		return;
	missing_since = c->now;
	burrow_status_set_probe(c->now + BURROW_SUSPECT_US);
	strlcpy(missing_topic, part->topic, sizeof(missing_topic));
}

const char *
burrow_topic_identity_wanted_topic(const BurrowConsumer *c)
{
	return missing_topic[0] != '\0' ? missing_topic : c->sub->topic;
}

/*
 * A topic of a regular expression has been missing for so long that it was deleted: nobody waits for
 * its partitions any more, though they stay assigned until librdkafka looks at all topics again.  If others
 * were lost meanwhile, they are looked for next.
 */
static void
forget_topic(const BurrowConsumer *c)
{
	const BurrowPartition *next = NULL;
	dlist_iter	iter;

	dlist_foreach(iter, burrow_partition_all())
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (!part->identity.unknown_to_broker || part->slot < 0 || burrow_partitions[part->slot].gone)
			continue;
		if (strcmp(part->topic, missing_topic) != 0)
			next = part;
		else
			burrow_partitions_set_gone(part->slot);
	}
	missing_since = next != NULL ? c->now : 0;
	strlcpy(missing_topic, next != NULL ? next->topic : "", sizeof(missing_topic));
}

/*
 * A topic that is missing is waited for, because it may be made yet; one that we have
 * read from was deleted.  Topics of a regular expression come and go.  One that has come
 * back may be another one, which the assignment after a new start finds out.
 */
void
burrow_topic_identity_record_topic(const BurrowConsumer *c, int partitions)
{
	bool		is_pattern = c->sub->topic[0] == '^';

	if (partitions > 0)
	{
		if (missing_since != 0 && c->client != NULL && (!is_pattern || missing_topic[0] != '\0'))
			burrow_status_stop(BURROW_STOP_RESTART);
		missing_since = 0;
		missing_topic[0] = '\0';
	}
	else if (missing_since == 0)
		missing_since = c->now;
	else if (missing_since + MISSING_US > c->now)
		return;
	else if (is_pattern)
		forget_topic(c);
	else if (was_there(c))
	{
		BurrowHalt	halt = {
			.topic = c->sub->topic,
			.partition = -1,
			.offset = -1,
			.sqlstate = "42704",
			.message = psprintf("topic \"%s\" does not exist any more", c->sub->topic),
			.remedy = BURROW_REMEDY_SEEK_BEGINNING,
			.hint = "Make it anew and use burrow.seek() to say where to go on, or use burrow.unsubscribe().",
		};

		burrow_status_halt(&halt);
	}
}
