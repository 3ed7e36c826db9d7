/*
 * question.c
 *	  The consumer's questions to Kafka: asked here, and answered by an event.
 *
 * Runs in: the consumer.
 * Owns: who waits for which answer.
 *
 * Whoever asks names a function, which gets the answer in a later turn.  Nothing waits meanwhile, and the
 * answer may come for something that is over: who asked looks at the tag, or at what there is by then.
 *
 * The question for the group's offsets has two ways to the coordinator.  The usual one may never come to an
 * end: librdkafka (2.10 and later) forgets a broker that the cluster's metadata do not name, but keeps it as the
 * group's coordinator for such requests, waits for a connection that nobody makes, and looks again only when
 * another connection comes or goes.  So a question that was not answered for a while is asked once more on the
 * member's own way, under the same tag, and from then on this process takes that way.  The older question
 * stays where it is: see fetch_committed() in kafka/kafka.h.  Nor does it look again when a broker answers that it is
 * not the coordinator any more: after such an answer the next question goes the member's own way, too.
 *
 * Waited for are only those that are asked before there is a member: nothing else could go on meanwhile.
 * All but the group's offsets, whether the member's client can reach Kafka, and what only wakes its threads, are asked by the
 * metadata client, whose answers do not wait behind fetches.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "partition/question.h"
#include "runtime/kafka_client.h"

/* Nothing waits for them, and a broker that has them has them at once: one that takes longer is asked again. */
#define TOPIC_IDS_TIMEOUT_MS	3000

/* For an answer about the group's offsets on the usual way. */
#define MAX_WAIT_S				10

typedef struct Pending
{
	uint64		tag;
	BurrowQuestionAnswer answer;
	BurrowKafkaList *list;		/* of the group's offsets on the usual way; otherwise NULL */
	TimestampTz overdue_at;		/* 0: never */
} Pending;

/* In no order. */
static Pending *pending;
static int	npending;
static int	room;

/* Of the last question. */
static uint64 last_tag;

/* Such a question was not answered on the usual way, or by a broker that is not the coordinator. */
static bool own_way = false;

/* Who waits for the answer; 0: it was not asked. */
static uint64
wait_for(bool asked, BurrowQuestionAnswer answer)
{
	if (!asked)
		return 0;
	if (npending == room)
	{
		room = Max(16, room * 2);
		pending = pending == NULL ? MemoryContextAlloc(TopMemoryContext, sizeof(Pending) * room) :
			repalloc(pending, sizeof(Pending) * room);
	}
	pending[npending++] = (Pending) {.tag = last_tag, .answer = answer};
	return last_tag;
}

uint64
burrow_question_ask(const BurrowConsumer *c, BurrowKafkaQuestion what, BurrowKafkaList *list, BurrowQuestionAnswer answer,
					char *text)
{
	return wait_for(c->kafka->ask(c->metadata_client, what, list, BURROW_KAFKA_ANSWER_MS, ++last_tag, text), answer);
}

/* NULL: out of memory. */
static BurrowKafkaList *
list_of_one(const BurrowConsumer *c, const char *topic, int32 partition, int64 offset, char *text)
{
	BurrowKafkaList *list = c->kafka->list_new(1);

	if (list != NULL && c->kafka->list_set(list, 0, topic, partition, offset, NULL, 0))
		return list;
	c->kafka->list_free(list);
	strlcpy(text, "out of memory", BURROW_KAFKA_TEXT_MAX);
	return NULL;
}

uint64
burrow_question_ask_of(const BurrowConsumer *c, BurrowKafkaQuestion what, const char *topic, int32 partition, int64 offset,
					   BurrowQuestionAnswer answer, char *text)
{
	BurrowKafkaList *list = list_of_one(c, topic, partition, offset, text);

	return list == NULL ? 0 : burrow_question_ask(c, what, list, answer, text);
}

uint64
burrow_question_ask_partitions(const BurrowConsumer *c, const char *topic, BurrowQuestionAnswer answer, char *text)
{
	return burrow_question_ask_of(c, BURROW_KAFKA_ASK_PARTITIONS, topic, 0, BURROW_KAFKA_NONE_OFFSET, answer, text);
}

uint64
burrow_question_ask_contact(const BurrowConsumer *c, BurrowQuestionAnswer answer, char *text)
{
	BurrowKafkaList *list = list_of_one(c, c->sub->topic, 0, BURROW_KAFKA_NONE_OFFSET, text);

	if (list == NULL)
		return 0;
	return wait_for(c->kafka->ask(c->client, BURROW_KAFKA_ASK_CONTACT, list, BURROW_KAFKA_ANSWER_MS, ++last_tag, text), answer);
}

static void
drop_answer(const BurrowConsumer *c, const BurrowKafkaEvent *event)
{
}

void
burrow_question_ask_in_vain(const BurrowConsumer *c, BurrowKafkaList *list)
{
	char		text[BURROW_KAFKA_TEXT_MAX];

	(void) wait_for(c->kafka->ask(c->client, BURROW_KAFKA_ASK_OFFSETS, list, BURROW_KAFKA_ANSWER_MS, ++last_tag, text),
					drop_answer);
}

uint64
burrow_question_ask_topic_ids(const BurrowConsumer *c, const char **topics, int n, BurrowQuestionAnswer answer,
							  char *text)
{
	return wait_for(c->kafka->describe_topics(c->metadata_client, topics, n, TOPIC_IDS_TIMEOUT_MS, ++last_tag, text),
					answer);
}

/* Asks on the member's own way. */
static bool
ask_own_way(const BurrowConsumer *c, const BurrowKafkaList *list, uint64 tag, char *text)
{
	BurrowKafkaList *copy = list != NULL ? c->kafka->list_copy(list) : NULL;

	if (copy == NULL)
	{
		strlcpy(text, "out of memory", BURROW_KAFKA_TEXT_MAX);
		return false;
	}
	return c->kafka->ask(c->client, BURROW_KAFKA_ASK_COMMITTED, copy, BURROW_KAFKA_ANSWER_MS, tag, text);
}

uint64
burrow_question_ask_committed(const BurrowConsumer *c, const BurrowKafkaList *list, BurrowQuestionAnswer answer,
							  char *text)
{
	uint64		tag;

	if (own_way)
		return wait_for(ask_own_way(c, list, ++last_tag, text), answer);
	tag = wait_for(c->kafka->fetch_committed(c->client, list, ++last_tag, text), answer);
	if (tag == 0)
		return 0;
	pending[npending - 1].list = c->kafka->list_copy(list);
	pending[npending - 1].overdue_at = c->now + MAX_WAIT_S * USECS_PER_SEC;
	return tag;
}

static void
ask_again(const BurrowConsumer *c, Pending *p)
{
	char		text[BURROW_KAFKA_TEXT_MAX];

	/* what fails for want of memory is tried again */
	p->overdue_at = c->now + MAX_WAIT_S * USECS_PER_SEC;
	if (!ask_own_way(c, p->list, p->tag, text))
		return;
	ereport(LOG,
			(errmsg("subscription \"%s\": Kafka has not answered for %d s what the consumer group has committed",
					c->sub->name, MAX_WAIT_S),
			 errdetail("It is asked again.")));
	own_way = true;
	p->overdue_at = 0;
}

TimestampTz
burrow_question_run(const BurrowConsumer *c)
{
	TimestampTz due = 0;

	for (int i = 0; i < npending; i++)
	{
		if (pending[i].overdue_at != 0 && pending[i].overdue_at <= c->now)
			ask_again(c, &pending[i]);
		due = burrow_earlier(due, pending[i].overdue_at);
	}
	return due;
}

/* An answer that came on the usual way. */
static void
look_whose(const BurrowConsumer *c, const BurrowKafkaEvent *event)
{
	if (own_way || event->error == 0 || strcmp(event->error_name, "NOT_COORDINATOR") != 0)
		return;
	ereport(LOG,
			(errmsg("subscription \"%s\": a broker that is not the coordinator any more was asked what the consumer group has committed",
					c->sub->name),
			 errdetail("The coordinator will be asked.")));
	own_way = true;
}

void
burrow_question_take(const BurrowConsumer *c, const BurrowKafkaEvent *event)
{
	for (int i = 0; i < npending; i++)
	{
		BurrowQuestionAnswer answer = pending[i].answer;

		if (pending[i].tag != event->tag)
			continue;
		if (pending[i].list != NULL)
			look_whose(c, event);
		c->kafka->list_free(pending[i].list);
		pending[i] = pending[--npending];
		answer(c, event);
		return;
	}
}

/* ---- waited for ---- */

BurrowKafkaList *
burrow_question_wait_partitions(const BurrowConsumer *c, const char *topic, char *text)
{
	return c->kafka->list_partitions(c->metadata_client, topic, BURROW_KAFKA_ANSWER_MS, text);
}

bool
burrow_question_wait_bounds(const BurrowConsumer *c, BurrowKafkaList *list, char *text)
{
	return c->kafka->list_bounds(c->metadata_client, list, BURROW_KAFKA_ANSWER_MS, text);
}
