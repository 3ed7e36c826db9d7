/*
 * status.h
 *	  The state of the subscription as the views show it, and why it stops.
 */
#ifndef BURROW_PARTITION_STATUS_H
#define BURROW_PARTITION_STATUS_H

#include "catalog/subscription.h"
#include "partition/context.h"

/* While in trouble: between two looks whether it is over. */
#define BURROW_PROBE_US		INT64CONST(5000000)
/* After a connection was lost, before looking whether that is all. */
#define BURROW_SUSPECT_US	INT64CONST(1000000)

/* What makes the state "retrying", beside trouble with Kafka and partitions that cannot be fetched. */
typedef enum BurrowDegraded
{
	BURROW_DEGRADED_ENVIRONMENT = 1,	/* messages wait: delivery/failure.c */
	BURROW_DEGRADED_DEAD_LETTER_TOPIC = 2	/* dead_letter/publisher.c */
} BurrowDegraded;

/* Brings the state that the views show up to date: starting, running or retrying. */
extern void burrow_status_show(BurrowConsumer *c);
extern void burrow_status_set_degraded(BurrowConsumer *c, BurrowDegraded why, bool is_so);
/* The environment is at fault: messages are tried one at a time, after a wait. */
extern bool burrow_status_is_waiting(const BurrowConsumer *c);
/* An assignment was answered. */
extern void burrow_status_set_joined(BurrowConsumer *c);

/* Something is wrong that is not a message's fault and goes away by itself. */
extern void burrow_status_fail(BurrowConsumer *c, const char *sqlstate, const char *text);
/*
 * For the views: PostgreSQL's text of an error that ends the process.  Who may not see messages' contents
 * sees `what` instead, if that text may quote some.
 */
extern void burrow_status_note(BurrowConsumer *c, const char *sqlstate, const char *text, const char *what);
/* It has gone: Kafka has answered. */
extern void burrow_status_clear(BurrowConsumer *c);
/* Calls work(c, arg) in a transaction with limited waits for locks.  False: it failed and was rolled back,
 * and the state says why it could not do "what"; to be tried again. */
extern bool burrow_status_try(BurrowConsumer *c, void (*work) (BurrowConsumer *c, void *arg), void *arg,
							  const char *what);

/* The consumer is to end.  A later reason counts only if it is a stronger one. */
extern void burrow_status_stop(BurrowConsumer *c, BurrowStopReason reason);
/* The subscription is on its way to halt; copies the texts.  The first reason is kept. */
extern void burrow_status_halt(BurrowConsumer *c, const BurrowHalt *halt);

#endif							/* BURROW_PARTITION_STATUS_H */
