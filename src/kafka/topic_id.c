/*
 * topic_id.c
 *	  Asking the cluster for the ids of topics.
 *
 * librdkafka has the functions since 2.3, and this library is built with the headers of whatever
 * there is, 2.0.2 on Debian 12: so they are looked up when the library is there, and by whoever
 * runs with an older one nothing is asked.
 *
 * The question is a request for the topics' metadata, but not one that librdkafka answers from
 * its cache, and no topic is made by it.  The answers have a queue of their own: those who look into
 * single messages (peek.c) empty the main one.
 *
 * Runs in: the consumer.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE				/* RTLD_DEFAULT */
#endif
#include <dlfcn.h>
#include <string.h>

#include "kafka/internal.h"

/* RD_KAFKA_EVENT_DESCRIBETOPICS_RESULT, as in all versions that have it */
#define EVENT_DESCRIBETOPICS_RESULT 0x100000

/* librdkafka's functions.  Its types for this are opaque, and not in the headers before 2.3. */
static struct
{
	bool		looked_up;
	bool		found;
	void	   *(*new_topics) (const char **topics, size_t n);
	void		(*destroy_topics) (void *topics);
	void		(*describe) (rd_kafka_t *rk, const void *topics, const rd_kafka_AdminOptions_t *options,
							 rd_kafka_queue_t *queue);
	const void *(*result) (rd_kafka_event_t *event);
	const void **(*result_topics) (const void *result, size_t *n);
	const char *(*name) (const void *topic);
	const void *(*topic_id) (const void *topic);
	const rd_kafka_error_t *(*error) (const void *topic);
	int64_t		(*high_bits) (const void *uuid);
	int64_t		(*low_bits) (const void *uuid);
}			functions;

/* POSIX, unlike C, lets a pointer to an object become one to a function; by memcpy() no compiler minds. */
static bool
look_up(void *function, const char *name)
{
	void	   *found = dlsym(RTLD_DEFAULT, name);

	memcpy(function, &found, sizeof(found));
	return found != NULL;
}

bool
burrow_kafka_tells_topic_ids(void)
{
	if (!functions.looked_up)
		functions.found =
			look_up(&functions.new_topics, "rd_kafka_TopicCollection_of_topic_names") &&
			look_up(&functions.destroy_topics, "rd_kafka_TopicCollection_destroy") &&
			look_up(&functions.describe, "rd_kafka_DescribeTopics") &&
			look_up(&functions.result, "rd_kafka_event_DescribeTopics_result") &&
			look_up(&functions.result_topics, "rd_kafka_DescribeTopics_result_topics") &&
			look_up(&functions.name, "rd_kafka_TopicDescription_name") &&
			look_up(&functions.topic_id, "rd_kafka_TopicDescription_topic_id") &&
			look_up(&functions.error, "rd_kafka_TopicDescription_error") &&
			look_up(&functions.high_bits, "rd_kafka_Uuid_most_significant_bits") &&
			look_up(&functions.low_bits, "rd_kafka_Uuid_least_significant_bits");
	functions.looked_up = true;
	return functions.found;
}

static rd_kafka_queue_t *
answers(BurrowKafkaClient *c)
{
	static const uint32_t main_id = 0;

	if (c->descriptions == NULL)
	{
		c->descriptions = rd_kafka_queue_new(c->rk);
		rd_kafka_queue_io_event_enable(c->descriptions, c->wake_fd, &main_id, sizeof(main_id));
	}
	return c->descriptions;
}

bool
burrow_kafka_describe_topics(BurrowKafkaClient *c, const char **topics, int n, int timeout_ms,
							 uint64_t tag, char *error)
{
	/* for any request: there is no number for this one in older headers */
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(c->rk, RD_KAFKA_ADMIN_OP_ANY);
	rd_kafka_resp_err_t code;
	void	   *collection;

	if (options == NULL || !burrow_kafka_tells_topic_ids())
	{
		if (options != NULL)
			rd_kafka_AdminOptions_destroy(options);
		return burrow_kafka_fail(RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, error);
	}
	code = rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, error, BURROW_KAFKA_TEXT_MAX);
	rd_kafka_AdminOptions_set_opaque(options, (void *) (uintptr_t) tag);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
	{
		collection = functions.new_topics(topics, n);
		functions.describe(c->rk, collection, options, answers(c));
		functions.destroy_topics(collection);
	}
	rd_kafka_AdminOptions_destroy(options);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR;
}

bool
burrow_kafka_is_description(rd_kafka_event_t *rd)
{
	return rd_kafka_event_type(rd) == EVENT_DESCRIBETOPICS_RESULT;
}

/* One of the answer. */
static void
fill_item(BurrowKafkaTopicPartition *item, const void *topic)
{
	const rd_kafka_error_t *error = functions.error(topic);
	const void *id = functions.topic_id(topic);
	rd_kafka_resp_err_t code = error == NULL ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_error_code(error);

	memset(item, 0, sizeof(*item));
	/* librdkafka's, in the event */
	item->topic = (char *) functions.name(topic);

	item->partition = -1;
	item->offset = BURROW_KAFKA_NONE_OFFSET;
	item->error = code;
	item->error_text = code == RD_KAFKA_RESP_ERR_NO_ERROR ? NULL : rd_kafka_err2str(code);
	item->gone = code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR && id != NULL)
		item->topic_id = burrow_topic_id_make((uint64_t) functions.high_bits(id), (uint64_t) functions.low_bits(id));
}

/* True, as translate() in events.c: there is something to tell. */
bool
burrow_kafka_fill_description(BurrowKafkaClient *c, BurrowKafkaEvent *event, rd_kafka_event_t *rd)
{
	const void **topics = NULL;
	size_t		n = 0;
	rd_kafka_resp_err_t code = rd_kafka_event_error(rd);

	event->type = BURROW_KAFKA_DESCRIBED;
	event->tag = (uint64_t) (uintptr_t) rd_kafka_event_opaque(rd);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		topics = functions.result_topics(functions.result(rd), &n);

	if (n > INT32_MAX || !burrow_kafka_make_room(c, (int) n))
	{
		n = 0;
		burrow_kafka_fill_error(c, event, RD_KAFKA_RESP_ERR__FAIL, "out of memory");
	}
	else
		burrow_kafka_fill_error(c, event, code, rd_kafka_event_error_string(rd));

	event->list.items = c->items;
	for (size_t i = 0; i < n; i++)
	{
		/* a broker that says nothing of a topic leaves a hole */
		if (topics[i] != NULL)
			fill_item(&c->items[event->list.n++], topics[i]);
	}
	return true;
}
