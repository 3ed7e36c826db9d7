/*
 * events.c
 *	  librdkafka's events as plain structs.
 *
 * Events only, no callbacks: a callback would run inside librdkafka's frames, and whoever
 * raises an error there jumps over its locks.
 *
 * Each call of poll() reads the main queue first, then the log queue.  The main queue,
 * because reading it is what keeps the membership: librdkafka counts polls, not liveness.
 * The logs have a queue of their own, so that a noisy "debug" neither hides a rebalance nor
 * ends up on stderr.
 *
 * A producer's answers come many in one event, and go out one by one.
 *
 * Runs in: the consumer.
 * Owns: the event returned last, until the next call: the list in the struct points into it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kafka/asker.h"
#include "kafka/hang_up.h"
#include "kafka/internal.h"
#include "kafka/out_of_reach.h"

/* Fills the event's list from librdkafka's, without copying strings; false: out of memory. */
static bool
fill_list(BurrowKafkaClient *c, BurrowKafkaEvent *event,
		  const rd_kafka_topic_partition_list_t *rd)
{
	int			n = rd == NULL ? 0 : rd->cnt;

	if (!burrow_kafka_make_room(c, n))
		return false;
	for (int i = 0; i < n; i++)
		burrow_kafka_item_from_rd(&c->items[i], &rd->elems[i]);
	event->list.n = n;
	event->list.items = c->items;
	return true;
}

/* The network, or the broker at its other end, is away: librdkafka goes on trying. */
static bool
is_transport(rd_kafka_resp_err_t code)
{
	switch (code)
	{
		case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
		case RD_KAFKA_RESP_ERR__TRANSPORT:
		case RD_KAFKA_RESP_ERR__RESOLVE:
		case RD_KAFKA_RESP_ERR__SSL:
		case RD_KAFKA_RESP_ERR__TIMED_OUT:
		case RD_KAFKA_RESP_ERR__WAIT_COORD:
		case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
		case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
		case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
		case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
			return true;
		default:
			return false;
	}
}

/* Where an event belongs; false: to the client as a whole. */
static bool
fill_place(BurrowKafkaEvent *event, rd_kafka_event_t *rd)
{
	rd_kafka_topic_partition_t *where = rd_kafka_event_topic_partition(rd);

	if (where == NULL)
		return false;
	burrow_kafka_text_copy(event->topic, sizeof(event->topic), where->topic);
	event->partition = where->partition;
	event->offset = where->offset >= 0 ? where->offset : BURROW_KAFKA_NONE_OFFSET;
	rd_kafka_topic_partition_destroy(where);
	return true;
}

static void
on_error(BurrowKafkaClient *c, BurrowKafkaEvent *event, rd_kafka_event_t *rd)
{
	rd_kafka_resp_err_t code = rd_kafka_event_error(rd);

	event->type = BURROW_KAFKA_ERROR;
	burrow_kafka_fill_error(c, event, code, rd_kafka_event_error_string(rd));
	(void) fill_place(event, rd);
	event->all_brokers_down = is_transport(code);
	event->authentication = burrow_kafka_is_refusal(code) || event->cause == BURROW_CAUSE_PROTOCOL;
	event->too_large = burrow_kafka_is_too_large(code, rd_kafka_event_error_string(rd));
	event->fatal = rd_kafka_event_error_is_fatal(rd) || code == RD_KAFKA_RESP_ERR__FATAL;
	if (event->fatal)
	{
		char		text[BURROW_KAFKA_TEXT_MAX];
		rd_kafka_resp_err_t why = rd_kafka_fatal_error(c->rk, text, sizeof(text));

		if (why != RD_KAFKA_RESP_ERR_NO_ERROR)
			burrow_kafka_fill_error(c, event, why, text);
	}
}

static void
on_log(BurrowKafkaClient *c, BurrowKafkaEvent *event, rd_kafka_event_t *rd)
{
	const char *facility = "";
	const char *line = "";
	char	   *text;
	size_t		room;

	event->type = BURROW_KAFKA_LOG;
	(void) rd_kafka_event_log(rd, &facility, &line, &event->log_level);

	room = strlen(facility) + strlen(line) + 3;
	text = malloc(room);
	if (text == NULL)
	{
		burrow_kafka_redact(&c->conf->secrets, line, event->text, sizeof(event->text));
		return;
	}
	snprintf(text, room, "%s: %s", facility, line);
	burrow_kafka_redact(&c->conf->secrets, text, event->text, sizeof(event->text));
	free(text);
}

/*
 * False: out of memory.  A rebalance that came with an error of its own is answered like
 * a lost assignment: librdkafka's documentation asks for unassign().
 */
static bool
on_rebalance(BurrowKafkaClient *c, BurrowKafkaEvent *event, rd_kafka_event_t *rd)
{
	rd_kafka_resp_err_t code = rd_kafka_event_error(rd);

	if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS)
		event->type = BURROW_KAFKA_ASSIGN;
	else
	{
		event->type = BURROW_KAFKA_REVOKE;
		event->assignment_lost = rd_kafka_assignment_lost(c->rk);
		if (code != RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS)
		{
			event->assignment_lost = true;
			burrow_kafka_fill_error(c, event, code, rd_kafka_err2str(code));
		}
	}
	return fill_list(c, event, rd_kafka_event_topic_partition_list(rd));
}

/*
 * A request that has timed out has librdkafka give up the connection, and all else that is under way there is said to
 * have timed out, too, however short it was there.  That is a connection's loss like any other, and not what
 * fetch_committed() in kafka.h warns of, as long as no question has been there for its own time.
 */
static rd_kafka_resp_err_t
fetch_error(const BurrowKafkaClient *c, rd_kafka_resp_err_t code)
{
	if (code == RD_KAFKA_RESP_ERR__TIMED_OUT &&
		burrow_kafka_now_ms() - c->fetching_since_ms < BURROW_KAFKA_COMMITTED_MS - 1000)
		return RD_KAFKA_RESP_ERR__TRANSPORT;
	return code;
}

static bool
on_fetched(BurrowKafkaClient *c, BurrowKafkaEvent *event, rd_kafka_event_t *rd)
{
	rd_kafka_resp_err_t code = rd_kafka_event_error(rd);
	const rd_kafka_ListConsumerGroupOffsets_result_t *result;
	const rd_kafka_group_result_t **groups;
	const rd_kafka_error_t *error;
	size_t		n = 0;

	event->type = BURROW_KAFKA_FETCHED;
	event->tag = (uint64_t) (uintptr_t) rd_kafka_event_opaque(rd);
	c->nfetches--;
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
	{
		burrow_kafka_fill_error(c, event, fetch_error(c, code), rd_kafka_event_error_string(rd));
		return true;
	}

	result = rd_kafka_event_ListConsumerGroupOffsets_result(rd);
	groups = rd_kafka_ListConsumerGroupOffsets_result_groups(result, &n);
	if (n != 1)
	{
		burrow_kafka_fill_error(c, event, RD_KAFKA_RESP_ERR__BAD_MSG, "no group in the answer");
		return true;
	}
	error = rd_kafka_group_result_error(groups[0]);
	if (error != NULL)
	{
		burrow_kafka_fill_error(c, event, fetch_error(c, rd_kafka_error_code(error)), rd_kafka_error_string(error));
		return true;
	}
	if (!fill_list(c, event, rd_kafka_group_result_partitions(groups[0])))
		return false;
	burrow_kafka_list_sort(&event->list);
	return true;
}

/*
 * A message, or the end of a partition, on the main queue.  True: its partition has it
 * now.  If the partition is not split off, nobody will ever take it: that is told as an error,
 * since librdkafka believes it delivered.
 */
static bool
to_partition(BurrowKafkaClient *c, rd_kafka_event_t *rd, BurrowKafkaEvent *event)
{
	const rd_kafka_message_t *message = NULL;
	BurrowKafkaPartition *p;

	if (rd_kafka_event_type(rd) == RD_KAFKA_EVENT_FETCH)
	{
		/* Its topic is known only from the message, which can be asked for only once. */
		message = rd_kafka_event_message_next(rd);
		if (message == NULL)
			return false;
		burrow_kafka_text_copy(event->topic, sizeof(event->topic),
							   rd_kafka_topic_name(message->rkt));
		event->partition = message->partition;
		event->offset = message->offset;
	}
	else if (!fill_place(event, rd))
		return false;

	p = burrow_kafka_find_partition(c, event->topic, event->partition);
	if (p != NULL && burrow_kafka_add_stray(p, rd, message))
		return true;

	event->type = BURROW_KAFKA_ERROR;
	burrow_kafka_fill_error(c, event, RD_KAFKA_RESP_ERR__STATE,
							p == NULL ? "message of a partition that is not assigned" : "out of memory");
	return false;
}

/* Fills event from rd; false: nothing to tell, the event was taken over or is of no interest. */
static bool
translate(BurrowKafkaClient *c, BurrowKafkaEvent *event, rd_kafka_event_t *rd, bool *taken)
{
	bool		ok = true;

	*taken = false;
	if (burrow_kafka_is_description(rd))
		return burrow_kafka_fill_description(c, event, rd);
	switch (rd_kafka_event_type(rd))
	{
		case RD_KAFKA_EVENT_FETCH:
			*taken = to_partition(c, rd, event);
			return event->type != BURROW_KAFKA_NOTHING;

		case RD_KAFKA_EVENT_ERROR:
			if (rd_kafka_event_error(rd) == RD_KAFKA_RESP_ERR__PARTITION_EOF)
			{
				*taken = to_partition(c, rd, event);
				/* nobody misses the end of a partition that is not ours */
				event->type = BURROW_KAFKA_NOTHING;
				return false;
			}
			on_error(c, event, rd);
			break;

		case RD_KAFKA_EVENT_REBALANCE:
			ok = on_rebalance(c, event, rd);
			break;

		case RD_KAFKA_EVENT_OFFSET_COMMIT:
			event->type = BURROW_KAFKA_COMMITTED;
			burrow_kafka_fill_error(c, event, rd_kafka_event_error(rd), rd_kafka_event_error_string(rd));
			ok = fill_list(c, event, rd_kafka_event_topic_partition_list(rd));
			break;

		case RD_KAFKA_EVENT_LISTCONSUMERGROUPOFFSETS_RESULT:
			ok = on_fetched(c, event, rd);
			break;

		case RD_KAFKA_EVENT_DR:
			/* several answers in one */
			c->reports = rd;
			*taken = true;
			return burrow_kafka_next_report(c, event);

		case RD_KAFKA_EVENT_LOG:
			on_log(c, event, rd);
			break;

		default:
			return false;
	}

	if (!ok)
	{
		/* A rebalance without its list cannot be answered. */
		event->type = BURROW_KAFKA_ERROR;
		event->fatal = true;
		burrow_kafka_fill_error(c, event, RD_KAFKA_RESP_ERR__FAIL, "out of memory");
	}
	return true;
}

static void
clear(BurrowKafkaEvent *event)
{
	/* all but the text, which is long */
	memset(event, 0, offsetof(BurrowKafkaEvent, text));
	event->offset = BURROW_KAFKA_NONE_OFFSET;
	event->text[0] = '\0';
}

/* The answer to a request for nothing. */
static bool
owed(BurrowKafkaClient *c, BurrowKafkaEvent *event)
{
	if (c->owes_committed)
	{
		c->owes_committed = false;
		event->type = BURROW_KAFKA_COMMITTED;
		return true;
	}
	if (c->owes_fetched)
	{
		c->owes_fetched = false;
		event->tag = c->owed_tag;
		event->type = BURROW_KAFKA_FETCHED;
		return true;
	}
	return false;
}

/* An error that no event of librdkafka's is about. */
static void
fill_observed(BurrowKafkaClient *c, BurrowKafkaEvent *event, const char *text)
{
	event->type = BURROW_KAFKA_ERROR;
	event->observed = true;
	burrow_kafka_fill_error(c, event, RD_KAFKA_RESP_ERR__TRANSPORT, text);
}

/*
 * Connections end as they do where the listener speaks another security protocol (hang_up.c), once more than when this
 * was told last.  One alone may be any broker's end.
 */
static bool
hung_up(BurrowKafkaClient *c, BurrowKafkaEvent *event)
{
	static const char *const texts[] = {
		[BURROW_KAFKA_AT_GREETING] = "connections are closed at the greeting: verify security_protocol, the listener may require TLS",
		[BURROW_KAFKA_AT_GREETING_IN_TLS] = "connections are closed at the greeting (ApiVersions): perhaps this is no listener of Kafka's",
		[BURROW_KAFKA_AFTER_GREETING] = "connections are closed at the first request: verify security_protocol, the listener may require SASL authentication",
	};
	BurrowKafkaHangUp at;
	unsigned	n = burrow_kafka_hang_ups(&at);

	if (n < 2 || n == c->hang_ups_told)
		return false;
	c->hang_ups_told = n;
	fill_observed(c, event, texts[at]);
	event->cause = at == BURROW_KAFKA_AT_GREETING_IN_TLS ? BURROW_CAUSE_NO_ANSWER : BURROW_CAUSE_PROTOCOL;
	event->authentication = event->cause == BURROW_CAUSE_PROTOCOL;
	return true;
}

/*
 * A broker cannot be connected to (out_of_reach.c), once more than when this was told last; of interest where the address is
 * none of the client's own.
 */
static bool
out_of_reach(BurrowKafkaClient *c, BurrowKafkaEvent *event)
{
	char		broker[BURROW_KAFKA_TEXT_MAX / 2];
	char		text[BURROW_KAFKA_TEXT_MAX];
	unsigned	n = burrow_kafka_out_of_reach(broker, sizeof(broker));

	if (n == c->out_of_reach_told)
		return false;
	c->out_of_reach_told = n;
	/* in librdkafka's form, as it is read like one of its own */
	snprintf(text, sizeof(text), "%s: Connect to the address that this broker advertises failed", broker);
	fill_observed(c, event, text);
	if (event->cause == BURROW_CAUSE_ADVERTISED)
		return true;
	clear(event);
	return false;
}

/*
 * librdkafka returns nothing not only when the queue is empty but also when it met one of
 * its own marks, which at close stands before events that we wait for.  The pipe would not
 * tell of those: the queue was not empty.
 */
static rd_kafka_event_t *
read_main(BurrowKafkaClient *c)
{
	rd_kafka_event_t *rd = rd_kafka_queue_poll(c->main, 0);

	for (int i = 0; rd == NULL && i < 8 && rd_kafka_queue_length(c->main) > 0; i++)
		rd = rd_kafka_queue_poll(c->main, 0);
	return rd;
}

bool
burrow_kafka_poll(BurrowKafkaClient *c, BurrowKafkaEvent *event)
{
	if (c->event != NULL)
	{
		rd_kafka_event_destroy(c->event);
		c->event = NULL;
	}

	for (;;)
	{
		rd_kafka_event_t *rd;
		bool		taken;
		bool		told;

		clear(event);
		if (burrow_kafka_next_report(c, event) || burrow_kafka_next_answer(c, event) || hung_up(c, event))
			return true;
		rd = c->nlooks > 0 ? NULL : read_main(c);
		if (rd == NULL && (owed(c, event) || out_of_reach(c, event)))
			return true;
		if (rd == NULL && c->descriptions != NULL)
			rd = rd_kafka_queue_poll(c->descriptions, 0);
		if (rd == NULL)
			rd = rd_kafka_queue_poll(c->logs, 0);
		if (rd == NULL)
			return false;

		told = translate(c, event, rd, &taken);
		if (told)
		{
			if (!taken)
				c->event = rd;
			return true;
		}
		if (!taken)
			rd_kafka_event_destroy(rd);
	}
}
