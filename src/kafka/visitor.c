/*
 * visitor.c
 *	  What only a look at a cluster asks.
 *
 * Each question has a queue of its own, so that an answer that comes too late for one is not taken
 * for another's.  None of them is sent to a group's coordinator (see fetch_committed() in kafka.h for why that
 * would matter).
 *
 * Runs in: processes of a first look at a cluster.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kafka/handshake.h"
#include "kafka/internal.h"
#include "kafka/lookup.h"

/* librdkafka's answer that there is none comes a little after the time. */
#define GRACE_MS	1000

/*
 * librdkafka's "simple" consumer: assign() is for those with a group only, and one that has a group asks the brokers
 * for its coordinator, whatever it does.  That needs the right to describe the group, and makes the topic
 * __consumer_offsets where there is none.
 */
static bool
start_reading(BurrowKafkaPartition *p, int64_t offset, char *error)
{
	rd_kafka_topic_t *topic = rd_kafka_topic_new(p->client->rk, p->topic, NULL);
	bool		ok = topic != NULL && rd_kafka_consume_start(topic, p->partition, offset) == 0;

	if (!ok)
		(void) burrow_kafka_fail(rd_kafka_last_error(), error);
	/* its partition keeps it */
	if (topic != NULL)
		rd_kafka_topic_destroy(topic);
	return ok;
}

static void
stop_reading(BurrowKafkaPartition *p)
{
	rd_kafka_topic_t *topic = rd_kafka_topic_new(p->client->rk, p->topic, NULL);

	if (topic != NULL)
	{
		(void) rd_kafka_consume_stop(topic, p->partition);
		rd_kafka_topic_destroy(topic);
	}
	burrow_kafka_close_queue(p);
}

static int
brokers(BurrowKafkaClient *c, BurrowKafkaBroker *list, int room, int timeout_ms, char *error)
{
	const rd_kafka_metadata_t *metadata;

	/* without topics, unless there is one that the client knows */
	rd_kafka_resp_err_t code = rd_kafka_metadata(c->rk, 0, NULL, &metadata, timeout_ms);
	int			n = 0;

	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
	{
		(void) burrow_kafka_fail(code, error);
		return -1;
	}
	for (int i = 0; i < metadata->broker_cnt && n < room; i++, n++)
	{
		list[n].id = metadata->brokers[i].id;
		list[n].port = metadata->brokers[i].port;
		snprintf(list[n].host, sizeof(list[n].host), "%s", metadata->brokers[i].host);
	}
	rd_kafka_metadata_destroy(metadata);
	return n;
}

/* Asks for the settings of these; the answer, to be destroyed, or NULL. */
static rd_kafka_event_t *
describe(BurrowKafkaClient *c, rd_kafka_ResourceType_t type, const char *const *names, int n, int timeout_ms,
		 char *error)
{
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(c->rk, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
	rd_kafka_ConfigResource_t **resources = calloc(n, sizeof(rd_kafka_ConfigResource_t *));
	rd_kafka_queue_t *queue = rd_kafka_queue_new(c->rk);
	rd_kafka_event_t *event = NULL;

	if (options != NULL && resources != NULL &&
		rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, error, BURROW_KAFKA_TEXT_MAX) == RD_KAFKA_RESP_ERR_NO_ERROR)
	{
		for (int i = 0; i < n; i++)
			resources[i] = rd_kafka_ConfigResource_new(type, names[i]);
		rd_kafka_DescribeConfigs(c->rk, resources, n, options, queue);
		rd_kafka_ConfigResource_destroy_array(resources, n);
		event = rd_kafka_queue_poll(queue, timeout_ms + GRACE_MS);
		if (event == NULL)
			(void) burrow_kafka_fail(RD_KAFKA_RESP_ERR__TIMED_OUT, error);
	}
	if (options != NULL)
		rd_kafka_AdminOptions_destroy(options);
	free(resources);
	rd_kafka_queue_destroy(queue);
	return event;
}

/* Settings of a broker are asked from that broker. */
static bool
broker_answers(BurrowKafkaClient *c, int32_t id, int timeout_ms, char *error)
{
	char		name[16];
	const char *names[] = {name};
	rd_kafka_event_t *event;
	rd_kafka_resp_err_t code;

	snprintf(name, sizeof(name), "%d", (int) id);
	event = describe(c, RD_KAFKA_RESOURCE_BROKER, names, 1, timeout_ms, error);
	if (event == NULL)
		return false;
	code = rd_kafka_event_error(event);
	if (code < 0)				/* librdkafka's own: no broker has said it */
		burrow_kafka_redact(&c->conf->secrets, rd_kafka_event_error_string(event), error, BURROW_KAFKA_TEXT_MAX);
	rd_kafka_event_destroy(event);
	return code >= 0;
}

static char
timestamp_type(const rd_kafka_ConfigResource_t *resource)
{
	size_t		n;
	const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &n);

	for (size_t i = 0; i < n; i++)
	{
		const char *value = rd_kafka_ConfigEntry_value(entries[i]);

		if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), "message.timestamp.type") == 0 && value != NULL)
			return strcmp(value, "LogAppendTime") == 0 ? 'L' : strcmp(value, "CreateTime") == 0 ? 'C' : 0;
	}
	return 0;
}

static bool
timestamp_types(BurrowKafkaClient *c, const char *const *topics, int n, int timeout_ms, char *types, char *error)
{
	const rd_kafka_ConfigResource_t **resources;
	size_t		nresources;
	rd_kafka_event_t *event;
	int			at = 0;

	memset(types, 0, n);
	event = n > 0 ? describe(c, RD_KAFKA_RESOURCE_TOPIC, topics, n, timeout_ms, error) : NULL;
	if (event == NULL)
		return n == 0;
	if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
	{
		burrow_kafka_redact(&c->conf->secrets, rd_kafka_event_error_string(event), error, BURROW_KAFKA_TEXT_MAX);
		rd_kafka_event_destroy(event);
		return false;
	}
	resources = rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &nresources);
	for (size_t i = 0; i < nresources; i++)
	{
		/* they come in the order in which they were asked for, nearly always */
		for (int tried = 0; tried < n && strcmp(topics[at], rd_kafka_ConfigResource_name(resources[i])) != 0; tried++)
			at = (at + 1) % n;
		if (strcmp(topics[at], rd_kafka_ConfigResource_name(resources[i])) == 0)
			types[at] = timestamp_type(resources[i]);
	}
	rd_kafka_event_destroy(event);
	return true;
}

const BurrowKafkaVisitFunctions burrow_kafka_visit_functions = {
	.start_reading = start_reading,
	.brokers = brokers,
	.broker_answers = broker_answers,
	.timestamp_types = timestamp_types,
	.stop_reading = stop_reading,
	.look_up = burrow_kafka_look_up,
	.looked_up = burrow_kafka_looked_up,
	.leave_lookup = burrow_kafka_leave_lookup,
	.shake_hands = burrow_kafka_shake_hands,
};
