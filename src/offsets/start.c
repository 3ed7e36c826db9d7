/*
 * start.c
 *	  Where the partitions of an assignment start.
 *
 * Runs in: the consumer.
 *
 * The group's committed offsets are asked for, the database's rows are read, and
 * core/start_position decides where each partition starts.  What remains to be looked up
 * (the log's start or end, a time) is asked of the broker, and so is what the log holds.  Then the starts are stored:
 * one row a partition, in place of those that the workers left.  No worker has a message
 * of the partition now, so nobody writes one.  A change of delivery needs no more than
 * that: rows say the same in both modes.
 *
 * Nothing waits for an answer: it is an event, and the messages of other partitions go on meanwhile.  An answer
 * counts for those partitions that still wait for it, by its tag.
 *
 * Everything is asked for many partitions at once and decided for each: one that has no
 * answer (it has no leader, its broker is away, Kafka has not heard of it yet) is stuck and
 * asked for again by itself, and the others go on.  Two things are done for all at the same
 * time, and wait for all: what start_from says other than "earliest", because a partition
 * that is found after others were stored counts as new, and starts at its beginning; and a
 * seek by time, which becomes offsets once.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "utils/memutils.h"

#include "catalog/done_set.h"
#include "catalog/start_from.h"
#include "core/offset.h"
#include "offsets/gap.h"
#include "offsets/lookup.h"
#include "offsets/offset_commit.h"
#include "offsets/positions.h"
#include "offsets/seek.h"
#include "offsets/start.h"
#include "offsets/start_choice.h"
#include "offsets/topic_identity.h"
#include "offsets/topic_watch.h"
#include "partition/context.h"
#include "partition/named_partitions.h"
#include "partition/partition.h"
#include "partition/question.h"
#include "partition/status.h"
#include "runtime/crash_point.h"

/* The subscription's option. */
static BurrowStartFrom start_from;

void
burrow_start_init(const BurrowSubscription *sub)
{
	burrow_start_from_parse(&burrow_options[BURROW_OPTION_START_FROM], sub->options.start_from, &start_from);
}

static void
set_back(BurrowPartition *part, BurrowStartStep step, TimestampTz at)
{
	part->start.step = step;
	burrow_lookup_wait(part, at);
}

/* ---- the group's offsets ---- */

static void fetched(const BurrowConsumer *c, const BurrowKafkaEvent *event);

/* An epoch that is over must be so for the workers too. */
static bool
wants_offset(const BurrowConsumer *c, const BurrowPartition *part)
{
	return burrow_lookup_is_due(c, part, BURROW_STEP_ASK) && part->topic_id.identified &&
		!burrow_partition_has_straggler(part);
}

static void
ask(const BurrowConsumer *c)
{
	BurrowKafkaList *list = burrow_lookup_list(c, wants_offset, burrow_lookup_start);
	char		text[BURROW_KAFKA_TEXT_MAX];
	uint64		tag = list->n > 0 ? burrow_question_ask_committed(c, list, fetched, text) : 0;

	if (tag != 0)
		burrow_lookup_set_asked(c, wants_offset, tag);
	else if (list->n > 0)
		burrow_lookup_put_off(c, wants_offset, "could not ask for committed offsets", text);
	c->kafka->list_free(list);
}

/* Decides where one partition starts. */
static void
locate(const BurrowConsumer *c, BurrowPartition *part, const BurrowKafkaTopicPartition *item,
	   const BurrowPosition *row, bool group_has_others, const BurrowLogBounds *log)
{
	int64		low = row->low;
	BurrowOffsetSet done;
	BurrowStartChoice choice;
	BurrowStartPosition start;

	if (burrow_seek_locate(part, &part->start.offset, &part->start.located))
		return;
	burrow_done_set_init(&done);
	choice = burrow_start_choice_decide(c->sub, &start_from, item, row, group_has_others, log, &done);
	burrow_partition_skip(part, &done);
	burrow_offset_set_reset(&done);
	BURROW_COUNT(c->slot, claims_refused, choice.refused);
	if (choice.refused > 0)
		ereport(LOG,
				(errmsg("subscription \"%s\": what is committed for topic \"%s\" partition %d claims that offsets are done which the topic does not hold",
						c->sub->name, part->topic, part->partition),
				 errdetail("%zu ranges of offsets were not believed. %s", choice.refused,
						   burrow_gap_bounds_text(log->low, log->end))));

	start = choice.decided;
	part->start.located = choice.located;
	if (start.decision == BURROW_START_HALT)
	{
		BurrowHalt	halt = burrow_start_choice_behind(part->topic, part->partition, item->offset, low);

		burrow_status_halt(&halt);
	}
	else
		part->start.offset = choice.start;
	if (start.log)
		ereport(LOG,
				(errmsg("subscription \"%s\": topic \"%s\" partition %d starts at offset %lld of Kafka's",
						c->sub->name, part->topic, part->partition, (long long) start.offset),
				 low >= 0 ? errdetail("The database's position was %lld.", (long long) low) :
				 errdetail("The database has no position.")));

	part->start.resumed = start.offset >= 0;
	part->start.with_others = start.decision == BURROW_START_BY_OPTION && !part->start.located &&
		part->start.offset != BURROW_KAFKA_EARLIEST;
	burrow_topic_identity_load(part, row);

	/* Kafka and the database say so already? */
	part->start.stored = row->alone && low == part->start.offset && row->done.nruns == 0 && part->skip.nruns == 0 &&
		burrow_topic_identity_is_kept(part, &row->topic_id);
	part->start.told = Max(item->offset, 0);
	part->start.rows_lsn = low >= 0 ? PG_UINT64_MAX : 0;
	if (part->start.located && item->offset <= part->start.offset &&
		choice.commit == (c->sub->options.delivery == BURROW_EXACTLY_ONCE ?
						  BURROW_START_COMMIT_OWN_EXACTLY_ONCE : BURROW_START_COMMIT_OWN_AT_LEAST_ONCE))
		burrow_offset_commit_found(part, item->offset);
}

/*
 * The group's committed offsets, and what is learned beside them until the starts can be decided.  All of it,
 * and copies of what the answer held, are in a memory context of its own.
 */
typedef struct Commits
{
	slist_node	node;			/* in waiting_for_logs */
	MemoryContext cxt;
	uint64		tag;			/* for which the partitions wait */
	uint64		logs_tag;		/* of the question for what their logs hold */
	BurrowKafkaList list;
	BurrowPosition *rows;		/* one for each */
	bool		others;			/* the subscription has rows, of these partitions or others */
} Commits;

static slist_head waiting_for_logs = SLIST_STATIC_INIT(waiting_for_logs);

static Commits *
commits_new(const BurrowKafkaEvent *event)
{
	MemoryContext cxt = AllocSetContextCreate(TopMemoryContext, "burrow committed offsets", ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(cxt);
	Commits    *commits = palloc0(sizeof(Commits));
	const BurrowKafkaList *list = &event->list;

	commits->cxt = cxt;
	commits->tag = event->tag;
	commits->list.n = list->n;
	commits->list.items = palloc(sizeof(BurrowKafkaTopicPartition) * Max(list->n, 1));
	commits->rows = palloc0(sizeof(BurrowPosition) * Max(list->n, 1));
	for (int i = 0; i < list->n; i++)
	{
		BurrowKafkaTopicPartition *item = &commits->list.items[i];

		*item = list->items[i];
		item->topic = pstrdup(item->topic);
		if (item->metadata != NULL)
			item->metadata = memcpy(palloc(item->metadata_len + 1), item->metadata, item->metadata_len);
		commits->rows[i].topic = item->topic;
		commits->rows[i].partition = item->partition;
	}
	MemoryContextSwitchTo(caller);
	return commits;
}

static void
read_rows(const BurrowConsumer *c, void *arg)
{
	Commits    *commits = arg;

	MemoryContextSwitchTo(commits->cxt);
	burrow_position_load(c->subid, commits->rows, commits->list.n);
	commits->others = burrow_position_exists(c->subid, NULL);
}

/* All is known that the starts are decided from; bounds: of those commits that make claims. */
static void
locate_all(const BurrowConsumer *c, const Commits *commits, const BurrowKafkaList *bounds)
{
	const BurrowKafkaList *list = &commits->list;
	const char **errors = palloc(sizeof(char *) * Max(list->n, 1));
	BurrowLogBounds *logs = burrow_start_choice_logs(list, bounds, errors);

	burrow_status_kafka_answered(c);
	burrow_status_over(c, BURROW_TROUBLE_MEMBER);
	burrow_status_over(c, BURROW_TROUBLE_START);

	for (int i = 0; i < list->n; i++)
	{
		const BurrowKafkaTopicPartition *item = &list->items[i];
		BurrowPartition *part = burrow_lookup_answered(item, commits->tag);

		if (part == NULL)
			continue;
		if (item->error != 0)
			burrow_lookup_stick(c, part, "could not get the committed offset", item->error_text);
		else if (errors[i] != NULL)
			burrow_lookup_stick(c, part, "could not look up what the partition holds", errors[i]);
		else
		{
			/* a partition that comes later than the first is new: none of it may be missed */
			locate(c, part, item, &commits->rows[i], commits->others, &logs[i]);
			set_back(part, part->start.located ? BURROW_STEP_CHECK : BURROW_STEP_LOOK_UP, 0);
		}
	}
	(void) burrow_lookup_again(c, commits->tag);
}

/* What the logs hold has come, perhaps for an assignment that is over. */
static void
logs_told(const BurrowConsumer *c, const BurrowKafkaEvent *event)
{
	slist_mutable_iter iter;

	slist_foreach_modify(iter, &waiting_for_logs)
	{
		Commits    *commits = slist_container(Commits, node, iter.cur);

		if (commits->logs_tag != event->tag)
			continue;
		slist_delete_current(&iter);
		if (event->error != 0)
			burrow_lookup_fail(c, commits->tag, BURROW_CAUSE_NO_ANSWER, "could not look up what the topic holds", event->text);
		else
			locate_all(c, commits, &event->list);
		MemoryContextDelete(commits->cxt);
		return;
	}
}

/* The rows are read after the commits, and what the logs hold is asked for after both.  True: it is asked for,
 * and the commits are kept until then. */
static bool
go_on_from_commits(const BurrowConsumer *c, Commits *commits)
{
	BurrowKafkaList *claims;
	char		text[BURROW_KAFKA_TEXT_MAX] = "out of memory";

	if (!burrow_status_try(c, read_rows, commits, BURROW_TROUBLE_READ_POSITIONS))
	{
		(void) burrow_lookup_again(c, commits->tag);
		return false;
	}
	claims = burrow_start_choice_claims(c->kafka, c->sub, &commits->list, commits->rows);
	if (claims != NULL && claims->n == 0)
	{
		locate_all(c, commits, claims);
		c->kafka->list_free(claims);
		return false;
	}
	if (claims != NULL)
		commits->logs_tag = burrow_question_ask(c, BURROW_KAFKA_ASK_BOUNDS, claims, logs_told, text);
	if (commits->logs_tag == 0)
	{
		burrow_lookup_fail(c, commits->tag, BURROW_CAUSE_NO_ANSWER, "could not look up what the topic holds", text);
		return false;
	}
	slist_push_head(&waiting_for_logs, &commits->node);
	return true;
}

/* The group's committed offsets have come, perhaps for an assignment that is over. */
static void
fetched(const BurrowConsumer *c, const BurrowKafkaEvent *event)
{
	Commits    *commits;

	if (event->error != 0)
	{
		burrow_lookup_fail(c, event->tag, event->cause, "could not get committed offsets", event->text);
		return;
	}
	commits = commits_new(event);
	if (!go_on_from_commits(c, commits))
		MemoryContextDelete(commits->cxt);
}

/* ---- the brokers' answers ---- */

static bool
is_beyond(const BurrowKafkaTopicPartition *item)
{
	return item->beyond;
}

/* Who asked for a time learns where there was none: not to be found does not mean that it is not there. */
static void
report_times_beyond_end(const BurrowConsumer *c, const BurrowKafkaList *list)
{
	int			n = 0;

	for (int i = 0; i < list->n; i++)
		n += is_beyond(&list->items[i]) ? 1 : 0;
	if (n > 0)
		ereport(LOG,
				(errmsg("subscription \"%s\": Kafka finds no message at or after the time in %d of %d partitions, which start at their end",
						c->sub->name, n, list->n),
				 errdetail("%s What is behind a transaction that is open is not found.  Such a partition starts where the oldest open transaction does: nothing is skipped, and older messages may be handled.",
						   burrow_named_partitions(list, is_beyond))));
}

/* What an answer says of one partition. */
typedef void (*TakeItem) (const BurrowConsumer *c, BurrowPartition *part, const BurrowKafkaTopicPartition *item);

/* Each partition that still waits for the answer takes what it says of it.  all, one: what could not be done, if it says nothing. */
static void
take_each(const BurrowConsumer *c, const BurrowKafkaEvent *event, const char *all, const char *one, TakeItem take)
{
	if (event->error != 0)
	{
		burrow_lookup_fail(c, event->tag, BURROW_CAUSE_NO_ANSWER, all, event->text);
		return;
	}
	for (int i = 0; i < event->list.n; i++)
	{
		const BurrowKafkaTopicPartition *item = &event->list.items[i];
		BurrowPartition *part = burrow_lookup_answered(item, event->tag);

		if (part == NULL)
			continue;
		if (item->error != 0)
			burrow_lookup_stick(c, part, one, item->error_text);
		else
			take(c, part, item);
	}
}

static bool
wants_look_up(const BurrowConsumer *c, const BurrowPartition *part)
{
	return burrow_lookup_is_due(c, part, BURROW_STEP_LOOK_UP);
}

static void
take_start(const BurrowConsumer *c, BurrowPartition *part, const BurrowKafkaTopicPartition *item)
{
	part->start.offset = item->offset;
	part->start.located = true;
	part->start.step = BURROW_STEP_CHECK;
}

/* The log's starts or ends, or offsets by time, have come. */
static void
looked_up(const BurrowConsumer *c, const BurrowKafkaEvent *event)
{
	if (event->error == 0)
		report_times_beyond_end(c, &event->list);
	take_each(c, event, "could not look up starting offsets", "could not look up the starting offset", take_start);
}

static bool
wants_bounds(const BurrowConsumer *c, const BurrowPartition *part)
{
	return burrow_lookup_is_due(c, part, BURROW_STEP_CHECK) && burrow_topic_identity_wants_bounds(part);
}

static void
take_bounds(const BurrowConsumer *c, BurrowPartition *part, const BurrowKafkaTopicPartition *item)
{
	burrow_topic_identity_set_bounds(part, item->log_start, item->offset);
	part->start.step = BURROW_STEP_COMPARE;
}

/* What the logs hold has come. */
static void
bounded(const BurrowConsumer *c, const BurrowKafkaEvent *event)
{
	take_each(c, event, "could not look up what the topic holds", "could not look up what the partition holds", take_bounds);
}

/* A start that somebody wants now, and did not give as a number, may be anywhere. */
static void
leave_unchecked(const BurrowConsumer *c)
{
	dlist_iter	iter;

	dlist_foreach(iter, burrow_partition_all())
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (burrow_lookup_is_due(c, part, BURROW_STEP_CHECK) && !burrow_topic_identity_wants_bounds(part))
			part->start.step = BURROW_STEP_KNOWN;
	}
}

/* The option on_gap says so: goes on where the log begins. */
static void
skip_gap(const BurrowConsumer *c, BurrowPartition *part)
{
	int64		from = part->start.offset;
	int64		n = 0;

	/* what is done beyond the start is not given up */
	for (size_t i = 0; i < part->skip.nruns && part->skip.runs[i].first < part->identity.log_start_offset; i++)
	{
		n += burrow_offset_count(from, part->skip.runs[i].first);
		from = Min(burrow_offset_after(part->skip.runs[i].last), part->identity.log_start_offset);
	}
	n += burrow_offset_count(from, part->identity.log_start_offset);
	ereport(WARNING,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("subscription \"%s\" skips %lld offsets of topic \"%s\" partition %d",
					c->sub->name, (long long) n, part->topic, part->partition),
			 errdetail("The next one was %lld, and the topic begins at offset %lld of this partition.",
					   (long long) part->start.offset, (long long) part->identity.log_start_offset)));
	BURROW_COUNT(c->slot, offsets_skipped, n);
	part->start.offset = burrow_offset_set_next_missing(&part->skip, part->identity.log_start_offset);
	burrow_partition_forget_skipped(part, part->start.offset);
	part->start.stored = false;
	burrow_offset_commit_forget(part);
	/* of what the topic does not hold, nothing can be lost any more */
	part->start.told = Max(part->start.told, part->identity.log_start_offset);
}

/* Does the log begin after what comes next, and is that not to be waited for? */
static bool
begins_in_gap(const BurrowConsumer *c, const BurrowPartition *part)
{
	return part->start.resumed && part->start.offset < part->identity.log_start_offset &&
		c->sub->options.skip_gaps && !burrow_status_is_stopping();
}

/* All that could be found out about the log is known. */
static void
finish_check(const BurrowConsumer *c, BurrowPartition *part)
{
	burrow_topic_identity_check_start(c, part);
	/* is the log another one, or has it a gap? */
	if (!part->topic_id.identified || (begins_in_gap(c, part) && burrow_topic_watch_doubts(c, part)))
	{
		part->start.step = BURROW_STEP_ASK;
		return;
	}
	if (begins_in_gap(c, part))
		skip_gap(c, part);
	part->start.step = BURROW_STEP_KNOWN;
}

static void
take_timestamp(const BurrowConsumer *c, BurrowPartition *part, const BurrowKafkaTopicPartition *item)
{
	burrow_topic_identity_compare(c, part, item->offset);
	finish_check(c, part);
}

/* What time the messages have that were taken last has come. */
static void
compared(const BurrowConsumer *c, const BurrowKafkaEvent *event)
{
	take_each(c, event, "could not look up what the topic holds", "could not read what was read before", take_timestamp);
}

/* What the logs hold is known: do they go on from where we were? */
static void
check(const BurrowConsumer *c)
{
	dlist_iter	iter;

	burrow_topic_identity_check(c);
	if (burrow_status_is_stopping())
		return;
	burrow_lookup_ask(c, BURROW_KAFKA_ASK_TIMESTAMPS, burrow_topic_identity_is_comparable, burrow_topic_identity_seen,
					  compared, "could not look up what the topic holds");
	dlist_foreach(iter, burrow_partition_all())
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (burrow_lookup_is_due(c, part, BURROW_STEP_COMPARE))
			finish_check(c, part);

		/*
		 * one that has no answer is asked for anew, with what its log holds then, or from the
		 * beginning
		 */
		else if (part->state == BURROW_PARTITION_RESOLVING_START && part->start.step == BURROW_STEP_COMPARE &&
				 part->lookup.asked_tag == 0)
			part->start.step = part->topic_id.identified ? BURROW_STEP_CHECK : BURROW_STEP_ASK;
	}
}

/* ---- storing ---- */

/* Does the part have to wait for this other one? */
static bool
waits_for(const BurrowConsumer *c, const BurrowPartition *part, const BurrowPartition *other)
{
	if (other->state != BURROW_PARTITION_RESOLVING_START || other->start.step >= BURROW_STEP_KNOWN)
		return false;
	if (burrow_seek_has_time())
		return true;
	return part->start.with_others && (other->start.step < BURROW_STEP_LOOK_UP || other->start.with_others);
}

static bool
waits_for_others(const BurrowConsumer *c, const BurrowPartition *part)
{
	dlist_iter	iter;

	if (!burrow_seek_has_time() && !part->start.with_others)
		return false;
	dlist_foreach(iter, burrow_partition_all())
		if (waits_for(c, part, dlist_container(BurrowPartition, node, iter.cur)))
		return true;
	return false;
}

static bool
may_be_stored(const BurrowConsumer *c, const BurrowPartition *part)
{
	return burrow_lookup_is_due(c, part, BURROW_STEP_KNOWN) && !waits_for_others(c, part);
}

/* Those that are to be stored now; an array that has room for all parts. */
static int
choose(const BurrowConsumer *c, BurrowPartition ***chosen)
{
	dlist_iter	iter;
	int			n = 0;

	*chosen = palloc(sizeof(BurrowPartition *) * Max(burrow_partition_count_resolving(), 1));
	dlist_foreach(iter, burrow_partition_all())
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (may_be_stored(c, part))
			(*chosen)[n++] = part;
	}
	return n;
}

/* The starts of these go into the database.  False: not now. */
static bool
store(const BurrowConsumer *c, BurrowPartition **parts, int nparts)
{
	BurrowPosition *positions = palloc(sizeof(BurrowPosition) * nparts);
	int			n = 0;

	if (!burrow_seek_fix_time(c))
		return false;
	BURROW_CRASH_POINT("before start is stored");
	for (int i = 0; i < nparts; i++)
	{
		if (parts[i]->start.stored)
			continue;
		positions[n].topic = parts[i]->topic;
		positions[n].partition = parts[i]->partition;
		positions[n].low = parts[i]->start.offset;
		burrow_topic_identity_fill(parts[i], &positions[n]);
		positions[n++].done = parts[i]->skip;
	}
	return n == 0 || burrow_positions_store(c, positions, n, true);
}

static void
store_known(const BurrowConsumer *c)
{
	BurrowPartition **parts;
	int			n = choose(c, &parts);
	bool		ok = n > 0 && store(c, parts, n);

	for (int i = 0; i < n; i++)
	{
		BurrowPartition *part = parts[i];

		if (!ok)
		{
			set_back(part, BURROW_STEP_KNOWN, c->now + BURROW_LOOKUP_AGAIN_US);
			continue;
		}
		part->start.step = BURROW_STEP_STORED;
		part->start.stored = true;
		burrow_offset_commit_stored(part, part->start.offset);
		burrow_topic_identity_stored(c, part);
		/* what was written is flushed, and so is what was read, or it would have been written */
		if (part->start.rows_lsn != 0)
			part->start.rows_lsn = GetFlushRecPtr(NULL);
	}
	if (ok)
		BURROW_CRASH_POINT("start stored");
}

/* ---- all of it ---- */

TimestampTz
burrow_start_advance(const BurrowConsumer *c)
{
	TimestampTz due = 0;
	dlist_iter	iter;

	burrow_topic_watch_identify(c);
	ask(c);
	burrow_lookup_ask(c, BURROW_KAFKA_ASK_OFFSETS, wants_look_up, burrow_lookup_start, looked_up,
					  "could not look up starting offsets");
	leave_unchecked(c);
	burrow_lookup_ask(c, BURROW_KAFKA_ASK_BOUNDS, wants_bounds, burrow_lookup_start, bounded,
					  "could not look up what the topic holds");
	check(c);
	if (!burrow_status_is_stopping())
		store_known(c);
	dlist_foreach(iter, burrow_partition_all())
	{
		const BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		/* what has no time waits for something that wakes us */
		if (part->state == BURROW_PARTITION_RESOLVING_START && part->lookup.again_at > c->now)
			due = burrow_earlier(due, part->lookup.again_at);
	}
	return due;
}

bool
burrow_start_is_put_off(const BurrowConsumer *c, const BurrowPartition *part)
{
	return part->lookup.stuck_since != 0 ||
		(part->start.step == BURROW_STEP_ASK && part->lookup.asked_tag == 0 && burrow_partition_has_straggler(part)) ||
		(part->start.step == BURROW_STEP_KNOWN && waits_for_others(c, part));
}
