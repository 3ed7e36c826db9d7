/*
 * connection.c
 *	  The consumer's Kafka clients: making them, serving what they have to say, and
 *	  finding out whether Kafka is there.
 *
 * Runs in: the consumer.
 *
 * One client is the member of the group.  The other, the metadata client, joins nothing and
 * fetches nothing; it is asked questions, whose answers would wait behind the first
 * one's fetches.  A third one, the producer, is made here and served by publisher.c.  All write
 * to one pipe when there is something to serve.
 */
#include "postgres.h"

#include <ctype.h>
#include <fcntl.h>
#include <unistd.h>

#include "storage/fd.h"
#include "utils/memutils.h"

#include "guc.h"
#include "catalog/nearest.h"
#include "consumer/assignment.h"
#include "consumer/client_watch.h"
#include "consumer/commit_answer.h"
#include "consumer/connection.h"
#include "consumer/fetch_trouble.h"
#include "consumer/shutdown.h"
#include "offsets/commit_silence.h"
#include "offsets/lookup.h"
#include "offsets/offset_commit.h"
#include "offsets/positions.h"
#include "offsets/seek.h"
#include "offsets/topic_identity.h"
#include "partition/context.h"
#include "partition/partition.h"
#include "partition/question.h"
#include "partition/status.h"
#include "runtime/kafka_client.h"

/* Events of Kafka's served in one turn. */
#define EVENTS_A_TURN		1000

/* Bytes read from the pipe at once; a full buffer means that ids may be missing. */
#define WAKE_BUFFER			4096

/* Of what the client was started for: see kafka_client.h. */
static uint32 fingerprint;

/* Keeps the membership; until there is a member, a long time. */
static int64 poll_interval_us = 60 * USECS_PER_SEC;

/* The read end of the pipe; clients are given the other one. */
static int	wake_read = -1;
static int	wake_write = -1;

/* An assignment was lost, and none has come since. */
static bool assignment_lost;

/* One has come: look whether it is for what there is now. */
static bool came_back;

/* ---- is Kafka there? ---- */

/* What was met since Kafka has answered last. */
typedef struct Met
{
	uint64		answers;		/* of Kafka's, when this was new */
	bool		connection_suspect; /* a connection was lost: is that all? */
	char		transport_text[BURROW_KAFKA_TEXT_MAX];	/* why a connection was lost last */
	BurrowKafkaCause transport_cause;
	bool		transport_told; /* what is shown has it */
	BurrowKafkaCause told;		/* of the trouble that is shown, if there is one */
} Met;

/* Of the trouble with the topic that is shown, if there is one; of that with the member. */
static BurrowKafkaCause topic_told;
static BurrowKafkaCause member_told;

/* Counts what was met that an answer has to be newer than. */
static uint64 nmet;

/* The question whether it, or the topic, is there. */
static struct
{
	uint64		tag;			/* 0: it is not asked now */
	char	   *topic;			/* that it is about */
	uint64		nmet;			/* when it was asked */
	bool		again;			/* it was asked anew, because more were met meanwhile */
} probed;

/* Of the question for all topics, because ours is missing; 0: it is not asked now. */
static uint64 all_topics_tag;

/* What is known of it now. */
static Met *
met(void)
{
	static Met	known;

	if (known.answers != burrow_status_kafka_answers())
		known = (Met) {.answers = burrow_status_kafka_answers()};
	return &known;
}

/* Whether Kafka, or the topic, is there. */
static bool
is_in_doubt(void)
{
	return burrow_status_is_failing() || met()->connection_suspect || burrow_topic_identity_is_missing() || burrow_lookup_any_stuck() ||
		came_back;
}

/* The member cannot join because a broker is out of reach at its own address, and that is shown. */
static bool
is_out_of_reach(void)
{
	return burrow_status_has(BURROW_TROUBLE_MEMBER) && member_told == BURROW_CAUSE_ADVERTISED && !burrow_status_has_joined();
}

/* Does it say no more than what is shown of the member?  Brokers that are out of reach are down, too. */
static bool
is_member_trouble(BurrowKafkaCause cause)
{
	return is_out_of_reach() && (cause == BURROW_CAUSE_ADVERTISED || cause == BURROW_CAUSE_NO_ANSWER);
}

/* What says less than what is shown already does not cover it up. */
static void
report_kafka(const BurrowConsumer *c, BurrowKafkaCause cause, const char *text)
{
	if (is_member_trouble(cause) || (burrow_status_has(BURROW_TROUBLE_KAFKA) && cause != met()->told && burrow_kafka_cause_says_more(met()->told, cause)))
		return;
	met()->told = cause;
	burrow_status_fail_kafka(c, BURROW_TROUBLE_KAFKA, cause, text);
}

/* It is not; why a connection was lost last says more than that nothing answers. */
static void
report_unreachable(const BurrowConsumer *c, const char *text)
{
	met()->transport_told = met()->transport_text[0] != '\0';
	report_kafka(c, met()->transport_cause,
				 met()->transport_told ? psprintf("%s (%s)", text, met()->transport_text) : text);
}

/* Until there is an assignment. */
static void
report_member(const BurrowConsumer *c, BurrowKafkaCause cause, const char *text)
{
	member_told = cause;
	burrow_status_fail_kafka(c, BURROW_TROUBLE_MEMBER, cause, text);
	if (burrow_status_has(BURROW_TROUBLE_KAFKA) && is_member_trouble(met()->told))
		burrow_status_over(c, BURROW_TROUBLE_KAFKA);
}

/* ---- the topic is missing ---- */

/* Of what is missing: nearest NULL: nothing is like it, or that is not known. */
static void
show_missing(const BurrowConsumer *c, BurrowKafkaCause cause, const char *nearest)
{
	const char *topic = burrow_topic_identity_wanted_topic(c);
	char	   *text;

	topic_told = cause;
	if (cause == BURROW_CAUSE_TOPIC_DENIED)
		text = psprintf("not authorized for topic \"%s\": Topic authorization failed", topic);
	else
		text = psprintf(topic[0] == '^' ? "no topic matches \"%s\"" : "topic \"%s\" does not exist", topic);
	if (nearest != NULL)
		text = psprintf("%s; perhaps you meant \"%s\"", text, nearest);
	burrow_status_fail_kafka(c, BURROW_TROUBLE_TOPIC, cause, text);
}

/* All topics are known: its name was perhaps misspelt. */
static void
take_all_topics(const BurrowConsumer *c, const BurrowKafkaEvent *event)
{
	const BurrowKafkaList *all = &event->list;
	BurrowNearest nearest;

	/* it may have been found meanwhile */
	if (event->tag != all_topics_tag)
		return;
	all_topics_tag = 0;
	burrow_nearest_init(&nearest, burrow_topic_identity_wanted_topic(c));
	for (int i = 0; event->error == 0 && i < all->n; i++)
		if (i == 0 || strcmp(all->items[i].topic, all->items[i - 1].topic) != 0)
			burrow_nearest_offer(&nearest, all->items[i].topic);
	show_missing(c, BURROW_CAUSE_NO_TOPIC, nearest.best);
}

/* Kafka is there, and has no such topic, or does not show it. */
static void
report_missing(const BurrowConsumer *c, BurrowKafkaCause cause)
{
	char		text[BURROW_KAFKA_TEXT_MAX];

	if ((burrow_status_has(BURROW_TROUBLE_TOPIC) && topic_told == cause) || all_topics_tag != 0)
		return;
	if (cause == BURROW_CAUSE_NO_TOPIC && burrow_topic_identity_wanted_topic(c)[0] != '^')
		all_topics_tag = burrow_question_ask_partitions(c, "^.*", take_all_topics, text);
	if (all_topics_tag == 0)
		show_missing(c, cause, NULL);
}

/* ---- the question ---- */

/*
 * A member whose session has timed out comes back like one that was started anew, and is given
 * what it had: see instance_id() in runtime/kafka_client.c.  It does so as the same member, so if there is
 * something else to consume now, it has to go and come as another.
 */
static void
check_place(const BurrowConsumer *c, const BurrowKafkaList *list)
{
	came_back = false;
	if (burrow_kafka_client_is_next_protocol(c->sub))
		return;					/* no place is kept for it */
	if (burrow_kafka_client_fingerprint(c->sub, list) == fingerprint)
		return;
	burrow_shutdown_give_up_place();
	burrow_status_stop(BURROW_STOP_RESTART);
}

static void take_probe(const BurrowConsumer *c, const BurrowKafkaEvent *event);

/*
 * Is Kafka there?  Nothing tells that a broker is back when there is nothing to fetch,
 * and a lost connection may mean everything or nothing.  So ask, by the metadata client, whose
 * answer waits for nothing else.
 */
static void
probe(const BurrowConsumer *c)
{
	char		text[BURROW_KAFKA_TEXT_MAX];

	burrow_status_set_probe(c->now + BURROW_PROBE_US);
	if (probed.topic != NULL)
		pfree(probed.topic);
	probed.		topic = MemoryContextStrdup(TopMemoryContext, burrow_topic_identity_wanted_topic(c));
	probed.		nmet = nmet;
	probed.		tag = burrow_question_ask_partitions(c, probed.topic, take_probe, text);

	if (probed.tag == 0)
		report_unreachable(c, text);
}

/* An answer is as old as its question: it says nothing of what was met since.  One is asked for anew then, but not
 * without end, where something is met all the time. */
static bool
is_outdated(const BurrowConsumer *c)
{
	if (strcmp(probed.topic, burrow_topic_identity_wanted_topic(c)) != 0)
		return true;
	probed.		again = probed.nmet != nmet && !probed.again;
	return probed.again;
}

static void
take_probe(const BurrowConsumer *c, const BurrowKafkaEvent *event)
{
	const BurrowKafkaList *list = &event->list;

	probed.		tag = 0;

	if (event->error != 0)
	{
		/* perhaps the first guess at the reason was wrong, or was none */
		if (!burrow_status_has(BURROW_TROUBLE_KAFKA) || met()->told != met()->transport_cause ||
			(!met()->transport_told && met()->transport_text[0] != '\0'))
			report_unreachable(c, event->text);
		return;
	}
	if (is_outdated(c))
	{
		probe(c);
		return;
	}
	if (list->n > 0 && came_back && strcmp(probed.topic, c->sub->topic) == 0)
		check_place(c, list);
	/* one that is not shown may be there */
	if (list->why_empty != BURROW_CAUSE_TOPIC_DENIED)
		burrow_topic_identity_record_topic(c, list->n);
	burrow_status_kafka_answered(c);
	if (list->n == 0)
	{
		report_missing(c, list->why_empty);
		return;
	}
	all_topics_tag = 0;
	burrow_status_over(c, BURROW_TROUBLE_TOPIC);
}

TimestampTz
burrow_connection_probe(const BurrowConsumer *c)
{
	if (c->client == NULL)
		return 0;
	if (is_in_doubt() && probed.tag == 0 && c->now >= burrow_status_probe_at())
		probe(c);
	/* its answer wakes us */
	return is_in_doubt() && probed.tag == 0 ? burrow_status_probe_at() : 0;
}

/* ---- Kafka's events ---- */

static int
hint_of_fatal(const BurrowConsumer *c, const BurrowKafkaEvent *event)
{
	if (strcmp(event->error_name, "FENCED_INSTANCE_ID") == 0 || strstr(event->text, "fenced") != NULL)
		return errhint("Another member of the consumer group \"%s\" has the same group.instance.id.",
					   c->sub->consumer_group);
	if (strcmp(event->error_name, "UNRELEASED_INSTANCE_ID") == 0)
		return errhint("Kafka keeps a static member's place until its session has timed out (the brokers' group.consumer.session.timeout.ms).  "
					   "Leave out \"group.instance.id\", which gains nothing with this protocol.");
	if (burrow_kafka_client_is_next_protocol(c->sub) &&
		(strcmp(event->error_name, "UNSUPPORTED_VERSION") == 0 || strcmp(event->error_name, "_UNSUPPORTED_FEATURE") == 0))
		return errhint("These brokers do not offer \"group.protocol\" \"consumer\": it needs Kafka 4.0, with the feature group.version.  "
					   "Without the property the subscription uses the protocol that all brokers have.");
	return 0;
}

/* librdkafka's client is of no use any more; the launcher starts another consumer. */
static void
give_up(const BurrowConsumer *c, const BurrowKafkaEvent *event)
{
	if (strcmp(event->error_name, "UNRELEASED_INSTANCE_ID") == 0)
		burrow_registry_leave(c->slot, BURROW_LEAVE_PLACE_TAKEN);
	burrow_status_set_end_cause(event->cause);
	ereport(ERROR,
			(errcode(ERRCODE_CONNECTION_FAILURE),
			 errmsg("could not go on consuming for subscription \"%s\": %s", c->sub->name, event->text),
			 hint_of_fatal(c, event)));
}

static void
look_soon(const BurrowConsumer *c, int64 delay_us)
{
	met()->connection_suspect = true;
	burrow_status_set_probe(c->now + delay_us);
}

/*
 * One connection that is lost is librdkafka's everyday business, but its text is the reason
 * why, if all brokers turn out to be away.
 */
static void
serve_lost_connection(const BurrowConsumer *c, const BurrowKafkaEvent *event)
{
	bool		is_advertised = event->cause == BURROW_CAUSE_ADVERTISED;

	if (!burrow_status_is_failing() && !met()->connection_suspect)
		look_soon(c, BURROW_SUSPECT_US);
	/* others answer, and this one would be needed to join */
	if (is_advertised && c->client != NULL && !burrow_status_has_joined() && !(event->observed && is_out_of_reach()))
		report_member(c, event->cause, event->text);
	/* librdkafka's own words say more than what was seen without them */
	if (event->observed && met()->transport_text[0] != '\0' &&
		(met()->transport_cause == event->cause || burrow_kafka_cause_says_more(met()->transport_cause, event->cause)))
		return;
	strlcpy(met()->transport_text, event->text, sizeof(met()->transport_text));
	met()->transport_cause = event->cause;
	met()->transport_told = false;
}

static void
serve_error(const BurrowConsumer *c, const BurrowKafkaEvent *event)
{
	if (event->fatal)
		give_up(c, event);
	nmet++;

	/* the partition's trouble, and not Kafka's */
	if (event->too_large && c->client != NULL && burrow_fetch_trouble_suspect(c, event->text))
		return;

	if (strcmp(event->error_name, "_TRANSPORT") == 0 || strcmp(event->error_name, "_RESOLVE") == 0)
	{
		burrow_client_watch_suspect();
		serve_lost_connection(c, event);
		return;
	}
	switch (event->cause)
	{
		case BURROW_CAUSE_NO_TOPIC:
		case BURROW_CAUSE_TOPIC_DENIED:
			/* a question says which, and what it may have been meant to be */
			if (!burrow_status_has(BURROW_TROUBLE_TOPIC))
				look_soon(c, 0);
			break;
		case BURROW_CAUSE_GROUP_DENIED:
		case BURROW_CAUSE_INSTANCE_TAKEN:
			report_member(c, event->cause, event->text);
			break;
		case BURROW_CAUSE_NO_ANSWER:
			burrow_client_watch_suspect();
			if (event->all_brokers_down && met()->transport_text[0] != '\0')
				report_unreachable(c, event->text);
			else
				report_kafka(c, event->cause, event->topic[0] != '\0' ? psprintf("topic \"%s\": %s", event->topic, event->text) : event->text);
			break;
		default:
			report_kafka(c, event->cause, event->text);
			break;
	}
}

/* A line of librdkafka's log.  It repeats itself with every attempt to connect. */
static void
serve_log(const BurrowConsumer *c, const BurrowKafkaEvent *event)
{
	int			elevel = DEBUG1;

	if (event->log_level <= 4 && burrow_status_takes_log_line())
		elevel = LOG;
	ereport(elevel,
			(errmsg_internal("subscription \"%s\": librdkafka: %s", c->sub->name, event->text)));
}

/* See fetch_committed() in kafka/kafka.h: this client would take the server with it. */
static void
leave_if_timed_out(const BurrowConsumer *c, const BurrowKafkaEvent *event)
{
	if (event->error != 0 && event->error_name != NULL && strcmp(event->error_name, "_TIMED_OUT") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("could not get the committed offsets of consumer group \"%s\": %s",
						c->sub->consumer_group, event->text)));
}

static void
serve_client(const BurrowConsumer *c)
{
	BurrowKafkaEvent event;

	if (c->client == NULL)
		return;
	for (int i = 0; i < EVENTS_A_TURN && c->kafka->poll(c->client, &event); i++)
	{
		switch (event.type)
		{
			case BURROW_KAFKA_ASSIGN:
			case BURROW_KAFKA_REVOKE:
				if (burrow_shutdown_is_leaving())
					burrow_shutdown_answer_rebalance(c, &event);
				else if (event.type == BURROW_KAFKA_ASSIGN)
				{
					burrow_assignment_assign(c, &event.list);
					if (assignment_lost)
					{
						burrow_status_set_probe(c->now);
						nmet++;
					}
					came_back = came_back || assignment_lost;
					assignment_lost = false;
				}
				else
				{
					burrow_assignment_revoke(c, &event.list, event.assignment_lost);
					assignment_lost = assignment_lost || event.assignment_lost;
					if (event.assignment_lost)
						burrow_client_watch_suspect();
				}
				break;
			case BURROW_KAFKA_COMMITTED:
				burrow_commit_answer_take(c, &event);
				break;
			case BURROW_KAFKA_FETCHED:
				leave_if_timed_out(c, &event);
				burrow_question_take(c, &event);
				break;
			case BURROW_KAFKA_ANSWERED:
				burrow_question_take(c, &event);
				break;
			case BURROW_KAFKA_ERROR:
				serve_error(c, &event);
				break;
			case BURROW_KAFKA_LOG:
				serve_log(c, &event);
				break;
			case BURROW_KAFKA_DESCRIBED:	/* the metadata client's */
			case BURROW_KAFKA_DELIVERED:	/* a producer's */
			case BURROW_KAFKA_NOTHING:
				break;
		}
	}
}

/* Reads the ids of the queues that are no longer empty. */
bool
burrow_connection_read_pipe(const BurrowConsumer *c)
{
	uint32		ids[WAKE_BUFFER / sizeof(uint32)];
	ssize_t		n = read(wake_read, ids, sizeof(ids));
	bool		told = false;
	dlist_iter	iter;

	if (n == sizeof(ids))
	{
		/* the pipe may have been full, and ids lost */
		dlist_foreach(iter, burrow_partition_all())
		{
			BurrowPartition *part = dlist_container(BurrowPartition, node, iter.cur);

			if (part->state == BURROW_PARTITION_ACTIVE)
				burrow_partition_readable(part);
		}
		return false;
	}
	for (ssize_t i = 0; i < n / (ssize_t) sizeof(uint32); i++)
	{
		BurrowPartition *part = burrow_partition_with_id(ids[i]);

		/* 0 is the main queue, which is polled each turn */
		if (part != NULL && part->state == BURROW_PARTITION_ACTIVE)
		{
			burrow_partition_readable(part);
			told = true;
		}
	}
	return told;
}

/* ---- the cluster ---- */

static void
keep_cluster(const BurrowConsumer *c, void *arg)
{
	burrow_subscription_keep_cluster(c->subid, c->sub->uuid, arg);
}

/*
 * In another cluster the positions mean nothing, so the id of the first one that answered is
 * kept, and another one halts.  False: it could not be kept now.
 */
static bool
check_cluster(const BurrowConsumer *c)
{
	BurrowHalt	halt;
	const char *id = burrow_kafka_client_cluster(c->kafka, c->metadata_client, c->sub, &halt);

	if (id != NULL && c->sub->cluster_id[0] == '\0')
		return burrow_status_try(c, keep_cluster, (void *) id, BURROW_TROUBLE_KEEP_CLUSTER);
	if (halt.message != NULL)
		burrow_status_halt(&halt);
	return true;
}

/* ---- the clients ---- */

void
burrow_connection_init(int read_end, int write_end)
{
	wake_read = read_end;
	wake_write = write_end;
}

int64
burrow_connection_poll_interval_us(void)
{
	return poll_interval_us;
}

/* What the metadata client has to say: but for answers only interesting while there is no other client. */
static void
serve_metadata_client(const BurrowConsumer *c)
{
	BurrowKafkaEvent event;

	while (c->metadata_client != NULL && c->kafka->poll(c->metadata_client, &event))
	{
		if (event.type == BURROW_KAFKA_DESCRIBED || event.type == BURROW_KAFKA_ANSWERED)
			burrow_question_take(c, &event);
		else if (event.type == BURROW_KAFKA_ERROR && c->client == NULL)
			serve_error(c, &event);
		else if (event.type == BURROW_KAFKA_LOG && c->client == NULL)
			serve_log(c, &event);
	}
}

/*
 * One attempt.  How many partitions there are must be known before the client is made
 * whose memory it divides, so the metadata client asks for it first.
 */
bool
burrow_connection_open(BurrowConsumer *c)
{
	char		text[BURROW_KAFKA_TEXT_MAX];
	BurrowKafkaList *list;
	int64		max_poll_us;
	int64		session_us;
	int			partitions;
	bool		is_shown;

	if (c->metadata_client == NULL)
		c->metadata_client = burrow_kafka_client_open_metadata(c->kafka, c->sub, wake_write, 1);
	list = burrow_question_wait_partitions(c, c->sub->topic, text);
	if (list == NULL)
	{
		serve_metadata_client(c);	/* its events say why */
		report_unreachable(c, text);
		return false;
	}
	burrow_status_kafka_answered(c);
	partitions = list->n;
	is_shown = list->why_empty != BURROW_CAUSE_TOPIC_DENIED;
	fingerprint = burrow_kafka_client_fingerprint(c->sub, list);
	c->kafka->list_free(list);
	if (!check_cluster(c))
		return false;
	if (burrow_status_is_stopping())
		return true;
	if (is_shown)
		burrow_topic_identity_record_topic(c, partitions);
	if (!burrow_seek_check(c))
		return false;
	if (burrow_status_is_stopping())
		return true;
	c->client = burrow_kafka_client_open_member(c->kafka, c->sub, wake_write, Max(partitions, 1),
												fingerprint, &max_poll_us, &session_us);
	burrow_assignment_set_max_poll(max_poll_us);
	burrow_commit_silence_set_limit(session_us);
	poll_interval_us = Min(max_poll_us / 3, 60 * USECS_PER_SEC);
	if (!c->kafka->subscribe(c->client, c->sub->topic, text))
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("could not subscribe to topic \"%s\": %s", c->sub->topic, text)));
	burrow_offset_commit_answered(c);
	return true;
}

void
burrow_connection_serve(const BurrowConsumer *c)
{
	serve_client(c);
	serve_metadata_client(c);
}
