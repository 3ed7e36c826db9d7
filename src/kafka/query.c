/*
 * query.c
 *	  Questions to the cluster that are waited for, with a limit.
 *
 * The limit is why list_bounds() does not use rd_kafka_query_watermark_offsets(): up to 2.2
 * that takes a timeout and waits longer, as long as the broker's connection lives
 * (socket.timeout.ms, a minute).  rd_kafka_offsets_for_times() keeps its limit, passes Kafka's
 * special times through to the broker, and the broker answers "latest" by the isolation
 * level: under read_committed, the last stable offset.
 *
 * Runs in: the consumer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/topic_pattern.h"
#include "kafka/internal.h"

/* From any point of time, but never backwards. */
int64_t
burrow_kafka_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int
remaining(int64_t until)
{
	int64_t		left = until - burrow_kafka_now_ms();

	return left > 0 ? (int) left : 0;
}

/* Asks for the offsets at the times in rd, and puts them there, or an error of its own for each. */
static rd_kafka_resp_err_t
ask(BurrowKafkaClient *c, rd_kafka_topic_partition_list_t *rd, int64_t until)
{
	rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(c->rk, rd, remaining(until));

	if (code != RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION)
		return code;
	/* so it says where it asked nobody, because each has an error */
	for (int i = 0; i < rd->cnt; i++)
		if (rd->elems[i].err == RD_KAFKA_RESP_ERR_NO_ERROR)
			rd->elems[i].err = code;
	return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/*
 * The ends of those partitions that are to be asked for a time.  They are asked for before the
 * times: Kafka says -1 where it knows no message at or after a time, and an end that
 * was true before that has nothing below it that the answer missed.  An end from afterwards may lie
 * behind messages that came between the questions, or became visible, when a transaction ended.
 *
 * Under read_committed an answer beyond the last stable offset is -1, too: so while a transaction is
 * open, what lies behind its first message is not found, whoever wrote it.  The end is the last stable
 * offset then, and nothing is skipped; what lies behind it is read from there, though it may be older.
 */
static rd_kafka_topic_partition_list_t *
ends_for_times(const rd_kafka_topic_partition_list_t *rd)
{
	rd_kafka_topic_partition_list_t *ends = NULL;

	for (int i = 0; i < rd->cnt; i++)
	{
		if (rd->elems[i].offset < 0)
			continue;
		if (ends == NULL)
			ends = rd_kafka_topic_partition_list_new(rd->cnt);
		rd_kafka_topic_partition_list_add(ends, rd->elems[i].topic, rd->elems[i].partition)
			->offset = BURROW_KAFKA_LATEST;
	}
	return ends;
}

static void
set_answer(BurrowKafkaTopicPartition *item, rd_kafka_resp_err_t code, int64_t offset)
{
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR && offset < 0)
		code = RD_KAFKA_RESP_ERR__NO_OFFSET;
	item->error = code;
	item->error_text = code == RD_KAFKA_RESP_ERR_NO_ERROR ? NULL : rd_kafka_err2str(code);
	item->offset = code == RD_KAFKA_RESP_ERR_NO_ERROR ? offset : BURROW_KAFKA_NONE_OFFSET;
}

/* Puts the answers into those of the items that were asked for; ends NULL: no times were. */
static void
collect(BurrowKafkaList *list, rd_kafka_topic_partition_list_t *rd, rd_kafka_topic_partition_list_t *ends)
{
	for (int i = 0; i < list->n; i++)
	{
		BurrowKafkaTopicPartition *item = &list->items[i];
		rd_kafka_topic_partition_t *end = ends == NULL ? NULL :
		rd_kafka_topic_partition_list_find(ends, item->topic, item->partition);
		rd_kafka_topic_partition_t *found =
		rd_kafka_topic_partition_list_find(rd, item->topic, item->partition);

		if (found == NULL)
			continue;
		item->beyond = end != NULL && found->err == RD_KAFKA_RESP_ERR_NO_ERROR && found->offset < 0;
		if (item->beyond)
			found = end;
		set_answer(item, found->err, found->offset);
	}
}

/* One question for all of rd, or two where times are asked for. */
static rd_kafka_resp_err_t
ask_and_collect(BurrowKafkaClient *c, BurrowKafkaList *list, rd_kafka_topic_partition_list_t *rd, int64_t until)
{
	rd_kafka_topic_partition_list_t *ends = ends_for_times(rd);
	rd_kafka_resp_err_t code = ends == NULL ? RD_KAFKA_RESP_ERR_NO_ERROR : ask(c, ends, until);

	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		code = ask(c, rd, until);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		collect(list, rd, ends);
	if (ends != NULL)
		rd_kafka_topic_partition_list_destroy(ends);
	return code;
}

/*
 * What the cluster says now of the topics in the list, of which librdkafka's cache may not have
 * heard: it keeps what it knows for topic.metadata.refresh.interval.ms, 5 minutes, and answers
 * for partitions that came later without asking anybody.  NULL: no answer.
 */
static const rd_kafka_metadata_t *
refresh(BurrowKafkaClient *c, const BurrowKafkaList *list, int64_t until, char *error)
{
	const rd_kafka_metadata_t *metadata;
	rd_kafka_topic_t *only = NULL;
	rd_kafka_resp_err_t code;
	bool		one = true;

	for (int i = 1; i < list->n && one; i++)
		one = strcmp(list->items[i].topic, list->items[0].topic) == 0;
	if (one)
		only = rd_kafka_topic_new(c->rk, list->items[0].topic, NULL);
	if (one && only == NULL)
	{
		(void) burrow_kafka_fail(rd_kafka_last_error(), error);
		return NULL;
	}
	code = rd_kafka_metadata(c->rk, !one, only, &metadata, remaining(until));
	if (only != NULL)
		rd_kafka_topic_destroy(only);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		return metadata;
	(void) burrow_kafka_fail(code, error);
	return NULL;
}

/* The broker that leads the partition; -1: none, and why. */
static int32_t
leader_of(const rd_kafka_metadata_t *metadata, const BurrowKafkaTopicPartition *item, rd_kafka_resp_err_t *why)
{
	*why = RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
	for (int i = 0; i < metadata->topic_cnt; i++)
	{
		const rd_kafka_metadata_topic_t *topic = &metadata->topics[i];

		if (strcmp(topic->topic, item->topic) != 0)
			continue;
		if (topic->err != RD_KAFKA_RESP_ERR_NO_ERROR)
			*why = topic->err;
		for (int p = 0; p < topic->partition_cnt; p++)
		{
			if (topic->partitions[p].id != item->partition)
				continue;
			*why = topic->partitions[p].leader >= 0 ? RD_KAFKA_RESP_ERR_NO_ERROR :
				topic->partitions[p].err != RD_KAFKA_RESP_ERR_NO_ERROR ? topic->partitions[p].err :
				RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
			return topic->partitions[p].leader;
		}
	}
	return -1;
}

/*
 * Asks each broker for what it leads of those without an answer, in turn, so that one that does
 * not answer keeps only its own from having one.  times: what was asked for, by item.
 */
static void
ask_by_leader(BurrowKafkaClient *c, BurrowKafkaList *list, const int64_t *times,
			  const rd_kafka_metadata_t *metadata, int64_t until)
{
	for (int b = 0; b < metadata->broker_cnt; b++)
	{
		rd_kafka_topic_partition_list_t *rd = rd_kafka_topic_partition_list_new(1);
		int64_t		now = burrow_kafka_now_ms();
		int64_t		share = now + (until - now) / (metadata->broker_cnt - b);
		rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
		rd_kafka_resp_err_t why;

		for (int i = 0; i < list->n; i++)
		{
			if (list->items[i].error != 0 && leader_of(metadata, &list->items[i], &why) == metadata->brokers[b].id)
				rd_kafka_topic_partition_list_add(rd, list->items[i].topic, list->items[i].partition)
					->offset = times[i];
		}
		if (rd->cnt > 0)
			code = ask_and_collect(c, list, rd, share);
		for (int i = 0; i < rd->cnt && code != RD_KAFKA_RESP_ERR_NO_ERROR; i++)
			rd->elems[i].err = code;
		if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
			collect(list, rd, NULL);
		rd_kafka_topic_partition_list_destroy(rd);
	}
}

/* The second attempt, for what the first has not answered.  False: nothing answers. */
static bool
ask_again(BurrowKafkaClient *c, BurrowKafkaList *list, const int64_t *times, int64_t until, char *error)
{
	const rd_kafka_metadata_t *metadata = refresh(c, list, until, error);

	if (metadata == NULL)
		return false;
	for (int i = 0; i < list->n; i++)
	{
		rd_kafka_resp_err_t why;

		if (list->items[i].error != 0 && leader_of(metadata, &list->items[i], &why) < 0)
			set_answer(&list->items[i], why, -1);
	}
	ask_by_leader(c, list, times, metadata, until);
	rd_kafka_metadata_destroy(metadata);
	return true;
}

static bool
all_answered(const BurrowKafkaList *list)
{
	for (int i = 0; i < list->n; i++)
		if (list->items[i].error != 0)
			return false;
	return true;
}

/*
 * All brokers are asked at the same time first, which is all there is to do nearly always.
 */
bool
burrow_kafka_list_offsets(BurrowKafkaClient *c, BurrowKafkaList *list, int timeout_ms, char *error)
{
	int64_t		begun = burrow_kafka_now_ms();
	rd_kafka_topic_partition_list_t *rd;
	rd_kafka_resp_err_t code;
	int64_t    *times;
	bool		ok;

	if (list->n == 0)
		return true;
	rd = burrow_kafka_list_to_rd(list);
	times = malloc(sizeof(int64_t) * list->n);
	if (rd == NULL || times == NULL)
	{
		if (rd != NULL)
			rd_kafka_topic_partition_list_destroy(rd);
		free(times);
		snprintf(error, BURROW_KAFKA_TEXT_MAX, "out of memory");
		return false;
	}

	for (int i = 0; i < list->n; i++)
	{
		times[i] = list->items[i].offset;
		set_answer(&list->items[i], RD_KAFKA_RESP_ERR__TIMED_OUT, -1);
	}
	code = ask_and_collect(c, list, rd, begun + timeout_ms / 2);
	ok = (code == RD_KAFKA_RESP_ERR_NO_ERROR && all_answered(list)) ||
		ask_again(c, list, times, begun + timeout_ms, error);

	free(times);
	rd_kafka_topic_partition_list_destroy(rd);
	return ok;
}

static void
set_all(BurrowKafkaList *list, int64_t offset)
{
	for (int i = 0; i < list->n; i++)
		list->items[i].offset = offset;
}

/* The starts first: an end that was true before them may lie below them. */
bool
burrow_kafka_list_bounds(BurrowKafkaClient *c, BurrowKafkaList *list, int timeout_ms, char *error)
{
	rd_kafka_resp_err_t *codes = malloc(sizeof(rd_kafka_resp_err_t) * (list->n > 0 ? list->n : 1));
	bool		ok;

	if (codes == NULL)
		return burrow_kafka_no_memory(error);
	set_all(list, BURROW_KAFKA_EARLIEST);
	ok = burrow_kafka_list_offsets(c, list, timeout_ms, error);
	for (int i = 0; ok && i < list->n; i++)
	{
		codes[i] = list->items[i].error;
		list->items[i].log_start = list->items[i].offset;
	}
	if (ok)
	{
		set_all(list, BURROW_KAFKA_LATEST);
		ok = burrow_kafka_list_offsets(c, list, timeout_ms, error);
	}
	/* one that has no start has no end either */
	for (int i = 0; ok && i < list->n; i++)
		if (codes[i] != RD_KAFKA_RESP_ERR_NO_ERROR)
			set_answer(&list->items[i], codes[i], -1);
	free(codes);
	return ok;
}

/*
 * Not asked for: the answer would be by the isolation level, as all are, and in a read_committed
 * client the last stable offset.
 */
int64_t
burrow_kafka_high_watermark(BurrowKafkaClient *c, const char *topic, int32_t partition)
{
	int64_t		low;
	int64_t		high;

	if (rd_kafka_get_watermark_offsets(c->rk, topic, partition, &low, &high) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return -1;
	return high >= 0 ? high : -1;
}

char *
burrow_kafka_cluster_id(BurrowKafkaClient *c, int timeout_ms)
{
	return rd_kafka_clusterid(c->rk, timeout_ms);
}

/* Of the thread that has set them: nobody waits for that of asker.c. */
static _Thread_local const volatile sig_atomic_t *const *interrupts;

void
burrow_kafka_set_interrupts(const volatile sig_atomic_t * const *flags)
{
	interrupts = flags;
}

static bool
is_interrupted(void)
{
	for (int i = 0; interrupts != NULL && interrupts[i] != NULL; i++)
		if (*interrupts[i])
			return true;
	return false;
}

/* A pattern, or none. */
typedef struct Pattern
{
	const char *text;			/* NULL: none, all topics are wanted */
	LeftOut		left_out;
} Pattern;

/* Not what no topic can be called, whoever says so. */
static bool
is_wanted(const rd_kafka_metadata_topic_t *topic, const Pattern *pattern)
{
	if (!burrow_topic_pattern_is_topic(topic->topic))
		return false;
	return pattern->text == NULL || (burrow_topic_pattern_matches(pattern->text, strlen(pattern->text), topic->topic) &&
									 !burrow_kafka_left_out_has(&pattern->left_out, topic->topic));
}

/* One match takes no time that anybody notices, but a cluster can have very many topics. */
#define MATCHES_AT_ONCE		256

/* Which topics of the answer are wanted, and how many partitions these have; -1: interrupted. */
static int
choose(const rd_kafka_metadata_t *metadata, const Pattern *pattern, bool *wanted)
{
	int			n = 0;

	for (int i = 0; i < metadata->topic_cnt; i++)
	{
		if (pattern->text != NULL && i % MATCHES_AT_ONCE == MATCHES_AT_ONCE - 1 && is_interrupted())
			return -1;
		wanted[i] = is_wanted(&metadata->topics[i], pattern);
		n += wanted[i] ? metadata->topics[i].partition_cnt : 0;
	}
	return n;
}

/* The partitions in the answer, of each topic that pattern matches. */
static BurrowKafkaList *
make_list(const rd_kafka_metadata_t *metadata, const Pattern *pattern, char *error)
{
	BurrowKafkaList *list;
	bool	   *wanted = calloc((size_t) metadata->topic_cnt + 1, sizeof(bool));
	int			n = wanted != NULL ? choose(metadata, pattern, wanted) : 0;
	bool		ok;

	if (n < 0)
	{
		free(wanted);
		snprintf(error, BURROW_KAFKA_TEXT_MAX, "interrupted");
		return NULL;
	}
	list = wanted != NULL ? burrow_kafka_list_new(n) : NULL;
	ok = list != NULL;
	n = 0;
	for (int i = 0; ok && i < metadata->topic_cnt; i++)
	{
		const rd_kafka_metadata_topic_t *topic = &metadata->topics[i];

		if (!wanted[i])
			continue;
		for (int p = 0; ok && p < topic->partition_cnt; p++)
			ok = burrow_kafka_list_set(list, n++, topic->topic, topic->partitions[p].id,
									   BURROW_KAFKA_NONE_OFFSET, NULL, 0);
	}
	free(wanted);
	if (!ok)
	{
		burrow_kafka_list_free(list);
		snprintf(error, BURROW_KAFKA_TEXT_MAX, "out of memory");
		return NULL;
	}
	burrow_kafka_list_sort(list);
	list->why_empty = BURROW_CAUSE_NO_TOPIC;
	if (metadata->topic_cnt == 1 && metadata->topics[0].err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
		list->why_empty = BURROW_CAUSE_TOPIC_DENIED;
	return list;
}

BurrowKafkaList *
burrow_kafka_list_partitions(BurrowKafkaClient *c, const char *topic, int timeout_ms, char *error)
{
	BurrowKafkaList *list = NULL;
	const rd_kafka_metadata_t *metadata;
	rd_kafka_topic_t *only = NULL;
	rd_kafka_resp_err_t code;
	bool		is_pattern = topic[0] == '^';
	Pattern		pattern = {is_pattern ? topic : NULL};

	if (is_pattern)
	{
		/* what it matches is the same for librdkafka, but its time is bounded */
		size_t		position;
		const char *why = burrow_topic_pattern_check(topic, strlen(topic), &position);

		if (why != NULL)
		{
			snprintf(error, BURROW_KAFKA_TEXT_MAX, "invalid regular expression: at character %zu: %s", position + 1, why);
			return NULL;
		}
		if (!burrow_kafka_left_out_read(c, &pattern.left_out))
		{
			burrow_kafka_left_out_free(&pattern.left_out);
			snprintf(error, BURROW_KAFKA_TEXT_MAX, "out of memory");
			return NULL;
		}
	}
	else
	{
		only = rd_kafka_topic_new(c->rk, topic, NULL);
		if (only == NULL)
		{
			(void) burrow_kafka_fail(rd_kafka_last_error(), error);
			return NULL;
		}
	}

	code = rd_kafka_metadata(c->rk, is_pattern, only, &metadata, timeout_ms);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
	{
		list = make_list(metadata, &pattern, error);
		rd_kafka_metadata_destroy(metadata);
	}
	else
		(void) burrow_kafka_fail(code, error);

	if (is_pattern)
		burrow_kafka_left_out_free(&pattern.left_out);
	else
		rd_kafka_topic_destroy(only);
	return list;
}
