/*
 * out_of_reach.h
 *	  Which broker cannot be connected to at the address that Kafka has told for it?
 */
#ifndef BURROW_KAFKA_OUT_OF_REACH_H
#define BURROW_KAFKA_OUT_OF_REACH_H

#include <stdbool.h>
#include <stddef.h>

#include <librdkafka/rdkafka.h>

/* Before the client is made. */
extern void burrow_kafka_watch_reach(rd_kafka_conf_t *conf);
/* Attempts that have failed until now; the last one's broker, as librdkafka writes it: "host:port/id". */
extern unsigned burrow_kafka_out_of_reach(char *broker, size_t room);

#endif							/* BURROW_KAFKA_OUT_OF_REACH_H */
