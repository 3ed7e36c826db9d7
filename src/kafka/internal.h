/*
 * internal.h
 *	  What the files of src/kafka/ share, and nobody else includes.
 *
 * Everything here belongs to the one thread that calls the functions of kafka.h.  librdkafka's own threads
 * touch only librdkafka's objects: of ours they know no more than the file descriptor of the wake-up pipe.
 */
#ifndef BURROW_KAFKA_INTERNAL_H
#define BURROW_KAFKA_INTERNAL_H

#include <librdkafka/rdkafka.h>

#include "kafka/kafka.h"

/* librdkafka's version when it runs, which is not always the one of the headers */
#define VERSION_2_10	0x020a0000
#define VERSION_2_12	0x020c0000

/* A few pieces of text, owned. */
typedef struct TextList
{
	int			n;
	int			room;
	char	  **items;
} TextList;

struct BurrowKafkaConf
{
	rd_kafka_conf_t *rk;		/* NULL once a client has taken it over */
	bool		producer;
	TextList	names;			/* properties that the caller has set */
	TextList	secrets;		/* what must not appear in any text */
};

/* The topics that a client's pattern does not match. */
typedef struct LeftOut
{
	char	   *text;			/* of all */
	int			n;
	char	  **patterns;		/* within it */
} LeftOut;

/* A message that came through the main queue although its partition is split off. */
typedef struct Stray
{
	struct Stray *next;
	rd_kafka_event_t *event;
	const rd_kafka_message_t *message;	/* in event; NULL: it holds none */
} Stray;

struct BurrowKafkaPartition
{
	BurrowKafkaClient *client;
	BurrowKafkaPartition *next; /* in the client's list */
	BurrowKafkaPartition *prev;
	rd_kafka_queue_t *queue;
	Stray	   *strays;			/* oldest first; nearly always NULL */
	Stray	  **strays_tail;
	bool		paused;
	int64_t		last;			/* highest offset handed out; -1: none yet */
	uint32_t	id;				/* what the pipe says for this queue */
	int32_t		partition;
	char		topic[];
};

typedef struct Asker Asker;		/* see asker.c */

/* A record that produce() could not hand over, and its answer. */
typedef struct Refused
{
	struct Refused *next;
	uint64_t	tag;
	rd_kafka_resp_err_t code;
} Refused;

struct BurrowKafkaClient
{
	rd_kafka_t *rk;
	rd_kafka_queue_t *main;		/* the consumer queue, all but split-off messages; or a producer's */
	rd_kafka_queue_t *logs;		/* our own, see open() */
	rd_kafka_queue_t *descriptions; /* see topic_id.c; NULL: nothing was asked */
	Asker	   *asker;			/* NULL: nothing was asked */
	int			nlooks;			/* asked and not answered: poll() leaves the main queue to them */
	int			nfetches;		/* the same of fetch_committed(), and since when there are some */
	int64_t		fetching_since_ms;
	BurrowKafkaConf *conf;		/* for its secrets */
	char	   *group;			/* NULL: a producer, or a consumer without one */
	int			wake_fd;
	BurrowKafkaPartition *partitions;	/* all that are split off */

	/* what poll() returned last: its list points into the event */
	rd_kafka_event_t *event;
	BurrowKafkaTopicPartition *items;
	int			items_room;

	/* what poll_queue() returned last, of whichever partition */
	rd_kafka_event_t *message_event;
	const rd_kafka_message_t *message;
	rd_kafka_headers_t *headers;
	const BurrowKafkaPartition *message_of;

	/* a producer's answers: those that are left of an event, and those that no event brings */
	rd_kafka_event_t *reports;
	Refused    *refused;		/* oldest first */
	Refused   **refused_tail;

	/* answers to empty requests, which librdkafka would refuse */
	bool		owes_committed;
	bool		owes_fetched;
	uint64_t	owed_tag;
	unsigned	hang_ups_told;	/* see events.c */
	unsigned	out_of_reach_told;
	bool		closing;
	bool		close_refused;	/* a fatal error: there is nothing left to close */
};

/* conf.c */
extern BurrowKafkaPropertyClass burrow_kafka_classify(const char *name);
extern BurrowKafkaLevel burrow_kafka_level(const char *name);
extern const char *burrow_kafka_level_name(BurrowKafkaLevel level, int i);
extern BurrowKafkaConf *burrow_kafka_conf_new(void);
extern void burrow_kafka_conf_free(BurrowKafkaConf *conf);
extern bool burrow_kafka_conf_set(BurrowKafkaConf *conf, const char *name, const char *value, char *error);
extern bool burrow_kafka_conf_get(const BurrowKafkaConf *conf, const char *name, char *value, size_t room);
extern bool burrow_kafka_conf_finish(BurrowKafkaConf *conf, const char *group, char *error);
extern BurrowKafkaConf *burrow_kafka_producer_conf_new(void);

/* left_out.c */
extern bool burrow_kafka_conf_leave_out(BurrowKafkaConf *conf, const char *topic, char *error);
extern bool burrow_kafka_left_out_read(const BurrowKafkaClient *c, LeftOut *out);
extern bool burrow_kafka_left_out_has(const LeftOut *out, const char *topic);
extern void burrow_kafka_left_out_free(LeftOut *out);

/* names.c */
extern const char *burrow_kafka_property_name(int i);

/* conf_check.c */
extern bool burrow_kafka_conf_check(const BurrowKafkaConf *conf, char *error);

/* pem.c */
extern bool burrow_kafka_conf_check_pem(const BurrowKafkaConf *conf, const char **name, char *error,
										const char **hint, char *warning);

/* text.c */
extern void burrow_kafka_free_text(char *text);
extern bool burrow_kafka_text_add(TextList *list, const char *text, size_t len);
extern bool burrow_kafka_text_has(const TextList *list, const char *text);
extern void burrow_kafka_text_clear(TextList *list);
extern void burrow_kafka_text_copy(char *dst, size_t room, const char *src);
extern bool burrow_kafka_secret_add(TextList *secrets, const char *value);
extern void burrow_kafka_redact(const TextList *secrets, const char *src, char *dst, size_t room);

/* error.c */
extern bool burrow_kafka_is_refusal(rd_kafka_resp_err_t code);
extern bool burrow_kafka_is_too_large(rd_kafka_resp_err_t code, const char *text);
extern void burrow_kafka_fill_error(BurrowKafkaClient *c, BurrowKafkaEvent *event,
									rd_kafka_resp_err_t code, const char *text);
extern bool burrow_kafka_no_memory(char *error);
extern bool burrow_kafka_fail(rd_kafka_resp_err_t code, char *error);
extern bool burrow_kafka_fail_error(const BurrowKafkaClient *c, rd_kafka_error_t *why, char *error);

/* list.c */
extern BurrowKafkaList *burrow_kafka_list_new(int n);
extern bool burrow_kafka_list_set(BurrowKafkaList *list, int i, const char *topic,
								  int32_t partition, int64_t offset,
								  const char *metadata, size_t metadata_len);
extern BurrowKafkaList *burrow_kafka_list_copy(const BurrowKafkaList *list);
extern void burrow_kafka_list_free(BurrowKafkaList *list);
extern void burrow_kafka_list_sort(BurrowKafkaList *list);
extern rd_kafka_topic_partition_list_t *burrow_kafka_list_to_rd(const BurrowKafkaList *list);
extern bool burrow_kafka_list_take_rd(BurrowKafkaList *list, const rd_kafka_topic_partition_list_t *rd);
extern bool burrow_kafka_make_room(BurrowKafkaClient *c, int n);
extern void burrow_kafka_item_from_rd(BurrowKafkaTopicPartition *item,
									  const rd_kafka_topic_partition_t *rd);

/* handle.c */
extern void burrow_kafka_wake(const BurrowKafkaClient *c, uint32_t id);
extern BurrowKafkaClient *burrow_kafka_start(BurrowKafkaConf *conf, rd_kafka_type_t type, int wake_fd,
											 char *error);

/* client.c */
extern BurrowKafkaClient *burrow_kafka_open(BurrowKafkaConf *conf, const char *group, int wake_fd, char *error);
extern bool burrow_kafka_subscribe(BurrowKafkaClient *c, const char *topic, char *error);
extern bool burrow_kafka_leave(BurrowKafkaClient *c, char *error);
extern bool burrow_kafka_left(BurrowKafkaClient *c);
extern bool burrow_kafka_assign(BurrowKafkaClient *c, const BurrowKafkaList *list, char *error);
extern bool burrow_kafka_assign_more(BurrowKafkaClient *c, const BurrowKafkaList *all,
									 const BurrowKafkaList *more, char *error);
extern bool burrow_kafka_is_incremental(BurrowKafkaClient *c);
extern bool burrow_kafka_is_lost(BurrowKafkaClient *c);
extern bool burrow_kafka_unassign(BurrowKafkaClient *c, const BurrowKafkaList *list, char *error);
extern bool burrow_kafka_commit(BurrowKafkaClient *c, const BurrowKafkaList *list, char *error);
extern bool burrow_kafka_fetch_committed(BurrowKafkaClient *c, const BurrowKafkaList *list,
										 uint64_t tag, char *error);
extern bool burrow_kafka_close_begin(BurrowKafkaClient *c, char *error);
extern bool burrow_kafka_closed(BurrowKafkaClient *c);
extern void burrow_kafka_destroy(BurrowKafkaClient *c);

/* partition.c */
extern rd_kafka_queue_t *burrow_kafka_partition_queue(BurrowKafkaClient *c, const char *topic, int32_t partition);
extern void burrow_kafka_empty(rd_kafka_queue_t *queue);
extern BurrowKafkaPartition *burrow_kafka_open_queue(BurrowKafkaClient *c, const char *topic,
													 int32_t partition, uint32_t id, char *error);
extern void burrow_kafka_close_queue(BurrowKafkaPartition *p);
extern BurrowKafkaTake burrow_kafka_poll_queue(BurrowKafkaPartition *p, BurrowKafkaMessage *m);
extern bool burrow_kafka_header(BurrowKafkaPartition *p, size_t i, const char **name,
								const void **value, size_t *value_len);
extern void burrow_kafka_discard(BurrowKafkaPartition *p);
extern size_t burrow_kafka_queue_length(BurrowKafkaPartition *p);
extern bool burrow_kafka_pause(BurrowKafkaPartition *p, bool on);
extern BurrowKafkaTake burrow_kafka_not_a_message(BurrowKafkaClient *c, rd_kafka_event_t *event,
												  BurrowKafkaMessage *m);
extern BurrowKafkaTake burrow_kafka_message_error(BurrowKafkaClient *c, const rd_kafka_message_t *message,
												  BurrowKafkaMessage *m);
extern BurrowKafkaPartition *burrow_kafka_find_partition(const BurrowKafkaClient *c,
														 const char *topic, int32_t partition);
extern bool burrow_kafka_add_stray(BurrowKafkaPartition *p, rd_kafka_event_t *event,
								   const rd_kafka_message_t *message);

/* topic_id.c */
extern bool burrow_kafka_tells_topic_ids(void);
extern bool burrow_kafka_describe_topics(BurrowKafkaClient *c, const char **topics, int n, int timeout_ms,
										 uint64_t tag, char *error);
extern bool burrow_kafka_is_description(rd_kafka_event_t *rd);
extern bool burrow_kafka_fill_description(BurrowKafkaClient *c, BurrowKafkaEvent *event, rd_kafka_event_t *rd);

/* events.c */
extern bool burrow_kafka_poll(BurrowKafkaClient *c, BurrowKafkaEvent *event);

/* producer.c */
extern BurrowKafkaClient *burrow_kafka_open_producer(BurrowKafkaConf *conf, int wake_fd, char *error);
extern bool burrow_kafka_produce(BurrowKafkaClient *c, const BurrowKafkaRecord *record, char *error);
extern bool burrow_kafka_next_report(BurrowKafkaClient *c, BurrowKafkaEvent *event);
extern void burrow_kafka_drop_reports(BurrowKafkaClient *c);

/* query.c */
extern int64_t burrow_kafka_now_ms(void);
extern bool burrow_kafka_list_offsets(BurrowKafkaClient *c, BurrowKafkaList *list, int timeout_ms, char *error);
extern bool burrow_kafka_read_timestamps(BurrowKafkaClient *c, BurrowKafkaList *list, int timeout_ms, char *error);
extern BurrowKafkaTake burrow_kafka_look(BurrowKafkaClient *c, const char *topic, int32_t partition,
										 int64_t offset, int timeout_ms, BurrowKafkaMessage *m);
extern bool burrow_kafka_list_bounds(BurrowKafkaClient *c, BurrowKafkaList *list, int timeout_ms,
									 char *error);
extern int64_t burrow_kafka_high_watermark(BurrowKafkaClient *c, const char *topic, int32_t partition);
extern char *burrow_kafka_cluster_id(BurrowKafkaClient *c, int timeout_ms);
extern BurrowKafkaList *burrow_kafka_list_partitions(BurrowKafkaClient *c, const char *topic,
													 int timeout_ms, char *error);
extern void burrow_kafka_set_interrupts(const volatile sig_atomic_t * const *flags);

#endif							/* BURROW_KAFKA_INTERNAL_H */
