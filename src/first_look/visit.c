/*
 * visit.c
 *	  A Kafka client for a look at a cluster, and what it hears.
 *
 * The client has no group: it asks, and reads by offsets that it is given, so nothing in Kafka
 * tells afterwards that it was there.
 *
 * Runs in: processes of a first look at a cluster.
 */
#include "postgres.h"

#include <unistd.h>

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"

#include "catalog/nearest.h"
#include "catalog/sqlstates.h"
#include "compat.h"
#include "first_look/look.h"
#include "first_look/visit.h"
#include "runtime/kafka_client.h"
#include "runtime/kafka_library.h"
#include "shmem/wait_events.h"

/* Between two attempts. */
#define PAUSE_MS		100

/* Every address was tried: time for one that comes back just now. */
#define DOWN_MS			1500

void
burrow_visit_open(BurrowVisit *visit, const BurrowServer *server, int messages)
{
	memset(visit, 0, sizeof(*visit));
	visit->kafka = burrow_kafka_library();
	visit->server = server;
	visit->deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), BURROW_LOOK_SECONDS * 1000);
	visit->what = "connect";
	burrow_kafka_client_make_pipe(&visit->wake_read, &visit->wake_write);
	visit->client = burrow_kafka_client_open_visitor(visit->kafka, server, visit->wake_write, messages);
}

const char *
burrow_visit_where(const BurrowVisit *visit)
{
	return visit->server->name != NULL ? psprintf("server \"%s\"", visit->server->name) :
		"the cluster of burrow.bootstrap_servers";
}

static void
serve_client(BurrowVisit *visit)
{
	BurrowKafkaEvent event;

	while (visit->kafka->poll(visit->client, &event))
	{
		if (event.type == BURROW_KAFKA_ERROR && visit->down_until == 0 && event.error_name != NULL &&
			strcmp(event.error_name, "_ALL_BROKERS_DOWN") == 0)
			visit->down_until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), DOWN_MS);
		if (event.type != BURROW_KAFKA_ERROR || event.topic[0] != '\0' ||
			(visit->connection_text[0] != '\0' && !burrow_kafka_cause_says_more(event.cause, visit->cause)))
			continue;
		visit->cause = event.cause;
		visit->refused = burrow_kafka_cause_is_refusal(event.cause);
		strlcpy(visit->connection_text, event.text, sizeof(visit->connection_text));
	}
}

bool
burrow_visit_wait(BurrowVisit *visit, TimestampTz until)
{
	char		ids[512];

	serve_client(visit);
	if (visit->refused || GetCurrentTimestamp() >= Min(until, visit->deadline) ||
		(visit->down_until != 0 && GetCurrentTimestamp() >= visit->down_until))
		return false;
	(void) WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_SOCKET_READABLE | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
							 visit->wake_read, PAUSE_MS, burrow_wait_event(BURROW_WAIT_LOOK));
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	while (read(visit->wake_read, ids, sizeof(ids)) > 0)
		;
	return true;
}

const char *
burrow_visit_reason(const BurrowVisit *visit)
{
	/*
	 * what a broker has said begins so; the rest is librdkafka's own, that there was no answer in
	 * time
	 */
	bool		said = strncmp(visit->text, "Broker:", 7) == 0;

	return visit->cause == BURROW_CAUSE_NO_ANSWER && said ? visit->text : burrow_kafka_cause_words(visit->cause);
}

void
burrow_visit_fail(const BurrowVisit *visit)
{
	ereport(ERROR,
			(errcode(burrow_sqlstate_pack(burrow_kafka_cause_sqlstate(visit->cause))),
			 errmsg("could not %s of %s: %s", visit->what, burrow_visit_where(visit), burrow_visit_reason(visit)),
			 visit->connection_text[0] != '\0' ? errdetail_internal("%s", visit->connection_text) :
			 visit->text[0] != '\0' ? errdetail_internal("%s", visit->text) : 0));
	pg_unreachable();
}

void
burrow_visit_must_wait(BurrowVisit *visit)
{
	if (!burrow_visit_wait(visit, visit->deadline))
		burrow_visit_fail(visit);
}

BurrowKafkaList *
burrow_visit_list(BurrowVisit *visit, const char *topic)
{
	BurrowKafkaList *list;

	visit->what = "list the topics";
	while ((list = visit->kafka->list_partitions(visit->client, topic, BURROW_VISIT_ASK_MS, visit->text)) == NULL)
		burrow_visit_must_wait(visit);
	return list;
}

/* With the name that is most like it. */
static void pg_attribute_noreturn()
refuse_topic(BurrowVisit *visit, const char *topic)
{
	BurrowKafkaList *all = burrow_visit_list(visit, BURROW_VISIT_ALL_TOPICS);
	BurrowNearest nearest;

	burrow_nearest_init(&nearest, topic);
	for (int i = 0; i < all->n; i++)
		burrow_nearest_offer(&nearest, all->items[i].topic);
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 topic[0] == '^' ?
			 errmsg("no topic matches \"%s\"", topic) :
			 errmsg("topic \"%s\" does not exist", topic),
			 errdetail("Kafka has none, or does not show it to this client."),
			 nearest.best != NULL ? errhint("Perhaps you meant \"%s\".", nearest.best) :
			 errhint("Names are case sensitive.")));
	pg_unreachable();
}

BurrowKafkaList *
burrow_visit_partitions(BurrowVisit *visit, const char *topic)
{
	BurrowKafkaList *list = burrow_visit_list(visit, topic);

	if (list->n == 0)
		refuse_topic(visit, topic);
	return list;
}

int64 *
burrow_visit_offsets(BurrowVisit *visit, const BurrowKafkaList *list, int64 at)
{
	BurrowKafkaList *asked = visit->kafka->list_new(list->n);
	int64	   *offsets = palloc(sizeof(int64) * Max(list->n, 1));
	bool		answered = false;

	if (asked == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	visit->what = "look up the offsets";
	while (!answered)
	{
		for (int i = 0; i < list->n; i++)
			if (!visit->kafka->list_set(asked, i, list->items[i].topic, list->items[i].partition, at, NULL, 0))
				ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
		visit->text[0] = '\0';
		answered = visit->kafka->list_offsets(visit->client, asked, BURROW_VISIT_ASK_MS, visit->text);
		for (int i = 0; answered && i < list->n; i++)
			offsets[i] = asked->items[i].error == 0 ? asked->items[i].offset : -1;
		if (!answered)
			burrow_visit_must_wait(visit);
	}
	visit->kafka->list_free(asked);
	return offsets;
}
