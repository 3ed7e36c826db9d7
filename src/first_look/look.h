/*
 * look.h
 *	  What the backend that has asked for a look at a cluster and the process that looks must both know.
 */
#ifndef BURROW_FIRST_LOOK_LOOK_H
#define BURROW_FIRST_LOOK_LOOK_H

#include "lib/stringinfo.h"

#include "catalog/server.h"

#define BURROW_PEEK_MAX			1000	/* messages */
#define BURROW_PEEK_MAX_BYTES	(16 * 1024 * 1024)

/* How long a look may take. */
#define BURROW_LOOK_SECONDS		10

typedef enum BurrowLookKind
{
	BURROW_LOOK_PEEK = 1,
	BURROW_LOOK_TOPICS,
	BURROW_LOOK_CHECK
} BurrowLookKind;

/*
 * What is asked for; texts that do not apply are NULL.  The server is that which the backend has found, by its
 * name (NULL: the nameless one), and a sum of what its options and the mapping's said there.
 */
typedef struct BurrowLook
{
	BurrowLookKind kind;
	int32		n;
	int32		subid;			/* CHECK: a subscription, or 0 */
	uint32		server_sum;
	const char *server;
	const char *topic;
	const char *start_from;		/* canonical */
} BurrowLook;

/* As the request of runtime/answer.h. */
extern void burrow_look_write(StringInfo request, const BurrowLook *look);
extern void burrow_look_read(const char *request, BurrowLook *look);
extern uint32 burrow_look_server_sum(const BurrowServer *server);

/*
 * Answers (runtime/answer.h).  PEEK: topic, partition (int32), offset (int64), timestamp (int64, milliseconds, or
 * BURROW_KAFKA_NO_TIME), key, value, number of headers (int32), name and value of each.
 * TOPICS: topic, partitions (int32), messages (int64, -1: not known), timestamp type.
 * CHECK: step, subject, ok (a byte), reason, hint.
 */

#endif							/* BURROW_FIRST_LOOK_LOOK_H */
