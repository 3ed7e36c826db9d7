/*
 * client.c
 *	  The client's life: opened, in a group, assigned, committing, closed.
 *
 * What waits: subscribe(), assign(), unassign() and cooperative() hand a request to
 * librdkafka's main thread and wait for its answer.  That thread never waits for the network,
 * so these take microseconds.  commit() and fetch_committed() do not wait at all: their answers
 * are events.
 *
 * Closing.  The consumer queue itself is given to rd_kafka_consumer_close_queue(), so the
 * REVOKE comes where rebalances always come.  rd_kafka_destroy() must not meet a close that is
 * under way: it would wait for ever for the answer to a rebalance, and (seen with 2.0.2, its main
 * thread spinning) for the answer to the leaving of the group, which it has just cut off.  So
 * destroy() finishes the close first, and if that takes too long it leaves librdkafka and its
 * threads as they are.
 *
 * A static member (group.instance.id) does not leave its group when it closes: its partitions
 * wait for it until session.timeout.ms has passed.  Who wants to leave for good calls leave()
 * first.  With group.protocol=consumer there is nothing to call: any other member leaves by closing, and
 * a static one cannot.
 *
 * Runs in: the consumer.
 */
#include <stdlib.h>
#include <string.h>

#include "kafka/asker.h"
#include "kafka/internal.h"

/* How long destroy() waits for a close that is not finished, and how often it looks. */
#define FINISH_MS		1000
#define FINISH_STEP_MS	50

BurrowKafkaClient *
burrow_kafka_open(BurrowKafkaConf *conf, const char *group, int wake_fd, char *error)
{
	BurrowKafkaClient *c;
	char	   *copy;

	if (!burrow_kafka_conf_finish(conf, group, error))
		return NULL;
	copy = group != NULL ? strdup(group) : NULL;
	if (group != NULL && copy == NULL)
	{
		(void) burrow_kafka_no_memory(error);
		return NULL;
	}
	c = burrow_kafka_start(conf, RD_KAFKA_CONSUMER, wake_fd, error);
	if (c == NULL)
		free(copy);
	else
		c->group = copy;
	return c;
}

bool
burrow_kafka_subscribe(BurrowKafkaClient *c, const char *topic, char *error)
{
	rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
	rd_kafka_resp_err_t code;

	rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
	code = rd_kafka_subscribe(c->rk, topics);
	rd_kafka_topic_partition_list_destroy(topics);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR || burrow_kafka_fail(code, error);
}

static bool
is_next_protocol(const BurrowKafkaClient *c)
{
	char		protocol[32] = "";
	size_t		room = sizeof(protocol);

	/* a version without the property knows the classic protocol only */
	(void) rd_kafka_conf_get(rd_kafka_conf(c->rk), "group.protocol", protocol, &room);
	return strcmp(protocol, "consumer") == 0;
}

/*
 * Leaves the group, static member or not; the REVOKE has to be answered as always.
 * librdkafka keeps a static member in the group only when it closes.
 *
 * With group.protocol=consumer it keeps one either way (epoch -2, 2.4 to 2.15), and nothing tells
 * when the request was sent: the member's id, which left() looks at, is never forgotten.
 */
bool
burrow_kafka_leave(BurrowKafkaClient *c, char *error)
{
	rd_kafka_resp_err_t code;

	if (is_next_protocol(c))
	{
		burrow_kafka_text_copy(error, BURROW_KAFKA_TEXT_MAX, "with group.protocol=consumer a member leaves by closing");
		return false;
	}
	code = rd_kafka_unsubscribe(c->rk);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR || burrow_kafka_fail(code, error);
}

/*
 * librdkafka sends the request when the last fetcher of the assignment has stopped, some
 * time after unassign(), and not at all if it is told to close before that.  It forgets
 * its member id when it sends it.
 */
bool
burrow_kafka_left(BurrowKafkaClient *c)
{
	char	   *member_id = rd_kafka_memberid(c->rk);
	bool		left = member_id == NULL || *member_id == '\0';

	if (member_id != NULL)
		rd_kafka_mem_free(c->rk, member_id);
	return left;
}

bool
burrow_kafka_is_incremental(BurrowKafkaClient *c)
{
	return strcmp(rd_kafka_rebalance_protocol(c->rk), "COOPERATIVE") == 0;
}

bool
burrow_kafka_assign(BurrowKafkaClient *c, const BurrowKafkaList *list, char *error)
{
	rd_kafka_topic_partition_list_t *rd = burrow_kafka_list_to_rd(list);
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
	rd_kafka_error_t *why = NULL;

	if (rd == NULL)
		return burrow_kafka_no_memory(error);
	if (burrow_kafka_is_incremental(c))
		why = rd_kafka_incremental_assign(c->rk, rd);
	else
		code = rd_kafka_assign(c->rk, rd);
	rd_kafka_topic_partition_list_destroy(rd);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return burrow_kafka_fail(code, error);
	return burrow_kafka_fail_error(c, why, error);
}

bool
burrow_kafka_assign_more(BurrowKafkaClient *c, const BurrowKafkaList *all, const BurrowKafkaList *more,
						 char *error)
{
	return burrow_kafka_assign(c, burrow_kafka_is_incremental(c) ? more : all, error);
}

bool
burrow_kafka_is_lost(BurrowKafkaClient *c)
{
	return rd_kafka_assignment_lost(c->rk) != 0;
}

/*
 * Takes out of rd what is not assigned.  Who leaves its group is asked to give up all that the
 * group has for it, also what it has not taken over; librdkafka refuses to take away
 * what it was not given, and waits for another answer.
 */
static bool
keep_assigned(BurrowKafkaClient *c, rd_kafka_topic_partition_list_t *rd, char *error)
{
	rd_kafka_topic_partition_list_t *assigned;
	rd_kafka_resp_err_t code = rd_kafka_assignment(c->rk, &assigned);

	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return burrow_kafka_fail(code, error);
	for (int i = rd->cnt - 1; i >= 0; i--)
	{
		if (rd_kafka_topic_partition_list_find(assigned, rd->elems[i].topic, rd->elems[i].partition) == NULL)
			(void) rd_kafka_topic_partition_list_del_by_idx(rd, i);
	}
	rd_kafka_topic_partition_list_destroy(assigned);
	return true;
}

/* With the eager protocol all goes at once, whatever the list says: it says so too. */
bool
burrow_kafka_unassign(BurrowKafkaClient *c, const BurrowKafkaList *list, char *error)
{
	rd_kafka_topic_partition_list_t *rd;
	rd_kafka_error_t *why;

	if (!burrow_kafka_is_incremental(c))
	{
		rd_kafka_resp_err_t code = rd_kafka_assign(c->rk, NULL);

		return code == RD_KAFKA_RESP_ERR_NO_ERROR || burrow_kafka_fail(code, error);
	}

	rd = burrow_kafka_list_to_rd(list);
	if (rd == NULL)
		return burrow_kafka_no_memory(error);
	if (!keep_assigned(c, rd, error))
	{
		rd_kafka_topic_partition_list_destroy(rd);
		return false;
	}
	why = rd_kafka_incremental_unassign(c->rk, rd);
	rd_kafka_topic_partition_list_destroy(rd);
	return burrow_kafka_fail_error(c, why, error);
}

bool
burrow_kafka_commit(BurrowKafkaClient *c, const BurrowKafkaList *list, char *error)
{
	rd_kafka_topic_partition_list_t *rd;
	rd_kafka_resp_err_t code;

	if (list->n == 0)
	{
		c->owes_committed = true;
		burrow_kafka_wake(c, 0);
		return true;
	}

	rd = burrow_kafka_list_to_rd(list);
	if (rd == NULL)
		return burrow_kafka_no_memory(error);
	code = rd_kafka_commit_queue(c->rk, rd, c->main, NULL, NULL);
	rd_kafka_topic_partition_list_destroy(rd);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR || burrow_kafka_fail(code, error);
}

/*
 * A request to a group's coordinator that has timed out, while there was none, is still in a list
 * of librdkafka's; when the coordinator is there, it is told of as failed though its record is
 * freed, and an assertion (rdkafka_queue.h) aborts the process: 2.0.2 to 2.12.0, read and seen.
 * So it gets the longest time that there is (BURROW_KAFKA_COMMITTED_MS), and who asks does not count on an answer.
 */
bool
burrow_kafka_fetch_committed(BurrowKafkaClient *c, const BurrowKafkaList *list, uint64_t tag, char *error)
{
	rd_kafka_topic_partition_list_t *rd;
	rd_kafka_ListConsumerGroupOffsets_t *request;
	rd_kafka_AdminOptions_t *options;
	rd_kafka_resp_err_t code;
	char		why[BURROW_KAFKA_TEXT_MAX];

	if (list->n == 0)
	{
		c->owes_fetched = true;
		c->owed_tag = tag;
		burrow_kafka_wake(c, 0);
		return true;
	}

	options = rd_kafka_AdminOptions_new(c->rk, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
	code = rd_kafka_AdminOptions_set_request_timeout(options, BURROW_KAFKA_COMMITTED_MS, why, sizeof(why));
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
	{
		rd_kafka_AdminOptions_destroy(options);
		burrow_kafka_text_copy(error, BURROW_KAFKA_TEXT_MAX, why);
		return false;
	}
	/* a number that is never followed as a pointer */
	rd_kafka_AdminOptions_set_opaque(options, (void *) (uintptr_t) tag);
	rd = burrow_kafka_list_to_rd(list);
	if (rd == NULL)
	{
		rd_kafka_AdminOptions_destroy(options);
		return burrow_kafka_no_memory(error);
	}

	if (c->nfetches++ == 0)
		c->fetching_since_ms = burrow_kafka_now_ms();
	request = rd_kafka_ListConsumerGroupOffsets_new(c->group, rd);
	rd_kafka_ListConsumerGroupOffsets(c->rk, &request, 1, options, c->main);
	rd_kafka_ListConsumerGroupOffsets_destroy(request);
	rd_kafka_topic_partition_list_destroy(rd);
	rd_kafka_AdminOptions_destroy(options);
	return true;
}

bool
burrow_kafka_close_begin(BurrowKafkaClient *c, char *error)
{
	rd_kafka_error_t *why;

	if (c->closing)
		return true;
	c->closing = true;
	why = rd_kafka_consumer_close_queue(c->rk, c->main);
	if (why == NULL)
		return true;

	/* After a fatal error librdkafka has let go of the group by itself and closes no more. */
	c->close_refused = true;
	if (rd_kafka_error_is_fatal(why) ||
		rd_kafka_error_code(why) == RD_KAFKA_RESP_ERR__DESTROY)
	{
		rd_kafka_error_destroy(why);
		return true;
	}
	return burrow_kafka_fail_error(c, why, error);
}

bool
burrow_kafka_closed(BurrowKafkaClient *c)
{
	return c->close_refused || rd_kafka_consumer_closed(c->rk) != 0;
}

/*
 * Closes, answering what is still to be answered, and drops all other events; false: time is up.
 * Waits on the queue, not on the pipe, which is the caller's to read.
 */
static bool
finish_closing(BurrowKafkaClient *c)
{
	int64_t		until = burrow_kafka_now_ms() + FINISH_MS;
	char		error[BURROW_KAFKA_TEXT_MAX];

	if (c->closing)
		(void) rd_kafka_assign(c->rk, NULL);	/* a REVOKE that the caller has taken */
	else if (!burrow_kafka_close_begin(c, error))
		return false;

	while (!burrow_kafka_closed(c) && burrow_kafka_now_ms() < until)
	{
		rd_kafka_event_t *rd = rd_kafka_queue_poll(c->main, FINISH_STEP_MS);

		/*
		 * librdkafka takes any answer of a closing client for a "no", so an ASSIGN has this one
		 * too
		 */
		if (rd != NULL && rd_kafka_event_type(rd) == RD_KAFKA_EVENT_REBALANCE)
			(void) rd_kafka_assign(c->rk, NULL);
		if (rd != NULL)
			rd_kafka_event_destroy(rd);
	}
	return burrow_kafka_closed(c);
}

void
burrow_kafka_destroy(BurrowKafkaClient *c)
{
	bool		closed;

	if (c == NULL)
		return;

	burrow_kafka_stop_asking(c);
	while (c->partitions != NULL)
		burrow_kafka_close_queue(c->partitions);
	if (c->event != NULL)
		rd_kafka_event_destroy(c->event);

	burrow_kafka_drop_reports(c);

	if (c->conf->producer)
	{
		(void) rd_kafka_purge(c->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
		closed = true;
	}
	else
		closed = burrow_kafka_closed(c) || finish_closing(c);
	rd_kafka_queue_io_event_enable(c->main, -1, NULL, 0);
	rd_kafka_queue_io_event_enable(c->logs, -1, NULL, 0);
	if (c->descriptions != NULL)
	{
		rd_kafka_queue_io_event_enable(c->descriptions, -1, NULL, 0);
		rd_kafka_queue_destroy(c->descriptions);
	}
	rd_kafka_queue_destroy(c->main);
	rd_kafka_queue_destroy(c->logs);
	if (closed)
		rd_kafka_destroy(c->rk);

	burrow_kafka_conf_free(c->conf);
	free(c->items);
	free(c->group);
	free(c);
}
