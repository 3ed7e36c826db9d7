/*
 * question.h
 *	  The consumer's questions to Kafka.
 */
#ifndef BURROW_PARTITION_QUESTION_H
#define BURROW_PARTITION_QUESTION_H

#include "kafka/kafka.h"
#include "partition/context.h"

/* The answer: a list, or an error for all (event->error, and why: event->text). */
typedef void (*BurrowQuestionAnswer) (const BurrowConsumer *c, const BurrowKafkaEvent *event);

/*
 * Each asks and returns at once: the question's tag, which the answer has too; 0: it could not be asked,
 * and text (of BURROW_KAFKA_TEXT_MAX bytes) says why.
 */

/* One of those in kafka/event.h, of a list that is given away. */
extern uint64 burrow_question_ask(const BurrowConsumer *c, BurrowKafkaQuestion what, BurrowKafkaList *list,
								  BurrowQuestionAnswer answer, char *text);
/* The same of one partition. */
extern uint64 burrow_question_ask_of(const BurrowConsumer *c, BurrowKafkaQuestion what, const char *topic, int32 partition,
									 int64 offset, BurrowQuestionAnswer answer, char *text);
/* The partitions of a topic, or of those that match a pattern. */
extern uint64 burrow_question_ask_partitions(const BurrowConsumer *c, const char *topic, BurrowQuestionAnswer answer,
											 char *text);
/* Whether the member's own client has a connection to any broker. */
extern uint64 burrow_question_ask_contact(const BurrowConsumer *c, BurrowQuestionAnswer answer, char *text);
/* The ids of topics; kafka.h, describe_topics(). */
extern uint64 burrow_question_ask_topic_ids(const BurrowConsumer *c, const char **topics, int n,
											BurrowQuestionAnswer answer, char *text);
/* The group's committed offsets, of the member; an answer has no time-out. */
extern uint64 burrow_question_ask_committed(const BurrowConsumer *c, const BurrowKafkaList *list,
											BurrowQuestionAnswer answer, char *text);
/* Asks the brokers of these, by the member's own client, for nothing but that they are asked; the list is given away. */
extern void burrow_question_ask_in_vain(const BurrowConsumer *c, BurrowKafkaList *list);
/* Asks again what is not answered; when this is next due. */
extern TimestampTz burrow_question_run(const BurrowConsumer *c);
/* An answer has come, of whichever client: who has asked is told. */
extern void burrow_question_take(const BurrowConsumer *c, const BurrowKafkaEvent *event);

/*
 * Each asks and waits for the answer, up to BURROW_KAFKA_ANSWER_MS, before there is a member.  False, or NULL:
 * nothing answers, and text says why.
 */
/* The partitions of a topic, or of those that match a pattern. */
extern BurrowKafkaList *burrow_question_wait_partitions(const BurrowConsumer *c, const char *topic, char *text);
/* Where logs begin and end. */
extern bool burrow_question_wait_bounds(const BurrowConsumer *c, BurrowKafkaList *list, char *text);

#endif							/* BURROW_PARTITION_QUESTION_H */
