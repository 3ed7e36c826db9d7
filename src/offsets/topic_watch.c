/*
 * topic_watch.c
 *	  The ids of the topics that are consumed.
 *
 * Runs in: the consumer.
 *
 * A topic that was deleted and made anew has another id, and that is the only thing which tells
 * it for sure: the new one may be there a moment later, be longer than the old one was, and hold
 * messages with the same timestamps.  What follows from an id that has changed is decided where
 * a partition starts (topic_identity.c), because there it is known what the log holds.
 *
 * - Before a partition starts its topic's id is asked for, and only when that is answered the
 *	 rest: the group's offset, the log's bounds, times.  So a position is never kept with the
 *	 id of a topic that came before or after the one that it was found in: at worst with
 *	 that of an older one, which the next look finds out.  The id is stored with the position, in
 *	 one transaction.
 * - While partitions run, their topics are asked for every 10 s, and at once when a fetch finds
 *	 that the log does not hold what comes next.  One that has changed makes the consumer start anew.
 * - Where the question before the start has failed, those that follow find out a change from the id
 *	 that was kept.  If none was, the first that is told is believed to be the position's, as it would
 *	 be at another start.
 * - That a log does not hold what comes next is believed only of a topic that is known to be the same: until
 *	 the question is answered, the partition waits, and says why.
 *
 * Nothing waits for an answer: it is an event.  Where ids are not told (librdkafka before 2.3,
 * Kafka before 2.8) nothing is asked, or nothing follows from it.
 */
#include "postgres.h"

#include "offsets/lookup.h"
#include "offsets/topic_watch.h"
#include "partition/partition.h"
#include "partition/question.h"
#include "partition/status.h"
#include "partition/turn.h"

/* How often topics that are consumed are asked for; and where something waits for it, after a failure. */
#define WATCH_US			INT64CONST(10000000)
#define WATCH_AGAIN_US		INT64CONST(1000000)

/* Of that for those that run, not answered yet; 0: none. */
static uint64 watch_asked;

/* When to ask for these next; 0: at once. */
static TimestampTz watch_at;

/* When that question was asked. */
static TimestampTz watch_asked_at;

/* Why the last one has failed, as a whole: for those that run, and for those that are about to start. */
static char watch_failure[BURROW_KAFKA_TEXT_MAX];
static char start_failure[BURROW_KAFKA_TEXT_MAX];

typedef bool (*Filter) (const BurrowConsumer *c, const BurrowPartition *part);

/* Asks for the topics of the partitions that are wanted.  The question's tag; 0: there are none, or it
 * could not be asked (text). */
static uint64
ask(const BurrowConsumer *c, Filter is_wanted, BurrowQuestionAnswer answer, char *text)
{
	const char **topics;
	dlist_iter	iter;
	int			n = 0;
	int			distinct = 0;

	text[0] = '\0';
	dlist_foreach(iter, burrow_partition_all())
		n += is_wanted(c, dlist_container(BurrowPartition, node, iter.cur)) ? 1 : 0;
	if (n == 0)
		return 0;
	topics = palloc(sizeof(char *) * n);
	n = 0;
	dlist_foreach(iter, burrow_partition_all())
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (is_wanted(c, part))
			topics[n++] = part->topic;
	}
	qsort(topics, n, sizeof(char *), pg_qsort_strcmp);
	for (int i = 0; i < n; i++)
		if (distinct == 0 || strcmp(topics[distinct - 1], topics[i]) != 0)
			topics[distinct++] = topics[i];
	return burrow_question_ask_topic_ids(c, topics, distinct, answer, text);
}

/* What the answer says of a topic; NULL: nothing. */
static const BurrowKafkaTopicPartition *
find(const BurrowKafkaList *list, const char *topic)
{
	for (int i = 0; i < list->n; i++)
		if (strcmp(list->items[i].topic, topic) == 0)
			return &list->items[i];
	return NULL;
}

/* ---- before they start ---- */

static bool
wants_id(const BurrowConsumer *c, const BurrowPartition *part)
{
	return burrow_lookup_is_due(c, part, BURROW_STEP_ASK) && !part->topic_id.identified && part->topic_id.asked_tag == 0;
}

/* One that waits for this answer has it; item NULL: it is not in it. */
static void
identify(const BurrowConsumer *c, BurrowPartition *part, const BurrowKafkaTopicPartition *item)
{
	part->topic_id.asked_tag = 0;
	if (item == NULL || item->error != 0)
	{
		burrow_lookup_stick(c, part, "could not get the topic's id", item != NULL ? item->error_text : "no answer");
		return;
	}
	part->topic_id.now = item->topic_id;
	part->topic_id.identified = true;
	part->topic_id.unanswered = false;
}

/* An answer of all: there are no ids to be told. */
static bool
tells_none(const BurrowKafkaEvent *event)
{
	return event->error != 0 && event->cause == BURROW_CAUSE_VERSION;
}

/*
 * A question that fails as a whole holds nothing up: a broker may know no controller or refuse the request,
 * and then the topic is known by what is at its offsets, as where no ids are told.
 */
static void
take_ids(const BurrowConsumer *c, const BurrowKafkaEvent *event)
{
	bool		any = false;
	dlist_iter	iter;

	dlist_foreach(iter, burrow_partition_all())
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (part->state != BURROW_PARTITION_RESOLVING_START || part->topic_id.asked_tag != event->tag)
			continue;
		any = true;
		if (event->error == 0)
			identify(c, part, find(&event->list, part->topic));
		else
		{
			part->topic_id.asked_tag = 0;
			part->topic_id.identified = true;
			part->topic_id.unanswered = !tells_none(event);
		}
	}
	strlcpy(start_failure, event->text, sizeof(start_failure));
	if (any && event->error != 0)
		ereport(LOG,
				(errmsg("subscription \"%s\" goes on without the ids of its topics: %s", c->sub->name, event->text)));
}

void
burrow_topic_watch_identify(const BurrowConsumer *c)
{
	bool		told = c->kafka->tells_topic_ids();
	char		text[BURROW_KAFKA_TEXT_MAX];
	uint64		tag = told ? ask(c, wants_id, take_ids, text) : 0;
	dlist_iter	iter;

	if (told && tag == 0)
	{
		if (text[0] != '\0')
			burrow_lookup_put_off(c, wants_id, "could not ask for the ids of topics", text);
		return;
	}
	dlist_foreach(iter, burrow_partition_all())
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

		if (!wants_id(c, part))
			continue;
		part->topic_id.asked_tag = tag;
		part->topic_id.identified = !told;
	}
}

bool
burrow_topic_watch_doubts(const BurrowConsumer *c, BurrowPartition *part)
{
	if (!part->topic_id.unanswered || !burrow_topic_id_is_known(&part->identity.kept_topic_id))
		return false;
	part->topic_id.identified = false;
	burrow_lookup_stick(c, part, "could not get the topic's id", start_failure);
	return true;
}

/* ---- while they run ---- */

static bool
runs(const BurrowConsumer *c, const BurrowPartition *part)
{
	return part->state == BURROW_PARTITION_ACTIVE && !part->is_redelivery;
}

/* The id that its topic had, as far as that is known. */
static const BurrowTopicId *
expected(const BurrowPartition *part)
{
	return burrow_topic_id_is_known(&part->topic_id.now) ? &part->topic_id.now : &part->identity.kept_topic_id;
}

static bool
may_look(const BurrowConsumer *c)
{
	return c->client != NULL && !burrow_status_is_stopping() && watch_asked == 0 &&
		c->kafka->tells_topic_ids();
}

/* Has the answer (item NULL: nothing is in it of the topic) told what the id is, or that there is none? */
static bool
record_answer(BurrowPartition *part, const BurrowKafkaEvent *event, const BurrowKafkaTopicPartition *item)
{
	bool		told = event->error == 0 ? item != NULL && item->error == 0 : tells_none(event);

	part->topic_id.gone = item != NULL && item->gone;
	part->topic_id.untold = told ? NULL : event->error != 0 ? watch_failure :
		item == NULL ? "no answer" : item->error_text;
	if (told)
		part->topic_id.told_at = watch_asked_at;
	return told;
}

static void
look(const BurrowConsumer *c, const BurrowKafkaEvent *event)
{
	dlist_iter	iter;

	watch_asked = 0;
	strlcpy(watch_failure, event->text, sizeof(watch_failure));
	dlist_foreach(iter, burrow_partition_all())
	{
		BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);
		const BurrowKafkaTopicPartition *item = find(&event->list, part->topic);
		const BurrowTopicId *known = expected(part);

		if (!runs(c, part) || !record_answer(part, event, item) ||
			item == NULL || !burrow_topic_id_is_known(&item->topic_id))
			continue;
		if (!burrow_topic_id_differs(known, &item->topic_id))
		{
			part->topic_id.now = item->topic_id;
			continue;
		}
		ereport(LOG,
				(errmsg("subscription \"%s\" starts anew: topic \"%s\" was made anew", c->sub->name, part->topic),
				 errdetail("Its id is %s, and was %s.", item->topic_id.text, known->text)));
		burrow_status_stop(BURROW_STOP_RESTART);
		return;
	}
}

TimestampTz
burrow_topic_watch_run(const BurrowConsumer *c)
{
	char		text[BURROW_KAFKA_TEXT_MAX];

	if (!may_look(c))
		return 0;
	if (watch_at <= c->now)
	{
		watch_at = c->now + WATCH_US;
		watch_asked_at = c->now;
		watch_asked = ask(c, runs, look, text);
	}
	return watch_asked == 0 ? watch_at : 0;
}

BurrowTopicLook
burrow_topic_watch_look(const BurrowConsumer *c, const BurrowPartition *part, TimestampTz since, const char **why)
{
	bool		is_new = watch_asked_at >= since;

	*why = part->topic_id.untold;
	if (!c->kafka->tells_topic_ids() || part->topic_id.told_at >= since)
		return BURROW_TOPIC_SAME;
	/* one under way wakes us */
	if (watch_asked == 0 && (!is_new || watch_asked_at + WATCH_AGAIN_US <= c->now))
	{
		watch_at = 0;
		burrow_turn_again();
	}
	if (watch_asked != 0 || !is_new || *why == NULL)
		return BURROW_TOPIC_ASKED;
	return part->topic_id.gone ? BURROW_TOPIC_GONE : BURROW_TOPIC_UNTOLD;
}
