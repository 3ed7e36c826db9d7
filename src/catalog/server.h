/*
 * server.h
 *	  The Kafka cluster of a subscription: a foreign server of wrapper "burrow", and the user
 *	  mapping that says who connects to it.
 */
#ifndef BURROW_CATALOG_SERVER_H
#define BURROW_CATALOG_SERVER_H

#include "catalog/kafka_properties.h"
#include "compat.h"

#define BURROW_WRAPPER	"burrow"

/* An option of the user mapping that is not librdkafka's; as in postgres_fdw. */
#define BURROW_PASSWORD_REQUIRED	"password_required"

typedef struct BurrowServer
{
	char	   *name;			/* NULL: the nameless one, burrow.bootstrap_servers */
	int			nproperties;	/* the server's, then the mapping's */
	BurrowKafkaProperty *properties;	/* by librdkafka's names; there are secrets among them */
	char	   *text;			/* all of it: for "has anything changed?"; holds secrets */
} BurrowServer;

typedef enum BurrowServerWhat
{
	BURROW_SERVER_MISSING = 0,
	BURROW_SERVER_DENIED,		/* no privilege */
	BURROW_SERVER_CREDENTIALS	/* no user mapping, or none that says enough */
} BurrowServerWhat;

/* Why there is none that the role may use. */
typedef struct BurrowServerTrouble
{
	int			sqlerrcode;		/* what a statement fails with */
	BurrowServerWhat what;
	const char *message;
	const char *detail;			/* NULL: none */
	const char *hint;
	const char *statement;		/* what ends it, or shows it; NULL: nothing in SQL does */
} BurrowServerTrouble;

/*
 * The cluster of a subscription of this owner that names this server (NULL: none, so the default
 * counts), in the current memory context.  NULL: *trouble says why not.  Needs a transaction.
 */
extern BurrowServer *burrow_server_find(Oid owner, const char *name, BurrowServerTrouble *trouble);

/* Raises it. */
extern void burrow_server_raise(const BurrowServerTrouble *trouble) pg_attribute_noreturn();

/* An option's name for librdkafka's, and the other way round; palloc'd. */
extern char *burrow_server_property_of(const char *option);
extern char *burrow_server_option_of(const char *property);

/* NULL: it has no value. */
extern const char *burrow_server_property(const BurrowServer *server, const char *name);

#endif							/* BURROW_CATALOG_SERVER_H */
