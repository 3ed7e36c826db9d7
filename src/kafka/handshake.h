/*
 * handshake.h
 *	  What a listener says before it knows who is there.
 */
#ifndef BURROW_KAFKA_HANDSHAKE_H
#define BURROW_KAFKA_HANDSHAKE_H

#include "kafka/internal.h"
#include "kafka/visit.h"

extern void burrow_kafka_shake_hands(BurrowKafkaClient *c, int sock, const char *host, const char *key,
									 const char *passphrase, int timeout_ms, BurrowKafkaHandshake *result);

#endif							/* BURROW_KAFKA_HANDSHAKE_H */
