/*
 * kafka_properties.h
 *	  The option kafka: who may set a property, and is its value one?
 */
#ifndef BURROW_API_KAFKA_PROPERTIES_H
#define BURROW_API_KAFKA_PROPERTIES_H

/* Names and values of the option kafka, as stored.  Errors: INVALID_PARAMETER_VALUE,
 * INSUFFICIENT_PRIVILEGE. */
extern void burrow_kafka_properties_check(const char *json, int64 queue_memory);
/* The most bytes of one answer of a broker's. */
extern int64 burrow_kafka_properties_fetch_bytes(const char *json, int64 queue_memory);

#endif							/* BURROW_API_KAFKA_PROPERTIES_H */
