/*
 * status.h
 *	  The state of the subscription as the views show it, and why it stops.
 */
#ifndef BURROW_PARTITION_STATUS_H
#define BURROW_PARTITION_STATUS_H

#include "catalog/subscription.h"
#include "partition/context.h"
#include "shmem/troubles.h"

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

/* Brings the state that the views show up to date: starting, running, retrying or stalled. */
extern void burrow_status_show(const BurrowConsumer *c);
/* The environment is at fault: messages are tried one at a time, after a wait. */
extern bool burrow_status_is_waiting(void);
extern void burrow_status_set_waiting(bool is_so);
/* An assignment was answered. */
extern void burrow_status_set_joined(const BurrowConsumer *c);
extern bool burrow_status_has_joined(void);

/*
 * Something is wrong that is not a message's fault and goes away by itself: it is shown until it is over.  fail
 * writes of it into the log, if it is new; set does not.
 */
extern void burrow_status_fail(const BurrowConsumer *c, BurrowTroubleKind kind, const BurrowTroubleReport *report);
extern void burrow_status_set(const BurrowConsumer *c, BurrowTroubleKind kind, const BurrowTroubleReport *report);
extern void burrow_status_over(const BurrowConsumer *c, BurrowTroubleKind kind);
extern bool burrow_status_has(BurrowTroubleKind kind);
/* fail, with what Kafka said, and no more is known. */
extern void burrow_status_fail_kafka(const BurrowConsumer *c, BurrowTroubleKind kind, BurrowKafkaCause cause, const char *text);
/* Ends what nobody has met for a while.  When it is due again. */
extern TimestampTz burrow_status_run(const BurrowConsumer *c);
/*
 * For the views: PostgreSQL's text of an error that ends the process.  Who may not see messages' contents
 * sees `what` instead, if that text may quote some.
 */
extern void burrow_status_record(const BurrowConsumer *c, const char *sqlstate, const char *text, const char *what);
/* This process is about to end with an error, of which this is the cause: the views give its words and statement. */
extern void burrow_status_set_end_cause(BurrowKafkaCause cause);
/* Kafka has answered: what it said about connections is out of date. */
extern void burrow_status_kafka_answered(const BurrowConsumer *c);
/* How often it has. */
extern uint64 burrow_status_kafka_answers(void);
/* Is there trouble with Kafka? */
extern bool burrow_status_is_failing(void);
/* When to look whether it is over; see burrow_connection_probe(). */
extern TimestampTz burrow_status_probe_at(void);
extern void burrow_status_set_probe(TimestampTz at);
/* May a line of librdkafka's go into the log?  Counts it. */
extern bool burrow_status_takes_log_line(void);
/* Calls work(c, arg) in a transaction with limited waits for locks.  False: it failed and was rolled back,
 * and there is trouble of this kind until it is done; to be tried again. */
extern bool burrow_status_try(const BurrowConsumer *c, void (*work) (const BurrowConsumer *c, void *arg), void *arg,
							  BurrowTroubleKind kind);
/* The same for what nobody waits for: it is no trouble if it fails. */
extern bool burrow_status_try_quietly(const BurrowConsumer *c, void (*work) (const BurrowConsumer *c, void *arg), void *arg);

/* The consumer is to end.  A later reason counts only if it is a stronger one. */
extern void burrow_status_stop(BurrowStopReason reason);
extern BurrowStopReason burrow_status_stop_reason(void);
extern bool burrow_status_is_stopping(void);
/* The subscription is on its way to halt; copies the texts.  The first reason is kept. */
extern void burrow_status_halt(const BurrowHalt *halt);
/* Of a consumer that halts. */
extern const BurrowHalt *burrow_status_halt_reason(void);

#endif							/* BURROW_PARTITION_STATUS_H */
