/*
 * subscription.h
 *	  The catalog row of a subscription (burrow.subscription), in C.
 *
 * Process: any that is connected to the database, in a transaction with an active
 * snapshot where it says so.
 */
#ifndef BURROW_CATALOG_SUBSCRIPTION_H
#define BURROW_CATALOG_SUBSCRIPTION_H

#include "nodes/pg_list.h"
#include "utils/uuid.h"

#include "catalog/options.h"
#include "catalog/server.h"

/* What the catalog wants; burrow.subscription.status. */
typedef enum BurrowStatus
{
	BURROW_STATUS_ENABLED,		/* 'enabled' */
	BURROW_STATUS_PAUSED,		/* 'paused': burrow.pause() */
	BURROW_STATUS_HALTED,		/* 'halted': an error; burrow.resume() ends it */
	BURROW_STATUS_DISABLED		/* 'disabled': enabled => false */
} BurrowStatus;

typedef struct BurrowSubscription
{
	int32		subid;
	char	   *name;
	Oid			owner;			/* InvalidOid: this cluster lacked the role when a dump was
								 * restored */
	char	   *owner_name;		/* as it is now; or of the one that is lacking */
	char	   *topic;			/* or a regular expression beginning with ^ */
	char	   *handler;		/* schema-qualified signature, as regprocedure prints it */
	Oid			handler_owner;
	char	   *consumer_group; /* resolved */
	bool		join_group;		/* with others of its owner */
	char		uuid[37];		/* text */
	char	   *cluster_id;		/* of Kafka, where the positions belong; "": not known yet */
	bool		commits_untagged;	/* Kafka takes no metadata with our commits */
	uint64		system_identifier;	/* of the server where it may run */
	Oid			dboid;			/* and the database */
	BurrowStatus status;
	bool		changed_here;	/* the row was written by the current transaction */
	const char *values[BURROW_NOPTIONS];	/* canonical texts; own_column options: NULL */
	BurrowOptions options;
	char	   *options_text;	/* canonical text of all options: for "has anything changed?" */
	/* for whoever makes Kafka clients, by burrow_subscription_find_server(); otherwise NULL */
	BurrowServer *server;
	BurrowServerTrouble server_trouble; /* why there is none */
} BurrowSubscription;

extern const char *const burrow_status_names[];
extern BurrowStatus burrow_subscription_status(const char *text);

/*
 * What ends a halt.  Whoever halts knows the cause, and so says it here; the statements are in
 * one table, in subscription.c.
 */
typedef enum BurrowRemedy
{
	BURROW_REMEDY_RESUME = 0,	/* when the cause, which is not in the subscription, is gone */
	BURROW_REMEDY_SEEK,			/* the partition goes on at seek_to */
	BURROW_REMEDY_SEEK_SOME,	/* the topic's partitions go on as seeks says */
	BURROW_REMEDY_SEEK_BEGINNING,	/* all partitions go on where the topic begins */
	BURROW_REMEDY_GROUP,		/* another consumer group */
	BURROW_REMEDY_DEAD_LETTER	/* the message becomes a dead letter */
} BurrowRemedy;

/* The error that halted a subscription; NULL or -1 where not known. */
typedef struct BurrowHalt
{
	const char *topic;
	int32		partition;
	int64		offset;
	const char *sqlstate;
	const char *message;

	/*
	 * What others than the owner see of it, in the log too; NULL: message and hint are Burrow's
	 * own.
	 */
	const char *public_message;
	const char *detail;
	const char *hint;
	const char *context;
	const char *traceparent;	/* of the message there, for the log; NULL: none */
	BurrowRemedy remedy;
	int64		seek_to;		/* for BURROW_REMEDY_SEEK */
	const char *seeks;			/* for BURROW_REMEDY_SEEK_SOME: partitions and offsets, as rows of
								 * VALUES */
} BurrowHalt;

/* In the current memory context.  Needs a transaction with an active snapshot; uses SPI.
 * NULL: there is no such subscription (any more), or no extension. */
extern BurrowSubscription *burrow_subscription_load(int32 subid);
/* The same by name; lock: keeps others from changing it until the end of the transaction.
 * The extension must be there. */
extern BurrowSubscription *burrow_subscription_find(const char *name, bool lock);
/* Looks for its Kafka cluster, as the owner may use it.  False: server_trouble says why not. */
extern bool burrow_subscription_find_server(BurrowSubscription *sub);
/* Those of this database that are in this consumer group, a list of BurrowSubscription.  There is none of
 * all: one role's large options are nothing to load for another's call; see catalog/identity.h. */
extern List *burrow_subscription_list_group(const char *group);
/* Is this the server and database that the subscription was made in? */
extern bool burrow_subscription_at_home(const BurrowSubscription *sub);
/*
 * Between burrow_access_begin() and burrow_access_end(): keeps it from being deleted until the transaction ends.
 * False: it is gone.  A transaction that locks rows of the tables which refer to burrow.subscription, and may
 * insert one of them or write the subscription's afterwards, calls this before: whoever deletes a subscription has its
 * row first, and theirs after it.
 */
extern bool burrow_subscription_hold(int32 subid, const char *uuid);
/* Keeps the id of the Kafka cluster, if none is kept yet. */
extern void burrow_subscription_keep_cluster(int32 subid, const char *uuid, const char *cluster_id);
/* From now on its commits carry no metadata. */
extern void burrow_subscription_keep_untagged(int32 subid, const char *uuid);
/* Sets status 'halted' and the error's columns, with the statement that ends the halt. */
extern void burrow_subscription_halt(int32 subid, const BurrowHalt *halt);

#endif							/* BURROW_CATALOG_SUBSCRIPTION_H */
