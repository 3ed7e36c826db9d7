/*
 * kafka_library.h
 *	  Loads burrow_kafka on first use; see kafka/kafka.h.
 */
#ifndef BURROW_RUNTIME_KAFKA_LIBRARY_H
#define BURROW_RUNTIME_KAFKA_LIBRARY_H

#include "kafka/kafka.h"

/* Error when the library cannot be loaded or is of another build. */
extern const BurrowKafkaFunctions *burrow_kafka_library(void);

#endif							/* BURROW_RUNTIME_KAFKA_LIBRARY_H */
