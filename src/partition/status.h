/*
 * status.h
 *	  The state of the subscription as the views show it, and why it stops.
 */
#ifndef BURROW_PARTITION_STATUS_H
#define BURROW_PARTITION_STATUS_H

#include "catalog/subscription.h"
#include "partition/context.h"

/* Why the consumer is on its way out. */
typedef enum BurrowStopReason
{
	BURROW_STOP_NONE = 0,
	BURROW_STOP_CATALOG,		/* paused, disabled or dropped */
	BURROW_STOP_RESTART,		/* options changed: start anew at once */
	BURROW_STOP_LEAVE,			/* database is wanted, or burrow.enabled is off */
	BURROW_STOP_HALT,			/* a message failed for good */
	BURROW_STOP_SHUTDOWN		/* SIGTERM */
} BurrowStopReason;

/* While in trouble: between two looks whether it is over. */
#define BURROW_PROBE_US		INT64CONST(5000000)
/* After a connection was lost, before looking whether that is all. */
#define BURROW_SUSPECT_US	INT64CONST(1000000)

/* What makes the state "retrying", beside trouble with Kafka and partitions that cannot be fetched. */
typedef enum BurrowDegraded
{
	BURROW_DEGRADED_ENVIRONMENT = 1,	/* messages wait: delivery/failure.c */
	BURROW_DEGRADED_DEAD_LETTER_TOPIC = 2,	/* dead_letter/publisher.c */
	BURROW_DEGRADED_RIGHTS = 4	/* delivery/rights.c */
} BurrowDegraded;

/* Brings the state that the views show up to date: starting, running or retrying. */
extern void burrow_status_show(const BurrowConsumer *c);
extern void burrow_status_set_degraded(const BurrowConsumer *c, BurrowDegraded why, bool is_so);
/* The environment is at fault: messages are tried one at a time, after a wait. */
extern bool burrow_status_is_waiting(void);
extern void burrow_status_set_waiting(bool is_so);
/* An assignment was answered. */
extern void burrow_status_set_joined(const BurrowConsumer *c);

/* Something is wrong that is not a message's fault and goes away by itself. */
extern void burrow_status_fail(const BurrowConsumer *c, const char *sqlstate, const char *text);
/*
 * For the views: PostgreSQL's text of an error that ends the process.  Who may not see messages' contents
 * sees `what` instead, if that text may quote some.
 */
extern void burrow_status_record(const BurrowConsumer *c, const char *sqlstate, const char *text, const char *what);
/* It has gone: Kafka has answered. */
extern void burrow_status_clear(const BurrowConsumer *c);
/* Is something wrong, and has not gone? */
extern bool burrow_status_is_failing(void);
/* How often it was cleared: what was known of trouble with Kafka before the last time is out of date. */
extern uint64 burrow_status_clears(void);
/* When to look whether it is over; see burrow_connection_probe(). */
extern TimestampTz burrow_status_probe_at(void);
extern void burrow_status_set_probe(TimestampTz at);
/* May a line of librdkafka's go into the log?  Counts it. */
extern bool burrow_status_takes_log_line(void);
/* Calls work(c, arg) in a transaction with limited waits for locks.  False: it failed and was rolled back,
 * and the state says why it could not do "what"; to be tried again. */
extern bool burrow_status_try(const BurrowConsumer *c, void (*work) (const BurrowConsumer *c, void *arg), void *arg,
							  const char *what);

/* The consumer is to end.  A later reason counts only if it is a stronger one. */
extern void burrow_status_stop(BurrowStopReason reason);
extern BurrowStopReason burrow_status_stop_reason(void);
extern bool burrow_status_is_stopping(void);
/* The subscription is on its way to halt; copies the texts.  The first reason is kept. */
extern void burrow_status_halt(const BurrowHalt *halt);
/* Of a consumer that halts. */
extern const BurrowHalt *burrow_status_halt_reason(void);

#endif							/* BURROW_PARTITION_STATUS_H */
