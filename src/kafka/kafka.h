/*
 * kafka.h
 *	  The Kafka side, as the rest of Burrow sees it: plain C, no librdkafka types.
 *
 * src/kafka/ is built into a library of its own, burrow_kafka, because librdkafka starts threads and
 * must not be mapped into the postmaster.  The consumer, and backends that check properties, load it
 * and get this table of functions, as the WAL receiver gets libpqwalreceiver's.
 *
 * Nothing here raises a PostgreSQL error or allocates by palloc: results and texts come back as values,
 * so no longjmp ever crosses a frame of librdkafka's.  No function blocks but where it says so, and
 * then not beyond the time given.
 *
 * A client is a consumer (open()) or a producer (open_producer()); those functions that say nothing of
 * members, partitions and offsets are for both.  Process: the consumer, and that of a dry run (the
 * conf_ functions a backend, too).  One thread.  Objects are freed by their _free/_close function only.
 */
#ifndef BURROW_KAFKA_KAFKA_H
#define BURROW_KAFKA_KAFKA_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "kafka/event.h"
#include "kafka/message.h"
#include "kafka/property.h"
#include "kafka/visit.h"

#define BURROW_KAFKA_ABI		1

/* How long librdkafka waits for the answer to fetch_committed(), see there. */
#define BURROW_KAFKA_COMMITTED_MS	(3600 * 1000)

typedef struct BurrowKafkaConf BurrowKafkaConf; /* properties, checked one by one */
typedef struct BurrowKafkaClient BurrowKafkaClient; /* rd_kafka_t and its queues */
typedef struct BurrowKafkaPartition BurrowKafkaPartition;	/* a partition queue, split off */

typedef struct BurrowKafkaFunctions
{
	int			abi;			/* BURROW_KAFKA_ABI */
	const char *(*version) (void);	/* librdkafka's, "2.0.2" */
	int			(*version_number) (void);	/* 0xMMmmrrxx */

	/* ---- properties ---- */
	BurrowKafkaPropertyClass (*classify) (const char *name);

	/* NULL when out of memory.  Has Burrow's own fixed properties set already. */
	BurrowKafkaConf *(*conf_new) (void);
	void		(*conf_free) (BurrowKafkaConf *conf);
	/*
	 * False: not valid; error (of BURROW_KAFKA_TEXT_MAX bytes) says why, without the value if it
	 * is a secret.  Does not look at the class: the caller did.
	 */
	bool		(*conf_set) (BurrowKafkaConf *conf, const char *name, const char *value, char *error);
	/* False: rd_kafka_new() would refuse the set, as far as that can be known without it. */
	bool		(*conf_check) (const BurrowKafkaConf *conf, char *error);
	/* the effective value, "" if it has none, "***" for a secret; false: no such property */
	bool		(*conf_get) (const BurrowKafkaConf *conf, const char *name, char *value, size_t room);
	/* If topic is a pattern: has the client leave out Kafka's own topics, after all that is set. */
	bool		(*conf_leave_out) (BurrowKafkaConf *conf, const char *topic, char *error);
	/* ---- client ---- */

	/*
	 * Starts a client, subscribes to nothing yet.  Takes conf over on success; on failure the
	 * caller still owns it.  wake_fd: the write end of a non-blocking pipe, which must live as
	 * long as the process: each time a queue is no longer empty, its 4-byte id is written there
	 * (0: the main queue; otherwise the id given to open_queue()).  A full pipe drops ids:
	 * whoever reads 4 kB at once must look at every queue.
	 *
	 * group NULL: a consumer without one.  It joins and commits nothing and is given no
	 * assignment; partitions are read by start_reading().  It is not closed: its process must end
	 * by _exit().
	 */
	BurrowKafkaClient *(*open) (BurrowKafkaConf *conf, const char *group, int wake_fd, char *error);
	bool		(*subscribe) (BurrowKafkaClient *c, const char *topic, char *error);
	/*
	 * The next event of the main queue or of the log queue; never waits.  Keeps the membership
	 * alive.  True if there was one.
	 */
	bool		(*poll) (BurrowKafkaClient *c, BurrowKafkaEvent *event);
	/*
	 * Split a partition's queue off the main queue, to be done before assign() is told of the
	 * partition, and again at each assignment.  id: not 0; what is written to wake_fd.  The queue
	 * is empty then; the pipe tells when it no longer is, and again only after poll_queue() has
	 * said EMPTY.  close_queue() lets go of it (after unassign(), or at the end).
	 */
	BurrowKafkaPartition *(*open_queue) (BurrowKafkaClient *c, const char *topic, int32_t partition,
										 uint32_t id, char *error);
	void		(*close_queue) (BurrowKafkaPartition *p);
	/*
	 * The next of the partition, never waits.  Offsets rise: what librdkafka fetched a second
	 * time since open_queue() is left out.
	 */
	BurrowKafkaTake (*poll_queue) (BurrowKafkaPartition *p, BurrowKafkaMessage *m);
	/* header i of the message taken last */
	bool		(*header) (BurrowKafkaPartition *p, size_t i, const char **name,
						   const void **value, size_t *value_len);	/* value NULL: NULL */
	/* let go of the message taken last (poll_queue() does it too) */
	void		(*discard) (BurrowKafkaPartition *p);

	/* What librdkafka has fetched of it, ends and errors among it, and was not taken. */
	size_t		(*queue_length) (BurrowKafkaPartition *p);
	/* Stops fetching it (an answer too large ends the fetches of others, too), or goes on. */
	bool		(*pause) (BurrowKafkaPartition *p, bool on);
	/*
	 * The one answer to ASSIGN: offsets are explicit numbers.  Chooses incremental or eager by
	 * the group's protocol.  An empty list is an answer too.
	 */
	bool		(*assign) (BurrowKafkaClient *c, const BurrowKafkaList *list, char *error);
	/*
	 * More partitions of an assignment that was answered without them.  With a group of eager
	 * rebalances "all" takes the place of what is assigned, so that the others are fetched anew
	 * from the offsets that it gives; otherwise "more" is added.  Not for an assignment that is
	 * lost: its REVOKE is on its way, and would not say so any more.
	 */
	bool		(*assign_more) (BurrowKafkaClient *c, const BurrowKafkaList *all,
								const BurrowKafkaList *more, char *error);
	/* Do its rebalances say what comes and goes (cooperative), and not all that there is (eager)? */
	bool		(*is_incremental) (BurrowKafkaClient *c);
	bool		(*is_lost) (BurrowKafkaClient *c);
	/* The one answer to REVOKE. */
	bool		(*unassign) (BurrowKafkaClient *c, const BurrowKafkaList *list, char *error);

	/* Commit offsets (next to read) with metadata; the answer comes as COMMITTED. */
	bool		(*commit) (BurrowKafkaClient *c, const BurrowKafkaList *list, char *error);
	/*
	 * Ask for the group's committed offsets; the answer comes as FETCHED, by topic and number,
	 * with the tag: answers need not come in the order of the questions.  While the group's
	 * coordinator is away there is no answer; it comes when the coordinator is back.  Where one
	 * says _TIMED_OUT (after an hour), the client must not be used on, nor closed: librdkafka
	 * aborts when the coordinator comes back.
	 */
	bool		(*fetch_committed) (BurrowKafkaClient *c, const BurrowKafkaList *list, uint64_t tag, char *error);

	/*
	 * Offsets by time: list->items[i].offset is a time (milliseconds since 1970) or
	 * BURROW_KAFKA_EARLIEST or _LATEST, and becomes a number.  Where no message is found at or
	 * after the time, that is the end (under read_committed, the last stable offset) as it was
	 * before the time was looked up, and the item is "beyond": what comes, or becomes visible,
	 * meanwhile lies at or after it.  Waits up to timeout_ms.  Each item has its own error: a
	 * partition without a leader, or whose broker does not answer, keeps no other from its
	 * offset. False: nothing answers at all.
	 */
	bool		(*list_offsets) (BurrowKafkaClient *c, BurrowKafkaList *list, int timeout_ms, char *error);
	/*
	 * Where logs begin (log_start) and then where they end (offset; under read_committed, the
	 * last stable offset), each asked for as list_offsets() does.
	 */
	bool		(*list_bounds) (BurrowKafkaClient *c, BurrowKafkaList *list, int timeout_ms, char *error);
	/*
	 * The same questions, and others, without waiting: the answer is ANSWERED, with the tag. They
	 * are answered one after another, each within its timeout_ms, or twice that where it is two.
	 * list is the client's from here; destroy() waits for the question that is under way.
	 *
	 * TIMESTAMPS and LOOK are for a client that is no member of a group and has nothing assigned;
	 * an item of which nothing is heard has an error.
	 */
	bool		(*ask) (BurrowKafkaClient *c, BurrowKafkaQuestion what, BurrowKafkaList *list, int timeout_ms,
						uint64_t tag, char *error);

	/* The high watermark, as the last answer to a fetch told it; never waits.  -1: not known. */
	int64_t		(*high_watermark) (BurrowKafkaClient *c, const char *topic, int32_t partition);
	/* Waits up to timeout_ms; NULL: it has none, or has not answered.  Free by free_text(). */
	char	   *(*cluster_id) (BurrowKafkaClient *c, int timeout_ms);
	/*
	 * Topics' ids: does this librdkafka tell them?  If so, ask for those of n topics, none twice;
	 * the answer is DESCRIBED, within timeout_ms, with the tag, in any order.  What is asked for
	 * after it has come is of these topics, or of later ones.
	 */
	bool		(*tells_topic_ids) (void);
	bool		(*describe_topics) (BurrowKafkaClient *c, const char **topics, int n, int timeout_ms,
									uint64_t tag, char *error);

	/*
	 * Partitions of the topics that match topic (a name, or a regular expression beginning with
	 * ^), by topic and number; none: it has no such topic.  Waits up to timeout_ms.  NULL: no
	 * answer, or interrupted.
	 */
	BurrowKafkaList *(*list_partitions) (BurrowKafkaClient *c, const char *topic, int timeout_ms, char *error);

	/*
	 * Leaving, step by step, so that the caller serves its interrupts in between: close_begin()
	 * once (all split queues joined before); then poll() and answer REVOKE until closed() is
	 * true; then destroy(), which waits for librdkafka's threads.
	 *
	 * With the broker away closed() can take as long as session.timeout.ms, or 5 s, whichever is
	 * longer.  destroy() before that tries for 1 s more, answering by itself, and then leaves
	 * librdkafka's threads behind: the process must end by _exit(), under which no destructor
	 * runs.  (To join them would wait, in librdkafka 2.0 sometimes for ever.)  They do not use
	 * wake_fd any more.  destroy() also joins what is still split off.
	 *
	 * A producer is only destroyed, which takes no longer than its threads need to notice: what
	 * it has not sent is dropped without an answer.
	 */
	bool		(*close_begin) (BurrowKafkaClient *c, char *error);
	bool		(*closed) (BurrowKafkaClient *c);
	void		(*destroy) (BurrowKafkaClient *c);
	/* Lists */
	BurrowKafkaList *(*list_new) (int n);	/* zeroed items, offsets NONE; NULL: out of memory */
	/* copies the strings; false: out of memory */
	bool		(*list_set) (BurrowKafkaList *list, int i, const char *topic, int32_t partition,
							 int64_t offset, const char *metadata, size_t metadata_len);
	BurrowKafkaList *(*list_copy) (const BurrowKafkaList *list);
	void		(*list_free) (BurrowKafkaList *list);
	void		(*free_text) (char *text);
	/*
	 * Leave the group for good, before close_begin(): a static member (group.instance.id) that
	 * only closes stays in it, and its partitions with it, until session.timeout.ms has passed.
	 * Answer the REVOKE, and close when left() says that the request is on its way; nothing is
	 * written to the pipe then.  False where close_begin() is all there is
	 * (group.protocol=consumer).
	 */
	bool		(*leave) (BurrowKafkaClient *c, char *error);
	bool		(*left) (BurrowKafkaClient *c);

	/* ---- producers ---- */
	/* As conf_new(), for a producer: conf_set() leaves out what only consumers have. */
	BurrowKafkaConf *(*producer_conf_new) (void);
	/* Starts an idempotent producer; as open() otherwise.  Its answers are of queue 0. */
	BurrowKafkaClient *(*open_producer) (BurrowKafkaConf *conf, int wake_fd, char *error);
	/*
	 * Hands a copy of the record to the producer; never waits.  Each record has one answer, a
	 * DELIVERED event: also one that is refused here, so false means only that nothing more is
	 * taken (the queue is full, out of memory), and has none.
	 */
	bool		(*produce) (BurrowKafkaClient *c, const BurrowKafkaRecord *record, char *error);
	/* Names of class SUBSCRIPTION, i from 0; NULL after the last.  Some may be missing. */
	const char *(*property_name) (int i);
	BurrowKafkaLevel (*level) (const char *name);
	/* The same of the options of a level. */
	const char *(*level_name) (BurrowKafkaLevel level, int i);
	const BurrowKafkaVisitFunctions *visit;
	/* Up to a NULL.  Long work that waits for nobody is given up when one is not 0. */
	void		(*set_interrupts) (const volatile sig_atomic_t * const *flags);
	/* Are certificates and keys what they should be?  *name is to blame; *hint may be NULL. */
	bool		(*conf_check_pem) (const BurrowKafkaConf *conf, const char **name, char *error, const char **hint, char *warning);
} BurrowKafkaFunctions;

/* The one function that burrow_kafka exports. */
#define BURROW_KAFKA_ENTRY		"burrow_kafka_functions"
typedef const BurrowKafkaFunctions *(*BurrowKafkaEntry) (void);

#endif							/* BURROW_KAFKA_KAFKA_H */
