/*
 * message.h
 *	  A message of Kafka's, copied into the form in which handlers are given it.
 */
#ifndef BURROW_PARTITION_MESSAGE_H
#define BURROW_PARTITION_MESSAGE_H

#include "core/frame.h"
#include "kafka/kafka.h"

/* Bytes of the copy of the message taken last, padded; 0: it is too large.  *headers_len: of
 * them, for its headers. */
extern size_t burrow_message_size(const BurrowKafkaFunctions *kafka, BurrowKafkaPartition *queue,
								  const BurrowKafkaMessage *km, size_t *headers_len);
/* Makes the copy in memory of that size, for a first attempt; order and slot are the caller's. */
extern void burrow_message_copy(const BurrowKafkaFunctions *kafka, BurrowKafkaPartition *queue,
								const BurrowKafkaMessage *km, size_t size, size_t headers_len,
								BurrowMessageHeader *h);

#endif							/* BURROW_PARTITION_MESSAGE_H */
