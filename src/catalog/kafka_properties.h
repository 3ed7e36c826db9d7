/*
 * kafka_properties.h
 *	  The option kafka: properties of librdkafka, as a JSON object.
 *
 * Their form is checked here; their names and values are checked in api/, by librdkafka.
 */
#ifndef BURROW_CATALOG_KAFKA_PROPERTIES_H
#define BURROW_CATALOG_KAFKA_PROPERTIES_H

#include "catalog/option.h"

typedef struct BurrowKafkaProperty
{
	char	   *name;
	char	   *value;
} BurrowKafkaProperty;

/* The text to be stored; INVALID_PARAMETER_VALUE where it is no object of plain values. */
extern char *burrow_kafka_properties_normalize(const BurrowOption *option, Datum jsonb);
/* Properties in the form that is stored, a JSON object; *properties is palloc'd. */
extern int	burrow_kafka_properties_parse(const char *json, BurrowKafkaProperty **properties);
/* Is the value of this property never to be shown? */
extern bool burrow_kafka_properties_is_secret(const char *name);
/* The same JSON with "********" for the values of secrets. */
extern char *burrow_kafka_properties_mask(const char *json);

#endif							/* BURROW_CATALOG_KAFKA_PROPERTIES_H */
