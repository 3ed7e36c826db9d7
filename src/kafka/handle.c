/*
 * handle.c
 *	  librdkafka's handle and its queues: started, and the pipe that tells of them.
 *
 * Two queues.  The main queue of a consumer is the consumer queue: rebalances, errors,
 * answers.  The log queue is our own.  Both write id 0 to the wake-up pipe.
 *
 * Runs in: the consumer.
 */
#include <stdlib.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "kafka/hang_up.h"
#include "kafka/internal.h"
#include "kafka/out_of_reach.h"

/* Writes an id to the pipe, as librdkafka does: when it is full, the id is dropped. */
void
burrow_kafka_wake(const BurrowKafkaClient *c, uint32_t id)
{
	ssize_t		done = write(c->wake_fd, &id, sizeof(id));

	(void) done;
}

/* The queues, after rd_kafka_new(); what librdkafka had to say until then is still there. */
static void
connect_queues(BurrowKafkaClient *c)
{
	static const uint32_t main_id = 0;

	/* Without poll_set_consumer(), errors pile up on a queue that nobody reads. */
	if (rd_kafka_type(c->rk) == RD_KAFKA_CONSUMER)
	{
		(void) rd_kafka_poll_set_consumer(c->rk);
		c->main = rd_kafka_queue_get_consumer(c->rk);
	}
	/* a producer, or a consumer without a group */
	if (c->main == NULL)
		c->main = rd_kafka_queue_get_main(c->rk);
	rd_kafka_queue_io_event_enable(c->main, c->wake_fd, &main_id, sizeof(main_id));

	c->logs = rd_kafka_queue_new(c->rk);
	rd_kafka_queue_io_event_enable(c->logs, c->wake_fd, &main_id, sizeof(main_id));
	(void) rd_kafka_set_log_queue(c->rk, c->logs);
}

/* What no client could be made of, for as long as the process lives. */
typedef struct Abandoned
{
	rd_kafka_conf_t *rk;
	struct Abandoned *next;
} Abandoned;

static Abandoned *abandoned;

/*
 * A client that cannot be made frees the interceptors of its properties, and those are the same as whoever gave
 * the properties has (2.0.2 and later): if he frees them, the process crashes.  So they are kept, which is not much.
 */
static void
abandon(BurrowKafkaConf *conf)
{
	Abandoned  *a = malloc(sizeof(Abandoned));

	if (a != NULL)
	{
		a->rk = conf->rk;
		a->next = abandoned;
		abandoned = a;
	}
	conf->rk = NULL;
}

/* A client of the properties, which are its own then; NULL: not, and the caller has no more to do than to free them. */
BurrowKafkaClient *
burrow_kafka_start(BurrowKafkaConf *conf, rd_kafka_type_t type, int wake_fd, char *error)
{
	BurrowKafkaClient *c = calloc(1, sizeof(BurrowKafkaClient));
	char		why[BURROW_KAFKA_TEXT_MAX];

	if (c == NULL)
	{
		(void) burrow_kafka_no_memory(error);
		return NULL;
	}

#ifdef __GLIBC__
	/* librdkafka makes a thread for each broker, and glibc an arena for each thread. */
	(void) mallopt(M_ARENA_MAX, 2);
#endif

	burrow_kafka_watch_hang_ups(conf->rk);
	burrow_kafka_watch_reach(conf->rk);
	c->wake_fd = wake_fd;
	c->refused_tail = &c->refused;
	c->rk = rd_kafka_new(type, conf->rk, why, sizeof(why));
	if (c->rk == NULL)
	{
		burrow_kafka_redact(&conf->secrets, why, error, BURROW_KAFKA_TEXT_MAX);

		abandon(conf);
		free(c);
		return NULL;
	}
	conf->rk = NULL;			/* the client's now */
	c->conf = conf;
	connect_queues(c);
	return c;
}
