/*
 * event.h
 *	  Events of a client, as poll() fills them.
 */
#ifndef BURROW_KAFKA_EVENT_H
#define BURROW_KAFKA_EVENT_H

#include "kafka/topic_partition.h"

#define BURROW_KAFKA_TEXT_MAX	512

/* What a partition gives. */
typedef enum BurrowKafkaTake
{
	BURROW_KAFKA_EMPTY = 0,		/* nothing there: the pipe will tell when there is */
	BURROW_KAFKA_MESSAGE,
	BURROW_KAFKA_END,			/* end of partition, at offset */
	BURROW_KAFKA_BROKEN			/* error of this partition: code, name, text, offset if known */
} BurrowKafkaTake;

/* What ask() asks. */
typedef enum BurrowKafkaQuestion
{
	BURROW_KAFKA_ASK_OFFSETS,	/* as list_offsets() */
	BURROW_KAFKA_ASK_BOUNDS,	/* as list_bounds() */
	BURROW_KAFKA_ASK_PARTITIONS,	/* as list_partitions(), of the topic of the list's one item */
	BURROW_KAFKA_ASK_COMMITTED, /* as fetch_committed(), but on the member's own way; a time-out
								 * is harmless */

	BURROW_KAFKA_ASK_CONTACT,	/* is there a connection to any broker? the list is given back as
								 * it is */

	/*
	 * What time have the messages at these offsets?  Each offset becomes the timestamp
	 * (milliseconds since 1970) of the message there, or BURROW_KAFKA_NO_TIME if there is none.
	 */
	BURROW_KAFKA_ASK_TIMESTAMPS,

	/*
	 * What does a consumer find at the offset of the list's one item?  The first thing that
	 * comes; of a message only its offset and timestamp.  EMPTY: nothing has come in time.
	 */
	BURROW_KAFKA_ASK_LOOK
} BurrowKafkaQuestion;

typedef enum BurrowKafkaEventType
{
	BURROW_KAFKA_NOTHING = 0,
	BURROW_KAFKA_ASSIGN,		/* list: answer with assign(), at once or later */
	BURROW_KAFKA_REVOKE,		/* list: answer with unassign(), at once or later */
	BURROW_KAFKA_COMMITTED,		/* answer to commit(): list with a result each, error for all */
	BURROW_KAFKA_FETCHED,		/* answer to fetch_committed(): list with offset and metadata */
	BURROW_KAFKA_DESCRIBED,		/* answer to describe_topics(): list with an id or an error each,
								 * partitions of no meaning */
	BURROW_KAFKA_ANSWERED,		/* answer to ask(): list, or an error for all */
	BURROW_KAFKA_DELIVERED,		/* answer to produce(): tag; error if Kafka does not have it */
	BURROW_KAFKA_ERROR,			/* client-wide, or of one partition if topic is set */
	BURROW_KAFKA_LOG			/* a log line */
} BurrowKafkaEventType;

typedef struct BurrowKafkaEvent
{
	BurrowKafkaEventType type;
	BurrowKafkaList list;		/* valid until the next call of poll() */
	bool		assignment_lost;	/* REVOKE: the assignment was lost: do not commit */
	int			error;			/* librdkafka's code, 0 if none */
	const char *error_name;		/* "UNKNOWN_TOPIC_OR_PART" */
	BurrowKafkaCause cause;		/* of an error: what it comes to */
	bool		fatal;			/* the client is of no more use */
	bool		all_brokers_down;	/* transport trouble: the client goes on trying */
	bool		authentication; /* authentication or authorization refused; of a lost connection:
								 * that seems to be the reason */
	bool		observed;		/* of what becomes of connections: librdkafka may have told, or
								 * will, in more words */
	bool		too_large;		/* a lost connection: an answer was larger than the client takes */
	bool		permanent;		/* DELIVERED: another attempt would end the same way */
	bool		timed_out;		/* DELIVERED: it was given up, without a word of Kafka's */
	uint64_t	tag;			/* DELIVERED: as given to produce(); FETCHED: to
								 * fetch_committed(); DESCRIBED: to describe_topics(); ANSWERED:
								 * to ask() */
	BurrowKafkaTake took;		/* ANSWERED: what LOOK found */
	const struct BurrowKafkaMessage *found; /* until the next call of poll() */
	int			log_level;		/* LOG: syslog's, 0 to 7 */
	char		topic[250];		/* ERROR of one partition, otherwise "" */
	int32_t		partition;
	int64_t		offset;			/* BURROW_KAFKA_NONE_OFFSET if none */
	char		text[BURROW_KAFKA_TEXT_MAX];	/* reason; secrets taken out */
} BurrowKafkaEvent;

#endif							/* BURROW_KAFKA_EVENT_H */
