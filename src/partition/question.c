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
 * Waited for are only those that are asked before there is a member: nothing else could go on meanwhile.
 * All but the group's offsets are asked by the metadata client, whose answers do not wait behind fetches.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "partition/question.h"
#include "runtime/kafka_client.h"

/* Nothing waits for them, and a broker that has them has them at once: one that takes longer is asked again. */
#define TOPIC_IDS_TIMEOUT_MS	3000

typedef struct Pending
{
	uint64		tag;
	BurrowQuestionAnswer answer;
} Pending;

/* In no order. */
static Pending *pending;
static int	npending;
static int	room;

/* Of the last question. */
static uint64 last_tag;

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
	pending[npending++] = (Pending) {last_tag, answer};
	return last_tag;
}

uint64
burrow_question_ask(const BurrowConsumer *c, BurrowKafkaQuestion what, BurrowKafkaList *list, BurrowQuestionAnswer answer,
					char *text)
{
	return wait_for(c->kafka->ask(c->metadata_client, what, list, BURROW_KAFKA_ANSWER_MS, ++last_tag, text), answer);
}

uint64
burrow_question_ask_of(const BurrowConsumer *c, BurrowKafkaQuestion what, const char *topic, int32 partition, int64 offset,
					   BurrowQuestionAnswer answer, char *text)
{
	BurrowKafkaList *list = c->kafka->list_new(1);

	if (list == NULL || !c->kafka->list_set(list, 0, topic, partition, offset, NULL, 0))
	{
		c->kafka->list_free(list);
		strlcpy(text, "out of memory", BURROW_KAFKA_TEXT_MAX);
		return 0;
	}
	return burrow_question_ask(c, what, list, answer, text);
}

uint64
burrow_question_ask_partitions(const BurrowConsumer *c, const char *topic, BurrowQuestionAnswer answer, char *text)
{
	return burrow_question_ask_of(c, BURROW_KAFKA_ASK_PARTITIONS, topic, 0, BURROW_KAFKA_NONE_OFFSET, answer, text);
}

uint64
burrow_question_ask_topic_ids(const BurrowConsumer *c, const char **topics, int n, BurrowQuestionAnswer answer,
							  char *text)
{
	return wait_for(c->kafka->describe_topics(c->metadata_client, topics, n, TOPIC_IDS_TIMEOUT_MS, ++last_tag, text),
					answer);
}

uint64
burrow_question_ask_committed(const BurrowConsumer *c, const BurrowKafkaList *list, BurrowQuestionAnswer answer,
							  char *text)
{
	return wait_for(c->kafka->fetch_committed(c->client, list, ++last_tag, text), answer);
}

void
burrow_question_take(const BurrowConsumer *c, const BurrowKafkaEvent *event)
{
	for (int i = 0; i < npending; i++)
	{
		BurrowQuestionAnswer answer = pending[i].answer;

		if (pending[i].tag != event->tag)
			continue;
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
