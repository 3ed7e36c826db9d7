/*
 * client_watch.h
 *	  Whether the member's Kafka client can reach Kafka.
 */
#ifndef BURROW_CONSUMER_CLIENT_WATCH_H
#define BURROW_CONSUMER_CLIENT_WATCH_H

#include "partition/context.h"

/* A connection of the member's was lost, or its assignment. */
extern void burrow_client_watch_suspect(void);
/* Asks, where that is in doubt.  When it is next due. */
extern TimestampTz burrow_client_watch_run(const BurrowConsumer *c);

#endif							/* BURROW_CONSUMER_CLIENT_WATCH_H */
