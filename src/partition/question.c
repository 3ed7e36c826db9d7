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
 * Some questions are still waited for: those whose answers a partition's start, or what follows from an
 * obstacle, needs one after another, and those that are asked before there is a member to wait.  They are
 * here too, so that each can become one of the others.  All but the group's offsets are asked by the
 * metadata client, whose answers do not wait behind fetches.
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
burrow_question_ask_offsets(const BurrowConsumer *c, BurrowKafkaList *list, BurrowQuestionAnswer answer, char *text)
{
	return wait_for(c->kafka->ask_offsets(c->metadata_client, list, BURROW_KAFKA_ANSWER_MS, ++last_tag, text), answer);
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

bool
burrow_question_wait_offsets(const BurrowConsumer *c, BurrowKafkaList *list, char *text)
{
	return c->kafka->list_offsets(c->metadata_client, list, BURROW_KAFKA_ANSWER_MS, text);
}

bool
burrow_question_wait_timestamps(const BurrowConsumer *c, BurrowKafkaList *list, char *text)
{
	return c->kafka->read_timestamps(c->metadata_client, list, BURROW_KAFKA_ANSWER_MS, text);
}

BurrowKafkaList *
burrow_question_wait_partitions(const BurrowConsumer *c, const char *topic, char *text)
{
	return c->kafka->list_partitions(c->metadata_client, topic, BURROW_KAFKA_ANSWER_MS, text);
}

bool
burrow_question_wait_bounds(const BurrowConsumer *c, const char *topic, int32 partition, int64 *low, int64 *end)
{
	char		text[BURROW_KAFKA_TEXT_MAX];

	return c->kafka->query_bounds(c->metadata_client, topic, partition, BURROW_KAFKA_ANSWER_MS, low, end, text);
}

BurrowKafkaTake
burrow_question_wait_look(const BurrowConsumer *c, const char *topic, int32 partition, int64 offset, int timeout_ms,
						  BurrowKafkaMessage *m)
{
	return c->kafka->look(c->metadata_client, topic, partition, offset, timeout_ms, m);
}
