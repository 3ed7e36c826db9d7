/*
 * shared.h
 *	  Who runs: subscription slots, worker slots, databases to look at, and those locked out.
 *
 * Everything here is in PostgreSQL's main shared memory, sized at start by
 * burrow.max_subscriptions and burrow.max_workers, and protected by one LWLock,
 * burrow->lock, unless a field's comment says otherwise.  The lock is held for a
 * few assignments only: never over a wait, a registration or catalog access.
 *
 * A *subscription slot* stands for one subscription of one database, whether it
 * runs or not, from the time a discovery worker finds it until it is dropped; so
 * counters outlive a pause.  A *worker slot* is reserved by the consumer, taken
 * by the worker that it starts, and freed at that worker's exit; as long as a slot
 * of an older generation may commit in a partition, a new consumer of the subscription
 * does not start that partition.
 *
 * registry.c makes the segment.
 */
#ifndef BURROW_SHMEM_SHARED_H
#define BURROW_SHMEM_SHARED_H

#include "storage/condition_variable.h"
#include "storage/latch.h"
#include "storage/lwlock.h"

#include "shmem/subscription_slot.h"

typedef struct BurrowWorkerSlot
{
	/* Under the registry lock. */
	bool		in_use;
	int			subscription;	/* slot number */
	uint32		generation;		/* of the consumer that reserved it */
	int			lane;			/* 0 .. workers - 1 within the subscription */
	pid_t		pid;			/* 0: reserved, not taken yet */
	PGPROC	   *proc;

	/* Cancel request of the consumer: the number of the attempt that it means; no lock. */
	pg_atomic_uint64 cancel;

	/*
	 * 1: its consumer has something for it, and is about to send it; written by the consumer
	 * alone.
	 */
	pg_atomic_uint32 announced;

	/*
	 * What it does; written by the worker alone, read by views without a lock.  A reader may see
	 * the offset of one message with the start of the next.
	 */
	pg_atomic_uint64 attempts;	/* handler calls so far: names the attempt in hand */
	pg_atomic_uint64 hand;		/* partition of the chunk in hand, see burrow_worker_slot_hand();
								 * 0: none */
	pg_atomic_uint64 running_since; /* TimestampTz; 0: idle */
	pg_atomic_uint64 committing_since;	/* TimestampTz: its calls are at their end, and the
										 * transaction is not: deferred triggers, the wait for a
										 * standby; 0: no */
	pg_atomic_uint64 running_offset;
	pg_atomic_uint32 running_partition; /* index of the partition slot */
	pg_atomic_uint64 messages_processed;
	pg_atomic_uint64 messages_failed;
} BurrowWorkerSlot;

/* A database that Burrow's processes have to stay out of. */
typedef struct BurrowDatabaseLockout
{
	Oid			dboid;			/* InvalidOid: free */
	pid_t		pid;			/* the backend whose command needs it */
} BurrowDatabaseLockout;

/* A discovery worker at work.  The launcher makes the entry, the worker fills in who
 * it is, and removes that at its exit. */
typedef struct BurrowProbe
{
	Oid			dboid;			/* InvalidOid: free */
	pid_t		launcher_pid;	/* that started it: under another launcher it changes nothing */
	PGPROC	   *proc;			/* NULL: not there yet, or gone */
	bool		done;			/* the registry says what the catalog says */
} BurrowProbe;

/* A process that works for one call, or is about to; see call_places.c. */
typedef struct BurrowCallPlaceSlot
{
	uint32		serial;			/* 0: free */
	Oid			role;			/* which has logged in where it is called */
	PGPROC	   *backend;		/* that waits for it */
	TimestampTz since;
	bool		attached;		/* the process has come: it is the one to free the place */
	bool		needed;			/* the call is to end */
} BurrowCallPlaceSlot;

/* Bytes of librdkafka's version, as text. */
#define BURROW_LIBRDKAFKA_MAX	32

/* Databases that one backend can keep Burrow out of at a time: RENAME can be one of several commands. */
#define BURROW_BACKEND_LOCKOUTS	8

#define BURROW_MAX_LOOKS		64
#define BURROW_MAX_PROBES		3	/* discovery workers at a time */
#define BURROW_MAX_CALL_PLACES	64

typedef struct BurrowShared
{
	LWLock	   *lock;
	int			tracker_tranche;	/* of the consumers' areas for tracker segments; constant */

	/* No consumer is started before: the server crashes again and again; constant. */
	TimestampTz start_not_before;

	/* The launcher; under the lock. */
	pid_t		launcher_pid;
	PGPROC	   *launcher_proc;
	bool		launcher_came;	/* there was one since the server started */
	TimestampTz crowded_since;	/* it finds no background worker slot; 0: it does */
	bool		place_freed;	/* a worker has left since: it may find one now */

	/* How many workers there may be, besides what the settings say: see worker_share.c. */
	int			workers_when_crowded;	/* since crowded_since; under the lock */
	int			workers_when_full;	/* until full_until; under the lock */
	TimestampTz full_until;		/* under the lock */
	uint64		worker_starts;	/* so far; under the lock */
	pg_atomic_uint32 share_changes; /* consumers look again at what they may have; no lock */

	uint32		last_generation;	/* under the lock */
	char		librdkafka[BURROW_LIBRDKAFKA_MAX];	/* its version, written by consumers under the
													 * lock; "": none has run */
	bool		short_of_slots; /* a subscription found no slot; told in the log; under the lock */
	BurrowProbe probes[BURROW_MAX_PROBES];	/* under the lock */
	uint32		last_call_place;	/* its serial number; under the lock */
	BurrowCallPlaceSlot call_places[BURROW_MAX_CALL_PLACES];	/* under the lock */

	/*
	 * Databases whose subscriptions a discovery worker should look at; under the lock.  When the
	 * array is full, look_at_all stands for the rest.
	 */
	bool		look_at_all;
	int			nlooks;
	Oid			looks[BURROW_MAX_LOOKS];

	int			nlockouts;		/* entries in use; under the lock */
	BurrowDatabaseLockout *lockouts;	/* under the lock; constant pointer to
										 * burrow_registry_lockouts() of them */

	/* Broadcast when a worker slot or a consumer's place gets free. */
	ConditionVariable gone;

	int			nsubscriptions; /* constant */
	int			nworkers;		/* constant */
	BurrowWorkerSlot *workers;	/* constant pointer */
	BurrowSubscriptionSlot subscriptions[FLEXIBLE_ARRAY_MEMBER];
} BurrowShared;

extern BurrowShared *burrow;	/* NULL: the library was not preloaded */

#endif							/* BURROW_SHMEM_SHARED_H */
