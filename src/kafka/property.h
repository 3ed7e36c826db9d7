/*
 * property.h
 *	  Who may set which of librdkafka's properties.
 */
#ifndef BURROW_KAFKA_PROPERTY_H
#define BURROW_KAFKA_PROPERTY_H

/* Who may set a property, and where. */
typedef enum BurrowKafkaPropertyClass
{
	BURROW_KAFKA_PROPERTY_UNKNOWN,	/* librdkafka has no such property */
	BURROW_KAFKA_PROPERTY_SUBSCRIPTION, /* any role, option "kafka" */
	BURROW_KAFKA_PROPERTY_SERVER,	/* option of the foreign server */
	BURROW_KAFKA_PROPERTY_USER, /* option of the user mapping; a secret or a name */
	BURROW_KAFKA_PROPERTY_SUPERUSER,	/* superusers only */
	BURROW_KAFKA_PROPERTY_NEVER /* Burrow's own, or unsafe */
} BurrowKafkaPropertyClass;

#endif							/* BURROW_KAFKA_PROPERTY_H */
