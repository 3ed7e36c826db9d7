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

/* Of which object a property is an option. */
typedef enum BurrowKafkaLevel
{
	BURROW_KAFKA_LEVEL_NONE,
	BURROW_KAFKA_LEVEL_SUBSCRIPTION,	/* burrow.subscribe(), option "kafka" */
	BURROW_KAFKA_LEVEL_SERVER,	/* CREATE SERVER: where the cluster is, and how it is spoken to */
	BURROW_KAFKA_LEVEL_USER		/* CREATE USER MAPPING: who the client is, and what proves it */
} BurrowKafkaLevel;

#endif							/* BURROW_KAFKA_PROPERTY_H */
