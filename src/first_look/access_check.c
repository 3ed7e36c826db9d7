/*
 * access_check.c
 *	  May a subscription's client use its topic and its group?
 *
 * Asked by doing it: the topic's first partition is read, and the group's offset of it is asked for.  Nothing
 * is joined or committed, so a client that may describe the group and not read it is not found out.
 *
 * The answer about the group is that of its coordinator.  Who asks must not have the question time out (see
 * fetch_committed() in kafka.h): it is left behind with the client when the process ends.
 *
 * Runs in: processes of burrow.check_connection().
 */
#include "postgres.h"

#include "catalog/subscription.h"
#include "first_look/access_check.h"
#include "first_look/step.h"
#include "runtime/kafka_client.h"
#include "runtime/transaction.h"

/* For each of the two. */
#define ANSWER_MS	5000

static BurrowSubscription *
load_subscription(const BurrowVisit *visit, int32 subid)
{
	MemoryContext cxt = CurrentMemoryContext;
	BurrowSubscription *sub;

	burrow_transaction_begin();
	MemoryContextSwitchTo(cxt);
	sub = burrow_subscription_load(subid);
	burrow_transaction_commit(cxt);
	if (sub == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the subscription has been changed concurrently"),
				 errhint("Try again.")));
	sub->server = (BurrowServer *) visit->server;
	return sub;
}

/* Reads what comes at the end, which is that there is no more, as a rule.  NULL: it may. */
static const char *
read_partition(BurrowVisit *visit, const BurrowKafkaTopicPartition *item)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ANSWER_MS);
	BurrowKafkaPartition *queue = visit->kafka->open_queue(visit->client, item->topic, item->partition, 1, visit->text);
	BurrowKafkaMessage km;

	if (queue == NULL || !visit->kafka->visit->start_reading(queue, BURROW_KAFKA_LATEST, visit->text))
		return visit->text;
	for (;;)
	{
		switch (visit->kafka->poll_queue(queue, &km))
		{
			case BURROW_KAFKA_MESSAGE:
			case BURROW_KAFKA_END:
				return NULL;
			case BURROW_KAFKA_BROKEN:
				if (km.fault != BURROW_KAFKA_FAULT_PASSING || !burrow_visit_wait(visit, until))
					return pstrdup(km.text);
				break;
			case BURROW_KAFKA_EMPTY:
				if (!burrow_visit_wait(visit, until))
					return burrow_visit_reason(visit);
				break;
		}
	}
}

/* The partitions, to be freed; NULL: there is none to be seen. */
static BurrowKafkaList *
check_topic(BurrowVisit *visit, const BurrowSubscription *sub)
{
	BurrowKafkaList *list;
	const char *reason = NULL;

	visit->text[0] = '\0';
	list = visit->kafka->list_partitions(visit->client, sub->topic, BURROW_VISIT_ASK_MS, visit->text);
	if (list == NULL)
		reason = burrow_visit_reason(visit);
	else if (list->n == 0)
		reason = "Kafka has no such topic, or does not show it to this client";
	else
		reason = read_partition(visit, &list->items[0]);
	burrow_step_report("topic", sub->topic, reason == NULL, reason, reason == NULL ? NULL :
					   "The topic has to be there, and the client needs the ACLs Describe and Read for it.");
	if (list != NULL && list->n > 0)
		return list;
	visit->kafka->list_free(list);
	return NULL;
}

/* Of a group whose coordinator was chosen just now: it is asked again. */
static bool
is_passing(const char *error_name)
{
	return strcmp(error_name, "NOT_COORDINATOR") == 0 || strcmp(error_name, "COORDINATOR_NOT_AVAILABLE") == 0 ||
		strcmp(error_name, "COORDINATOR_LOAD_IN_PROGRESS") == 0;
}

/* NULL: the group's offset was told; "": not yet, and *again: it has to be asked for again. */
static const char *
take_answer(BurrowVisit *visit, BurrowKafkaClient *client, bool *again)
{
	BurrowKafkaEvent event;

	*again = false;
	while (visit->kafka->poll(client, &event))
	{
		if (event.type == BURROW_KAFKA_ERROR && burrow_kafka_cause_is_refusal(event.cause))
			return pstrdup(event.text);
		if (event.type != BURROW_KAFKA_FETCHED)
			continue;
		*again = event.error != 0 && is_passing(event.error_name);
		if (*again)
			return "";
		if (event.error != 0)
			return pstrdup(event.text);
		for (int i = 0; i < event.list.n; i++)
			if (event.list.items[i].error != 0)
				return event.list.items[i].error_text;
		return NULL;
	}
	return "";
}

static void
check_group(BurrowVisit *visit, const BurrowSubscription *sub, BurrowKafkaList *list)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ANSWER_MS);
	BurrowKafkaClient *client = burrow_kafka_client_open_metadata(visit->kafka, sub, visit->wake_write, 1);
	const char *reason = "";
	bool		ask = true;

	while (reason != NULL && reason[0] == '\0')
	{
		if (ask && !visit->kafka->fetch_committed(client, list, 0, visit->text))
			reason = visit->text;
		else
			reason = take_answer(visit, client, &ask);
		if (reason != NULL && reason[0] == '\0' && !burrow_visit_wait(visit, until))
			reason = "the group's coordinator does not answer";
	}
	burrow_step_report("group", sub->consumer_group, reason == NULL, reason, reason == NULL ? NULL :
					   "The client needs the ACL Read for the group, and the coordinator is the broker that leads the group's partition of __consumer_offsets.");
}

void
burrow_access_check_run(BurrowVisit *visit, int32 subid)
{
	const BurrowSubscription *sub = load_subscription(visit, subid);
	BurrowKafkaList *list = check_topic(visit, sub);

	/* without a partition there is no offset to ask for */
	if (list != NULL)
		check_group(visit, sub, list);
}
