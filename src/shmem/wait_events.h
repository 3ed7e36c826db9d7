/*
 * wait_events.h
 *	  What Burrow's processes wait for, by the name that pg_stat_activity shows.
 *
 * Before PostgreSQL 17 all of them are called Extension.
 */
#ifndef BURROW_SHMEM_WAIT_EVENTS_H
#define BURROW_SHMEM_WAIT_EVENTS_H

typedef enum BurrowWaitEvent
{
	BURROW_WAIT_CONSUMER,		/* for Kafka, workers, and the next thing that is due */
	BURROW_WAIT_WORKER,			/* for a chunk */
	BURROW_WAIT_RESULT,			/* a worker, until the consumer has read results */
	BURROW_WAIT_LAUNCHER,
	BURROW_WAIT_EXPORTER,
	BURROW_WAIT_FETCH,			/* a dry run, for messages */
	BURROW_WAIT_LOOK,			/* a first look, for Kafka */
	BURROW_WAIT_ANSWER,			/* a call, for the process that answers it */
	BURROW_WAIT_CAUGHT_UP,		/* burrow.wait_until_caught_up() */
	BURROW_WAIT_LEAVE,			/* until processes have left a database or a group */
	BURROW_NWAIT_EVENTS
}			BurrowWaitEvent;

/* For WaitLatch() and its like. */
extern uint32 burrow_wait_event(BurrowWaitEvent which);

#endif							/* BURROW_SHMEM_WAIT_EVENTS_H */
