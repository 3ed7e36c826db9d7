/*
 * commit_answer.c
 *	  What Kafka says to a commit.
 *
 * Runs in: the consumer.
 *
 * A commit is acknowledged partition by partition, and what is not is sent again when due.  One
 * that is too large for the broker is sent with less.  An error of the whole is not believed before
 * Kafka was asked what it has.
 */
#include "postgres.h"

#include "consumer/commit_answer.h"
#include "core/offset_metadata.h"
#include "offsets/commit_room.h"
#include "offsets/commit_silence.h"
#include "offsets/offset_commit.h"
#include "offsets/topic_identity.h"
#include "partition/context.h"
#include "partition/partition.h"
#include "partition/question.h"
#include "partition/status.h"
#include "runtime/crash_point.h"

/* Kafka's numbers. */
#define UNKNOWN_TOPIC		3	/* UNKNOWN_TOPIC_OR_PARTITION */
#define METADATA_TOO_LARGE	12	/* OFFSET_METADATA_TOO_LARGE */
#define ILLEGAL_GENERATION	22
#define UNKNOWN_MEMBER_ID	25
#define FENCED_INSTANCE_ID	82
#define FENCED_MEMBER_EPOCH	110
#define STALE_MEMBER_EPOCH	113

/* The commit has failed, and Kafka was asked what it has; 0: it was not. */
static uint64 stored_tag;

/* Why it has. */
static char failed_text[BURROW_KAFKA_TEXT_MAX];

static bool
is_too_large(const BurrowKafkaEvent *event)
{
	bool		too_large = event->error == METADATA_TOO_LARGE;

	for (int i = 0; i < event->list.n; i++)
		too_large |= event->list.items[i].error == METADATA_TOO_LARGE;
	return too_large;
}

/*
 * Not all of the commit was acknowledged: the rest is owed again.  A topic that is not there is
 * told of elsewhere.
 */
static void
finish_failed(const BurrowConsumer *c, BurrowKafkaCause cause, const char *reason)
{
	bool		owed = false;
	dlist_iter	iter;

	dlist_foreach(iter, burrow_partition_all())
	{
		const BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		owed |= part->commit.sent >= 0 && !part->identity.unknown_to_broker && part->state != BURROW_PARTITION_CLOSED;
	}
	burrow_offset_commit_retry(c);
	if (owed && reason != NULL)
		burrow_status_fail_kafka(c, BURROW_TROUBLE_COMMIT, cause, psprintf("could not commit offsets: %s", reason));
}

/* Takes over what the answer says of each partition; returns why one was refused, NULL: none was. */
static const char *
take_results(const BurrowConsumer *c, const BurrowKafkaList *list)
{
	const char *reason = NULL;

	for (int i = 0; i < list->n; i++)
	{
		const BurrowKafkaTopicPartition *item = &list->items[i];
		BurrowPartition *part = burrow_partition_find(item->topic, item->partition);

		if (item->error == 0)
		{
			burrow_offset_commit_acknowledge(c, item);
			continue;
		}
		reason = item->error_text;
		if (item->error == UNKNOWN_TOPIC && part != NULL && part->commit.sent >= 0)
			burrow_topic_identity_lose(c, part);
	}
	return reason;
}

/* Is this what was sent last for the partition? */
static bool
is_what_was_sent(const BurrowConsumer *c, const BurrowPartition *part, const BurrowKafkaTopicPartition *item)
{
	BurrowOffsetMetadata metadata;

	if (item->error != 0 || item->offset != part->commit.sent)
		return false;
	if (!burrow_commit_room_has_tag())
		return true;
	return item->metadata != NULL &&
		burrow_offset_metadata_decode(item->metadata, item->metadata_len, item->offset, &metadata, NULL) &&
		strcmp(metadata.uuid, c->sub->uuid) == 0;
}

/* The group's committed offsets have come. */
static void
fetched(const BurrowConsumer *c, const BurrowKafkaEvent *event)
{
	/* another commit has failed since */
	if (event->tag != stored_tag)
		return;
	stored_tag = 0;
	for (int i = 0; i < event->list.n && event->error == 0; i++)
	{
		const BurrowKafkaTopicPartition *item = &event->list.items[i];
		BurrowPartition *part = burrow_partition_find(item->topic, item->partition);

		if (part == NULL || part->commit.sent < 0)
			continue;
		if (is_what_was_sent(c, part, item))
		{
			bool		moved = part->commit.sent != part->commit.acknowledged;

			burrow_offset_commit_acknowledge(c, item);
			/* an older commit of the same offset would look the same, with other runs */
			if (!moved)
				burrow_offset_commit_resend(part);
		}
		else
			burrow_topic_identity_lose(c, part);
	}
	finish_failed(c, BURROW_CAUSE_NO_ANSWER, failed_text);
}

/*
 * The commit failed as a whole because of a topic that is not there, or so it is said: newer versions
 * of librdkafka tell of every partition the error that the broker gave for one.  So Kafka, which
 * has just answered, is asked what it has.  When it does not answer it is not asked: the commit is sent again.
 */
static bool
ask_for_stored(const BurrowConsumer *c, const BurrowKafkaEvent *event)
{
	BurrowKafkaList *list = c->kafka->list_new(event->list.n);
	char		text[BURROW_KAFKA_TEXT_MAX];
	bool		ok = list != NULL && event->list.n > 0;

	for (int i = 0; ok && i < event->list.n; i++)
		ok = c->kafka->list_set(list, i, event->list.items[i].topic, event->list.items[i].partition,
								BURROW_KAFKA_NONE_OFFSET, NULL, 0);
	if (ok)
		stored_tag = burrow_question_ask_committed(c, list, fetched, text);
	ok = ok && stored_tag != 0;
	c->kafka->list_free(list);
	if (ok)
		strlcpy(failed_text, event->text, sizeof(failed_text));
	return ok;
}

/* Has Kafka answered, and not that it does not know the member?  librdkafka's own numbers are negative. */
static bool
is_of_member(const BurrowKafkaEvent *event)
{
	switch (event->error)
	{
		case ILLEGAL_GENERATION:
		case UNKNOWN_MEMBER_ID:
		case FENCED_INSTANCE_ID:
		case FENCED_MEMBER_EPOCH:
		case STALE_MEMBER_EPOCH:
			return false;
		default:
			return event->error >= 0;
	}
}

/* Kafka has answered. */
void
burrow_commit_answer_take(const BurrowConsumer *c, const BurrowKafkaEvent *event)
{
	const char *reason;

	BURROW_CRASH_POINT("before acknowledgement");
	burrow_offset_commit_answered(c);
	if (is_of_member(event))
		burrow_commit_silence_end(c);
	reason = event->error != 0 ? event->text : take_results(c, &event->list);
	if (reason == NULL)
	{
		burrow_offset_commit_succeeded(c);
		BURROW_COUNT(c->slot, commits, 1);
		burrow_status_kafka_answered(c);
		burrow_status_over(c, BURROW_TROUBLE_MEMBER);
		burrow_status_over(c, BURROW_TROUBLE_COMMIT);
		/* of a pattern's topics one may be gone: that others are there is what counts */
		burrow_status_over(c, BURROW_TROUBLE_TOPIC);
		return;
	}
	BURROW_COUNT(c->slot, commits_failed, 1);
	if (is_too_large(event) && burrow_commit_room_shrink(c))
	{
		finish_failed(c, BURROW_CAUSE_NO_ANSWER, NULL);
		burrow_offset_commit_retry_at_once(c);
		return;
	}
	/* a rebalance is no trouble: the commit is sent again after it */
	if (event->error_name != NULL &&
		(strcmp(event->error_name, "REBALANCE_IN_PROGRESS") == 0 ||
		 strcmp(event->error_name, "ILLEGAL_GENERATION") == 0))
		finish_failed(c, BURROW_CAUSE_NO_ANSWER, NULL);
	else if (event->error != UNKNOWN_TOPIC || !ask_for_stored(c, event))
		finish_failed(c, event->cause, reason);
}
