/*
 * consumer.h
 *	  A consumer, as small as it gets, for the tests of src/kafka/.
 */
#ifndef BURROW_TEST_CONSUMER_H
#define BURROW_TEST_CONSUMER_H

#include "harness.h"

#define MAX_PARTITIONS	8
#define MAX_OFFSETS		20000

typedef struct Part
{
	BurrowKafkaPartition *p;	/* NULL: not ours */
	char		topic[64];
	int32_t		partition;
	uint32_t	id;
	bool		paused;			/* left unread */
	bool		ready;			/* the pipe has told */
	int			wakes;
	int			n;				/* messages taken, in all its assignments */
	int64_t		last;
	int64_t		start;			/* where the next assignment begins */
	int64_t		end;			/* the END met last */
	int			broken;			/* the error met last */
	int64_t		broken_at;
	BurrowKafkaFault fault;
	char		broken_text[2 * BURROW_KAFKA_TEXT_MAX];
	unsigned char seen[MAX_OFFSETS];
} Part;

typedef struct Consumer
{
	BurrowKafkaClient *client;
	int			pipe[2];
	int			nparts;
	Part	   *parts[MAX_PARTITIONS];
	bool		split_late;		/* after the assign: messages stray */
	bool		no_answer;		/* leave a REVOKE as it is */
	int			assigns;
	int			revokes;
	int			lost;
	int			assigned;		/* partitions held now */
	int			committed;
	int			commit_error;
	int			fetched;
	char		fetched_metadata[256];
	size_t		fetched_len;
	int64_t		fetched_offset;
	uint64_t	fetched_tag;
	int			described;
	uint64_t	described_tag;
	int			described_n;
	BurrowTopicId topic_id;		/* of the first */
	int			answered;
	BurrowKafkaList *answer;	/* NULL, or to be filled from it */
	BurrowKafkaTake took;
	BurrowKafkaMessage *found;	/* the same */
	uint64_t	answered_tag;
	int			answered_n;
	int64_t		answered_start;
	int64_t		answered_offset;
	uint64_t	before_tag;		/* of the answer before it */
	int64_t		before_offset;
	int			errors;
	int			down;
	int			refused;
	int			fatal;
	int			error;
	char		text[BURROW_KAFKA_TEXT_MAX];
	int			logs;
	const char *forbidden;		/* in no text whatever */
	int			leaks;
} Consumer;

/* Properties are pairs, with NULL behind the last; NULL: none. */
extern BurrowKafkaConf *new_conf(const char *const *properties);
/* topic: NULL: none is subscribed to. */
extern Consumer *open_consumer(const char *group, const char *topic, const char *const *properties);
/* A consumer that has its partitions. */
extern Consumer *joined(const char *group, const char *topic, const char *const *properties);
/* The partition; made if there is none. */
extern Part *part_of(Consumer *c, const char *topic, int32_t partition);
/* Gives the partition a queue of its own. */
extern void split(Consumer *c, Part *part);
extern void on_event(Consumer *c, const BurrowKafkaEvent *event);
/* Takes messages of the partition until it has none, but not more than that. */
extern void take_all(Consumer *c, Part *part, int most);
/* Reads the pipe; true if there was something. */
extern bool read_pipe(Consumer *c);
/* One round: sleep on the pipe, serve the events, take what is there. */
extern void pump_once(Consumer *c, int ms);

/* Until a condition holds; false: the time is up. */
#define pump(c, condition) pump_two(c, NULL, condition)
#define pump_two(c, d, condition) \
({ \
	int64_t until_ = now_ms() + PATIENCE_MS; \
	Consumer *d_ = (d); \
	bool holds_; \
	while (!(holds_ = (condition)) && now_ms() < until_) \
	{ \
		pump_once((c), 50); \
		if (d_ != NULL) \
			pump_once(d_, 50); \
	} \
	holds_; \
})

/* How many offsets below n were not taken exactly once? */
extern int	wrong_counts(const Part *part, int n);
/* Closes the queues of all partitions. */
extern void join_all(Consumer *c);
extern void free_consumer(Consumer *c);
/* Leaves in order; how long it took, in milliseconds. */
extern int64_t close_consumer(Consumer *c);
/* Of the topic, or of those that match the pattern; -1: no answer. */
extern int	count_partitions(BurrowKafkaClient *client, const char *topic, int timeout_ms, char *error);

#endif							/* BURROW_TEST_CONSUMER_H */
