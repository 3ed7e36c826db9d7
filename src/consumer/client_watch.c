/*
 * client_watch.c
 *	  Whether the member's Kafka client can reach Kafka.
 *
 * Runs in: the consumer.
 * Owns: the question, and since when it was not answered.
 *
 * librdkafka may be left without any broker and look for none any more: since 2.10 it drops those that the cluster's
 * metadata do not name, as metadata of a broker that has just started name none, and what should
 * have it begin with bootstrap.servers again may be called off (its issue 5301, still open; seen with 2.16).  Nothing
 * tells of that: the member joins nothing, while Kafka is well and the metadata client is answered.
 *
 * So a member that has no assignment, or has lost a connection, is asked by its own client for what any broker
 * knows.  If Kafka answers the metadata client, and the member's own is not answered for SILENCE_US, the consumer ends, and
 * the launcher starts another one, with new clients.  While Kafka answers neither, perhaps both are in that
 * state: after OUTAGE_US there are new ones, too, once, because a process whose first question was not answered
 * yet has no member.
 */
#include "postgres.h"

#include "consumer/client_watch.h"
#include "partition/question.h"
#include "partition/status.h"

/* Several questions, each of which has a second; a busy machine may take longer. */
#define SILENCE_US		(30 * USECS_PER_SEC)
/* The member's session has ended long ago, by any usual session.timeout.ms. */
#define OUTAGE_US		(300 * USECS_PER_SEC)

static struct
{
	bool		suspected;		/* until there is an answer */
	uint64		tag;			/* 0: it is not asked now */
	TimestampTz ask_at;
	TimestampTz silent_since;	/* while Kafka answers the metadata client; 0: it is not silent */
	TimestampTz away_since;		/* while Kafka answers neither; 0: it does */
}			watch = {.suspected = true};

void
burrow_client_watch_suspect(void)
{
	watch.suspected = true;
}

static bool
is_in_doubt(const BurrowConsumer *c)
{
	return c->client != NULL && !burrow_status_is_stopping() && (watch.suspected || !burrow_status_has_joined());
}

/* Whether the time is up of what is so since then, or begins to be so now. */
static bool
lasts(const BurrowConsumer *c, TimestampTz *since, int64 limit_us)
{
	if (*since == 0)
		*since = c->now;
	return c->now - *since >= limit_us;
}

static void
make_new_clients(const BurrowConsumer *c, TimestampTz since)
{
	ereport(LOG,
			(errmsg("subscription \"%s\": Kafka has not answered the member of the consumer group for %d s",
					c->sub->name, (int) ((c->now - since) / USECS_PER_SEC)),
			 errdetail("Another consumer is started, with new connections.")));
	burrow_status_stop(BURROW_STOP_RESTART);
}

static void
take(const BurrowConsumer *c, const BurrowKafkaEvent *event)
{
	watch.tag = 0;
	watch.ask_at = c->now + BURROW_PROBE_US;

	if (event->error == 0)
	{
		watch.suspected = false;
		watch.silent_since = 0;
		watch.away_since = 0;
		return;
	}
	if (burrow_status_is_failing())
	{
		watch.silent_since = 0;
		if (lasts(c, &watch.away_since, OUTAGE_US))
			make_new_clients(c, watch.away_since);
		return;
	}
	watch.away_since = 0;
	if (lasts(c, &watch.silent_since, SILENCE_US))
		make_new_clients(c, watch.silent_since);
}

TimestampTz
burrow_client_watch_run(const BurrowConsumer *c)
{
	char		text[BURROW_KAFKA_TEXT_MAX];

	if (!is_in_doubt(c) || watch.tag != 0)
		return 0;
	if (c->now >= watch.ask_at)
	{
		/* what fails for want of memory is tried again */
		watch.ask_at = c->now + BURROW_PROBE_US;
		watch.tag = burrow_question_ask_contact(c, take, text);
	}
	return watch.tag == 0 ? watch.ask_at : 0;
}
