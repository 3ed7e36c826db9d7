/*
 * hang_up.h
 *	  Does a listener hang up on the client as one does that speaks another security protocol?
 */
#ifndef BURROW_KAFKA_HANG_UP_H
#define BURROW_KAFKA_HANG_UP_H

#include <stdbool.h>

#include <librdkafka/rdkafka.h>

/* Before the client is made. */
extern void burrow_kafka_watch_hang_ups(rd_kafka_conf_t *conf);
/* Connections that have ended so in a row; *after_greeting: after it, not at it. */
extern unsigned burrow_kafka_hang_ups(bool *after_greeting);

#endif							/* BURROW_KAFKA_HANG_UP_H */
