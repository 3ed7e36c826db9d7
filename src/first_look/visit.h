/*
 * visit.h
 *	  A Kafka client for a look at a cluster, and what it hears.
 */
#ifndef BURROW_FIRST_LOOK_VISIT_H
#define BURROW_FIRST_LOOK_VISIT_H

#include "utils/timestamp.h"

#include "catalog/server.h"
#include "compat.h"
#include "kafka/kafka.h"

/* All topics, but those that Kafka and its tools keep for themselves. */
#define BURROW_VISIT_ALL_TOPICS	"^."

/* Longest wait for one answer. */
#define BURROW_VISIT_ASK_MS		1000

/* Longest wait for one thing where there are others: a connection, a partition's next message. */
#define BURROW_VISIT_MAX_WAIT_MS	3000

typedef struct BurrowVisit
{
	const BurrowKafkaFunctions *kafka;
	BurrowKafkaClient *client;
	const BurrowServer *server;
	TimestampTz deadline;		/* of all */
	TimestampTz down_until;		/* no broker can be connected to: it is not waited for longer; 0:
								 * not so */
	int			wake_read;
	int			wake_write;

	const char *what;			/* is being done: "list topics" */
	char		text[BURROW_KAFKA_TEXT_MAX];	/* why it has failed; "": no answer */
	char		connection_text[BURROW_KAFKA_TEXT_MAX]; /* why a connection was lost */
	BurrowKafkaCause cause;		/* of that: what says most has come to */
	bool		refused;		/* a broker says no */
} BurrowVisit;

/* A client that may read so many messages of a partition, or an error. */
extern void burrow_visit_open(BurrowVisit *visit, const BurrowServer *server, int messages);

/*
 * Waits until something has come, or it is time for another attempt.  False: it was refused, or the time is up,
 * until (a time before the deadline of all) or that.
 */
extern bool burrow_visit_wait(BurrowVisit *visit, TimestampTz until);
/* Why what was being done has failed: a text. */
extern const char *burrow_visit_reason(const BurrowVisit *visit);
extern void burrow_visit_fail(const BurrowVisit *visit) pg_attribute_noreturn();
/* The same, or an error. */
extern void burrow_visit_must_wait(BurrowVisit *visit);
/* For errors: 'server "k"', or the setting. */
extern const char *burrow_visit_where(const BurrowVisit *visit);

/* Partitions of the topic (a name, or a pattern), by topic and number. */
extern BurrowKafkaList *burrow_visit_list(BurrowVisit *visit, const char *topic);
/* The same; an error if there is none. */
extern BurrowKafkaList *burrow_visit_partitions(BurrowVisit *visit, const char *topic);
/* The offsets of such a list at a time or special offset, the same for all. */
extern int64 *burrow_visit_offsets(BurrowVisit *visit, const BurrowKafkaList *list, int64 at);

#endif							/* BURROW_FIRST_LOOK_VISIT_H */
