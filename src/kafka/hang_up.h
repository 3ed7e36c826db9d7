/*
 * hang_up.h
 *	  Does a listener hang up on the client as one does that speaks another security protocol?
 */
#ifndef BURROW_KAFKA_HANG_UP_H
#define BURROW_KAFKA_HANG_UP_H

#include <stdbool.h>

#include <librdkafka/rdkafka.h>

typedef enum BurrowKafkaHangUp
{
	BURROW_KAFKA_AT_GREETING,	/* as a listener for TLS does */
	BURROW_KAFKA_AT_GREETING_IN_TLS,	/* as what is no Kafka does */
	BURROW_KAFKA_AFTER_GREETING /* as a listener for SASL does */
} BurrowKafkaHangUp;

/* Before the client is made. */
extern void burrow_kafka_watch_hang_ups(rd_kafka_conf_t *conf);
/* Connections that have ended so in a row, and where. */
extern unsigned burrow_kafka_hang_ups(BurrowKafkaHangUp *at);

#endif							/* BURROW_KAFKA_HANG_UP_H */
