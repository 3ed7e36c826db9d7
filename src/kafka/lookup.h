/*
 * lookup.h
 *	  Addresses of a host's name, in a time that is bounded.
 */
#ifndef BURROW_KAFKA_LOOKUP_H
#define BURROW_KAFKA_LOOKUP_H

#include "kafka/visit.h"

extern BurrowKafkaLookup *burrow_kafka_look_up(const char *host, const char *port, char *error);
extern int	burrow_kafka_looked_up(BurrowKafkaLookup *lookup, int timeout_ms, BurrowKafkaAddress *addresses, int room, char *error);
extern void burrow_kafka_leave_lookup(BurrowKafkaLookup *lookup);

#endif							/* BURROW_KAFKA_LOOKUP_H */
