/*
 * asker.c
 *	  Questions that librdkafka answers to a caller who waits, asked without waiting.
 *
 * Metadata have no asynchronous form there, offsets by time none before 2.3, and what a group has committed none
 * that goes the member's own way to the coordinator.  So a client that is asked for them has a thread which
 * waits for the answers, one after another.
 * They come back through poll(), as events; the pipe tells of them.
 *
 * The thread calls librdkafka, whose functions for questions may be called from any thread, and nothing
 * else: what it works on is its own until it is answered.  So is the client's main queue, while it looks at
 * offsets: that a connection was lost because an answer was too large is told there.  It blocks all signals, so that PostgreSQL's
 * handlers stay on the one thread that knows PostgreSQL.
 *
 * Runs in: the consumer.
 * Owns: client->asker.
 * Locking: asker->lock, for the two lists and closing; never held over a call of librdkafka's.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kafka/asker.h"
#include "kafka/internal.h"

typedef struct Question
{
	struct Question *next;
	BurrowKafkaQuestion what;
	BurrowKafkaList *list;		/* what is asked, then the answer; NULL: there is none */
	int			timeout_ms;
	uint64_t	tag;
	char		error[BURROW_KAFKA_TEXT_MAX];	/* why there is none */
	BurrowKafkaTake took;		/* LOOK: what it found */
	BurrowKafkaMessage found;
} Question;

typedef struct Questions
{
	Question   *first;			/* oldest first */
	Question  **tail;
} Questions;

struct Asker
{
	BurrowKafkaClient *client;
	pthread_t	thread;
	pthread_mutex_t lock;
	pthread_cond_t more;		/* questions, or closing */
	Questions	asked;
	Questions	answered;
	bool		closing;
	Question   *told;			/* the event returned last points to its list */
};

static void
add(Questions *questions, Question *q)
{
	q->next = NULL;
	*questions->tail = q;
	questions->tail = &q->next;
}

/* NULL: there is none. */
static Question *
take(Questions *questions)
{
	Question   *q = questions->first;

	if (q == NULL)
		return NULL;
	questions->first = q->next;
	if (q->next == NULL)
		questions->tail = &questions->first;
	return q;
}

static void
question_free(Question *q)
{
	if (q == NULL)
		return;
	burrow_kafka_list_free(q->list);
	free(q);
}

/* ---- the thread ---- */

/* Into the list itself. */
static bool
look_up_committed(BurrowKafkaClient *c, Question *q)
{
	rd_kafka_topic_partition_list_t *rd = burrow_kafka_list_to_rd(q->list);
	rd_kafka_resp_err_t code;
	bool		ok;

	if (rd == NULL)
		return burrow_kafka_no_memory(q->error);
	code = rd_kafka_committed(c->rk, rd, q->timeout_ms);
	ok = code == RD_KAFKA_RESP_ERR_NO_ERROR || burrow_kafka_fail(code, q->error);
	if (ok && !burrow_kafka_list_take_rd(q->list, rd))
		ok = burrow_kafka_no_memory(q->error);
	rd_kafka_topic_partition_list_destroy(rd);
	return ok;
}

/* An answer that is late, behind a fetch that waits, or that is an error, is a broker's all the same. */
static bool
has_contact(BurrowKafkaClient *c, Question *q)
{
	const rd_kafka_metadata_t *metadata;
	rd_kafka_resp_err_t code = rd_kafka_metadata(c->rk, 0, NULL, &metadata, q->timeout_ms);

	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		rd_kafka_metadata_destroy(metadata);
	return code != RD_KAFKA_RESP_ERR__TRANSPORT || burrow_kafka_fail(code, q->error);
}

static void
answer(BurrowKafkaClient *c, Question *q)
{
	const BurrowKafkaTopicPartition *item = &q->list->items[0];
	BurrowKafkaList *found = NULL;

	switch (q->what)
	{
		case BURROW_KAFKA_ASK_OFFSETS:
			if (burrow_kafka_list_offsets(c, q->list, q->timeout_ms, q->error))
				return;
			break;
		case BURROW_KAFKA_ASK_BOUNDS:
			if (burrow_kafka_list_bounds(c, q->list, q->timeout_ms, q->error))
				return;
			break;
		case BURROW_KAFKA_ASK_PARTITIONS:
			found = burrow_kafka_list_partitions(c, item->topic, q->timeout_ms, q->error);
			break;
		case BURROW_KAFKA_ASK_COMMITTED:
			if (look_up_committed(c, q))
				return;
			break;
		case BURROW_KAFKA_ASK_CONTACT:
			if (has_contact(c, q))
				return;
			break;
		case BURROW_KAFKA_ASK_TIMESTAMPS:
			if (burrow_kafka_read_timestamps(c, q->list, q->timeout_ms, q->error))
				return;
			break;
		case BURROW_KAFKA_ASK_LOOK:
			q->took = burrow_kafka_look(c, item->topic, item->partition, item->offset, q->timeout_ms, &q->found);
			return;
	}
	burrow_kafka_list_free(q->list);
	q->list = found;
}

static void *
asker_main(void *arg)
{
	Asker	   *a = arg;

	pthread_mutex_lock(&a->lock);
	while (!a->closing)
	{
		Question   *q = take(&a->asked);

		if (q == NULL)
		{
			pthread_cond_wait(&a->more, &a->lock);
			continue;
		}
		pthread_mutex_unlock(&a->lock);
		answer(a->client, q);
		pthread_mutex_lock(&a->lock);
		add(&a->answered, q);
		burrow_kafka_wake(a->client, 0);
	}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

static int
start_thread(Asker *a)
{
	sigset_t	all;
	sigset_t	before;
	int			error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&a->thread, NULL, asker_main, a);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

/* The client's; made at its first question.  NULL: out of memory, or there is no thread to be had. */
static Asker *
asker_of(BurrowKafkaClient *c)
{
	Asker	   *a;

	if (c->asker != NULL)
		return c->asker;
	a = calloc(1, sizeof(Asker));
	if (a == NULL)
		return NULL;
	a->client = c;
	a->asked.tail = &a->asked.first;
	a->answered.tail = &a->answered.first;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->more, NULL);
	if (start_thread(a) != 0)
	{
		pthread_cond_destroy(&a->more);
		pthread_mutex_destroy(&a->lock);
		free(a);
		return NULL;
	}
	c->asker = a;
	return a;
}

/* ---- the caller ---- */

bool
burrow_kafka_ask(BurrowKafkaClient *c, BurrowKafkaQuestion what, BurrowKafkaList *list, int timeout_ms, uint64_t tag,
				 char *error)
{
	Asker	   *a = asker_of(c);
	Question   *q = a != NULL ? calloc(1, sizeof(Question)) : NULL;

	if (q == NULL)
	{
		burrow_kafka_list_free(list);
		return burrow_kafka_no_memory(error);
	}
	q->what = what;
	q->list = list;
	q->timeout_ms = timeout_ms;
	q->tag = tag;
	c->nlooks += what == BURROW_KAFKA_ASK_LOOK ? 1 : 0;
	pthread_mutex_lock(&a->lock);
	add(&a->asked, q);
	pthread_cond_signal(&a->more);
	pthread_mutex_unlock(&a->lock);
	return true;
}

bool
burrow_kafka_next_answer(BurrowKafkaClient *c, BurrowKafkaEvent *event)
{
	Asker	   *a = c->asker;

	if (a == NULL)
		return false;
	question_free(a->told);
	pthread_mutex_lock(&a->lock);
	a->told = take(&a->answered);
	pthread_mutex_unlock(&a->lock);
	if (a->told == NULL)
		return false;
	event->type = BURROW_KAFKA_ANSWERED;
	event->tag = a->told->tag;
	if (a->told->what == BURROW_KAFKA_ASK_LOOK)
	{
		c->nlooks--;
		event->took = a->told->took;
		event->found = &a->told->found;
	}
	if (a->told->list != NULL)
		event->list = *a->told->list;
	else
		burrow_kafka_fill_error(c, event, RD_KAFKA_RESP_ERR__FAIL, a->told->error);
	return true;
}

/* Its time-out bounds the wait; what was not answered is dropped. */
void
burrow_kafka_stop_asking(BurrowKafkaClient *c)
{
	Asker	   *a = c->asker;
	Question   *q;

	if (a == NULL)
		return;
	pthread_mutex_lock(&a->lock);
	a->closing = true;
	pthread_cond_signal(&a->more);
	pthread_mutex_unlock(&a->lock);
	pthread_join(a->thread, NULL);
	while ((q = take(&a->asked)) != NULL || (q = take(&a->answered)) != NULL)
		question_free(q);
	question_free(a->told);
	pthread_cond_destroy(&a->more);
	pthread_mutex_destroy(&a->lock);
	free(a);
	c->asker = NULL;
}
