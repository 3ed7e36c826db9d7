/*
 * commit_answer.h
 *	  What Kafka says to a commit.
 */
#ifndef BURROW_CONSUMER_COMMIT_ANSWER_H
#define BURROW_CONSUMER_COMMIT_ANSWER_H

#include "kafka/kafka.h"
#include "partition/context.h"

/* Kafka has answered a commit. */
extern void burrow_commit_answer_take(const BurrowConsumer *c, const BurrowKafkaEvent *event);

#endif							/* BURROW_CONSUMER_COMMIT_ANSWER_H */
