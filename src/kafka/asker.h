/*
 * asker.h
 *	  Questions that librdkafka answers to a caller who waits, asked without waiting.
 */
#ifndef BURROW_KAFKA_ASKER_H
#define BURROW_KAFKA_ASKER_H

#include "kafka/event.h"
#include "kafka/internal.h"

/* See kafka.h. */
extern bool burrow_kafka_ask(BurrowKafkaClient *c, BurrowKafkaQuestion what, BurrowKafkaList *list, int timeout_ms,
							 uint64_t tag, char *error);
/* The next answer; false: there is none now. */
extern bool burrow_kafka_next_answer(BurrowKafkaClient *c, BurrowKafkaEvent *event);
/* Waits for the question that is under way; no answer comes any more. */
extern void burrow_kafka_stop_asking(BurrowKafkaClient *c);

#endif							/* BURROW_KAFKA_ASKER_H */
