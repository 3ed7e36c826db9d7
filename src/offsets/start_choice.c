/*
 * start_choice.c
 *	  Where a partition starts, given what the group has committed and what the database has.
 *
 * Runs in: the consumer, and processes of burrow.dry_run(), which is to find the same.
 *
 * core/start_position has the rules.  Here is what they have to be told, and of which partitions the brokers have
 * to be asked what the logs hold: the consumer asks and goes on, a dry run waits.
 */
#include "postgres.h"

#include "catalog/done_set.h"
#include "offsets/start_choice.h"
#include "runtime/kafka_client.h"

/* Where start_from says that a partition without a history starts; a special offset or
 * a time in milliseconds to be looked up, or an offset (*is_offset). */
static int64
option_start(const BurrowStartFrom *s, int32 partition, bool *is_offset)
{
	*is_offset = false;
	switch (s->kind)
	{
		case BURROW_START_EARLIEST:
			break;
		case BURROW_START_LATEST:
			return BURROW_KAFKA_LATEST;
		case BURROW_START_TIME:
			return s->time_ms;
		case BURROW_START_OFFSETS:
			for (int i = 0; i < s->noffsets; i++)
				if (s->partitions[i] == partition)
				{
					*is_offset = true;
					return s->offsets[i];
				}
			break;
	}
	return BURROW_KAFKA_EARLIEST;
}

/* The commit lies below what the database has done: an administrator has to say which
 * is meant. */
BurrowHalt
burrow_start_choice_behind(const char *topic, int32 partition, int64 committed, int64 low)
{
	return (BurrowHalt) {
		.topic = topic,
			.partition = partition,
			.offset = committed,
			.sqlstate = "55000",
			.message = psprintf("committed offset %lld of topic \"%s\" partition %d is behind the database's position %lld",
								(long long) committed, topic, partition, (long long) low),
			.remedy = BURROW_REMEDY_SEEK,
			.seek_to = low,
			.detail = "The offset was not committed by Burrow: the consumer group was reset, or shares its name with another client.",
			.hint = "Use burrow.seek() to say where to go on; or reset the group to the database's position or beyond, and use burrow.resume().",
	};
}

/* See burrow_start_position_find(). */
static BurrowStartPositionFound
find_position(const BurrowSubscription *sub, const BurrowKafkaTopicPartition *item, const BurrowPosition *row,
			  bool group_has_others, const BurrowLogBounds *log, BurrowOffsetSet *skip)
{
	BurrowStartPositionInput in = {
		.committed = item->offset,
		.has_row = row->low >= 0,
		.low = row->low,
		.delivery = sub->options.delivery,
		.group_has_others = group_has_others,
		.untagged_is_own = sub->commits_untagged,
	};

	return burrow_start_position_find(&in, sub->uuid, item->metadata, item->metadata_len, &row->done, log, skip);
}

BurrowStartChoice
burrow_start_choice_decide(const BurrowSubscription *sub, const BurrowStartFrom *option,
						   const BurrowKafkaTopicPartition *item, const BurrowPosition *row,
						   bool group_has_others, const BurrowLogBounds *log, BurrowOffsetSet *skip)
{
	BurrowStartPositionFound found = find_position(sub, item, row, group_has_others, log, skip);
	BurrowStartChoice choice = {
		.commit = found.commit,
		.decided = found.decided,
		.start = found.start,
		.located = true,
		.refused = found.refused,
	};

	/* those whose commits claim something were asked for */
	Assert(!found.needs_bounds);
	switch (choice.decided.decision)
	{
		case BURROW_START_BY_OPTION:
			choice.start = option_start(option, item->partition, &choice.located);
			break;
		case BURROW_START_AT_BEGINNING:
			choice.located = false;
			choice.start = BURROW_KAFKA_EARLIEST;
			break;
		case BURROW_START_HALT:
		case BURROW_START_AT_DATABASE:
		case BURROW_START_AT_KAFKA:
		case BURROW_START_AT_LARGER:
			break;
	}
	return choice;
}

/* Does the commit claim that something is done beyond its offset, and does it count? */
static bool
makes_claims(const BurrowSubscription *sub, const BurrowKafkaTopicPartition *item, const BurrowPosition *row)
{
	BurrowOffsetSet skip;
	bool		needs_bounds;

	burrow_done_set_init(&skip);
	needs_bounds = find_position(sub, item, row, false, NULL, &skip).needs_bounds;
	burrow_offset_set_reset(&skip);
	return needs_bounds;
}

BurrowKafkaList *
burrow_start_choice_claims(const BurrowKafkaFunctions *kafka, const BurrowSubscription *sub,
						   const BurrowKafkaList *commits, const BurrowPosition *rows)
{
	int		   *which = palloc(sizeof(int) * Max(commits->n, 1));
	int			n = 0;
	BurrowKafkaList *list;
	bool		ok;

	for (int i = 0; i < commits->n; i++)
		if (makes_claims(sub, &commits->items[i], &rows[i]))
			which[n++] = i;
	list = kafka->list_new(n);
	ok = list != NULL;
	for (int i = 0; ok && i < n; i++)
		ok = kafka->list_set(list, i, commits->items[which[i]].topic, commits->items[which[i]].partition,
							 BURROW_KAFKA_NONE_OFFSET, NULL, 0);
	if (ok)
		return list;
	kafka->list_free(list);
	return NULL;
}

BurrowLogBounds *
burrow_start_choice_logs(const BurrowKafkaList *commits, const BurrowKafkaList *bounds, const char **errors)
{
	BurrowLogBounds *logs = palloc(sizeof(BurrowLogBounds) * Max(commits->n, 1));
	int			next = 0;

	for (int i = 0; i < commits->n; i++)
	{
		const BurrowKafkaTopicPartition *item = next < bounds->n ? &bounds->items[next] : NULL;

		logs[i] = (BurrowLogBounds) {-1, -1};
		errors[i] = NULL;
		if (item == NULL || item->partition != commits->items[i].partition ||
			strcmp(item->topic, commits->items[i].topic) != 0)
			continue;
		next++;
		if (item->error != 0)
			errors[i] = item->error_text;
		else
			logs[i] = (BurrowLogBounds) {item->log_start, item->offset};
	}
	return logs;
}
