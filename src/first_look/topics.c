/*
 * topics.c
 *	  The topics of a cluster, with what they hold.
 *
 * What the brokers show to this client, but for those topics that Kafka and its tools keep for themselves.
 * How many messages there are is the difference of offsets, as everywhere: marks of transactions, and what
 * compaction has taken away, count.
 *
 * Runs in: processes of burrow.topics().
 */
#include "postgres.h"

#include "libpq/pqformat.h"

#include "core/offset.h"
#include "first_look/topics.h"
#include "runtime/answer.h"

/* So many topics are asked about in one request. */
#define CONFIGS_AT_ONCE	200

typedef struct Topic
{
	const char *name;
	int			partitions;
	int64		messages;		/* -1: not known of a partition */
	char		timestamp_type; /* see timestamp_types() in kafka/visit.h */
} Topic;

/* One for each topic of the list, in its order. */
static Topic *
sum_up(const BurrowKafkaList *list, const int64 *low, const int64 *end, int *n)
{
	Topic	   *topics = palloc0(sizeof(Topic) * Max(list->n, 1));

	*n = 0;
	for (int i = 0; i < list->n; i++)
	{
		Topic	   *topic = *n > 0 ? &topics[*n - 1] : NULL;

		if (topic == NULL || strcmp(topic->name, list->items[i].topic) != 0)
		{
			topic = &topics[(*n)++];
			topic->name = list->items[i].topic;
		}
		topic->partitions++;
		topic->messages = topic->messages < 0 || low[i] < 0 || end[i] < 0 ? -1 :
			burrow_offset_later(topic->messages, burrow_offset_count(low[i], end[i]));
	}
	return topics;
}

/* As far as Kafka tells: that needs a right of its own (DescribeConfigs). */
static void
ask_timestamp_types(BurrowVisit *visit, Topic *topics, int n)
{
	const char **names = palloc(sizeof(char *) * Max(n, 1));
	char	   *types = palloc0(Max(n, 1));

	for (int i = 0; i < n; i++)
		names[i] = topics[i].name;
	for (int i = 0; i < n && GetCurrentTimestamp() < visit->deadline; i += CONFIGS_AT_ONCE)
		if (!visit->kafka->visit->timestamp_types(visit->client, names + i, Min(n - i, CONFIGS_AT_ONCE),
												  BURROW_VISIT_ASK_MS, types + i, visit->text))
			break;
	for (int i = 0; i < n; i++)
		topics[i].timestamp_type = types[i];
}

static void
send_topic(const Topic *topic)
{
	StringInfoData answer;

	burrow_answer_begin(&answer);
	burrow_answer_put_text(&answer, topic->name);
	pq_sendint32(&answer, topic->partitions);
	pq_sendint64(&answer, topic->messages);
	burrow_answer_put_text(&answer, topic->timestamp_type == 'L' ? "LogAppendTime" :
						   topic->timestamp_type == 'C' ? "CreateTime" : NULL);
	burrow_answer_send(&answer);
}

void
burrow_topics_run(BurrowVisit *visit)
{
	BurrowKafkaList *list = burrow_visit_list(visit, BURROW_VISIT_ALL_TOPICS);
	int64	   *low = burrow_visit_offsets(visit, list, BURROW_KAFKA_EARLIEST);
	int64	   *end = burrow_visit_offsets(visit, list, BURROW_KAFKA_LATEST);
	int			n;
	Topic	   *topics = sum_up(list, low, end, &n);

	ask_timestamp_types(visit, topics, n);
	for (int i = 0; i < n; i++)
		send_topic(&topics[i]);
}
