/*
 * registry.h
 *	  Who runs: subscription slots, worker slots, databases to look at, holds.
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
 */
#ifndef BURROW_SHMEM_REGISTRY_H
#define BURROW_SHMEM_REGISTRY_H

#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "utils/timestamp.h"

#include "burrow.h"
#include "core/histogram.h"
#include "shmem/counters.h"

/* What a subscription does, as burrow.subscriptions shows it. */
typedef enum BurrowState
{
	BURROW_STARTING = 0,		/* -> any */
	BURROW_RUNNING,				/* -> RETRYING, and any of the ends below */
	BURROW_RETRYING,			/* goes on by itself when what it waits for is over -> RUNNING */
	BURROW_PAUSED,				/* consumer gone; resume -> STARTING */
	BURROW_HALTED,				/* consumer gone; resume -> STARTING */
	BURROW_DISABLED				/* copied, not enabled, burrow.enabled off, database held */
} BurrowState;

extern const char *const burrow_state_names[];

/*
 * How a consumer's end is meant.  The consumer says so before it exits
 * (burrow_registry_leave); one that says nothing has died.
 */
typedef enum BurrowLeave
{
	BURROW_LEAVE_DIED = 0,		/* started again after a backoff */
	BURROW_LEAVE_RESTART,		/* started again at once: options have changed */
	BURROW_LEAVE_STOPPED		/* by itself or on request: a discovery worker reads the
								 * catalog once more and says whether it should run */
} BurrowLeave;

/* An error that the views show.  Written by the consumer or the launcher. */
typedef struct BurrowErrorInfo
{
	TimestampTz at;				/* 0: none */
	char		sqlstate[6];
	char		message[512];
} BurrowErrorInfo;

/* Messages that wait for their retry, and the one that has failed first of those. */
typedef struct BurrowRetryInfo
{
	uint64		n;				/* 0: none, and the rest says nothing */
	char		topic[BURROW_TOPIC_MAX + 1];
	int32		partition;
	int64		offset;
	uint32		attempt;		/* the next one */
	TimestampTz since;			/* it failed first */
	TimestampTz at;				/* of the next attempt */
	TimestampTz wait_until;		/* the whole subscription waits; 0: it does not */
} BurrowRetryInfo;

/* What a worker could not be started for. */
typedef enum BurrowShortage
{
	BURROW_SHORT_OF_NOTHING = 0,
	BURROW_SHORT_OF_SLOTS,		/* burrow.max_workers */
	BURROW_SHORT_OF_PROCESSES,	/* max_worker_processes */
	BURROW_SHORT_OF_MEMORY		/* dynamic shared memory */
} BurrowShortage;

/* What keeps consumers from being started at all. */
typedef enum BurrowStartTrouble
{
	BURROW_START_FREE = 0,
	BURROW_START_NO_LAUNCHER,	/* no place for it when the server started */
	BURROW_START_LAUNCHER_GONE, /* the postmaster starts it again */
	BURROW_START_CROWDED		/* max_worker_processes */
} BurrowStartTrouble;

/* Assigned partitions whose start is not known yet, and the first of those for which Kafka has no
 * answer while others go on. */
typedef struct BurrowStartInfo
{
	uint32		n;
	uint32		nstuck;			/* 0: the rest says nothing */
	char		topic[BURROW_TOPIC_MAX + 1];
	int32		partition;
	TimestampTz since;
	char		message[256];
} BurrowStartInfo;

typedef struct BurrowSubscriptionSlot
{
	/* Identity: set when the slot is reserved, constant while in_use. */
	bool		in_use;
	Oid			dboid;
	int32		subid;
	/* Set by discovery. */
	Oid			owner;
	char		name[BURROW_NAME_MAX + 1];
	bool		wanted;			/* the catalog says that it should run; a consumer that
								 * stops clears it until the catalog was read again */
	bool		dropped;		/* not in the catalog any more: the launcher frees the slot
								 * when no process refers to it */

	/* The launcher's: when to start the consumer (again). */
	uint32		generation;		/* of the consumer started last, unique in the server, so
								 * that worker slots cannot be mixed up; 0: none */
	bool		starting;		/* registered, has not attached yet */
	TimestampTz started_at;		/* when it was registered */
	TimestampTz restart_at;		/* not before; 0: at once */
	int			restart_delay_ms;	/* the last backoff; 0 after a good run */

	/* Set at the consumer's exit, for the launcher to deal with. */
	bool		ended;
	BurrowLeave leave;			/* reset at each start */

	/* The consumer's, set while it is attached. */
	pid_t		consumer_pid;	/* 0: none */
	PGPROC	   *consumer_proc;	/* for its latch; NULL: none */
	BurrowState state;
	BurrowErrorInfo last_error;
	BurrowRetryInfo retries;	/* under the lock */
	BurrowStartInfo starting_partitions;	/* the same */
	TimestampTz stats_reset;
	int			workers_wanted; /* pool size that it would like now */
	BurrowShortage shortage;	/* why the pool is smaller than it should be */

	/* Requests to the consumer; no lock.  Any process sets bits and then its latch. */
	pg_atomic_uint32 requests;

	/* One bit a lane: this worker has sent a result.  No lock: the worker sets its
	 * bit, then the consumer's latch; the consumer exchanges words with 0. */
	pg_atomic_uint64 ready[BURROW_MAX_WORKERS / 64];

	/* Written by the consumer alone, read by anybody; no lock. */
	pg_atomic_uint64 counters[BURROW_NCOUNTERS];
	pg_atomic_uint64 jobs_queued;	/* messages that could run or wait behind others */
	pg_atomic_uint64 inflight;		/* messages in workers' hands */
	pg_atomic_uint64 inflight_bytes;	/* bytes of all messages taken and not resolved */
	pg_atomic_uint64 unconfirmed_since; /* what is flushed here waits for standbys; 0: nothing does */
	BurrowHistogram handler_time;
	BurrowHistogram end_to_end_time;
} BurrowSubscriptionSlot;

#define BURROW_REQUEST_RELOAD	1	/* the catalog row has changed, or is gone */
#define BURROW_REQUEST_LEAVE	2	/* leave the database: drain and exit */
#define BURROW_REQUEST_REFRESH	4	/* ask for the partitions' ends, and commit what is done */
#define BURROW_REQUEST_RENEW	8	/* settings of the workers' sessions have changed */

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
	 * What it does; written by the worker alone, read by views without a lock.  A
	 * reader may see the offset of one message with the start of the next.
	 */
	pg_atomic_uint64 attempts;	/* handler calls so far: names the attempt in hand */
	pg_atomic_uint64 hand;		/* partition of the chunk in hand, see burrow_worker_slot_hand(); 0: none */
	pg_atomic_uint64 running_since; /* TimestampTz; 0: idle */
	pg_atomic_uint64 running_offset;
	pg_atomic_uint32 running_partition; /* index of the partition slot */
	pg_atomic_uint64 messages_processed;
	pg_atomic_uint64 messages_failed;
} BurrowWorkerSlot;

/* A database that Burrow's processes have to stay out of. */
typedef struct BurrowHold
{
	Oid			dboid;			/* InvalidOid: free */
	pid_t		pid;			/* the backend whose command needs it */
} BurrowHold;

/* A discovery worker at work.  The launcher makes the entry, the worker fills in who
 * it is, and removes that at its exit. */
typedef struct BurrowProbe
{
	Oid			dboid;			/* InvalidOid: free */
	pid_t		launcher_pid;	/* that started it: under another launcher it changes nothing */
	PGPROC	   *proc;			/* NULL: not there yet, or gone */
	bool		done;			/* the registry says what the catalog says */
} BurrowProbe;

#define BURROW_MAX_HOLDS		32
#define BURROW_MAX_LOOKS		64
#define BURROW_MAX_PROBES		3	/* discovery workers at a time */

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

	uint32		last_generation;	/* under the lock */
	bool		short_of_slots; /* a subscription found no slot; told in the log; under the lock */
	BurrowProbe probes[BURROW_MAX_PROBES];	/* under the lock */

	/* Databases whose subscriptions a discovery worker should look at; under the
	 * lock.  When the array is full, look_at_all stands for the rest. */
	bool		look_at_all;
	int			nlooks;
	Oid			looks[BURROW_MAX_LOOKS];

	BurrowHold	holds[BURROW_MAX_HOLDS];

	/* Broadcast when a worker slot or a consumer's place gets free. */
	ConditionVariable gone;

	int			nsubscriptions; /* constant */
	int			nworkers;		/* constant */
	BurrowWorkerSlot *workers;	/* constant pointer */
	BurrowSubscriptionSlot subscriptions[FLEXIBLE_ARRAY_MEMBER];
} BurrowShared;

extern BurrowShared *burrow;	/* NULL: the library was not preloaded */

/* ---- set-up, from _PG_init ---- */
extern void burrow_registry_request_shmem(void);	/* in shmem_request_hook */
extern void burrow_registry_startup_shmem(void);	/* in shmem_startup_hook */

/* Error OBJECT_NOT_IN_PREREQUISITE_STATE with a hint if the library is not preloaded. */
extern void burrow_registry_require(void);

/* ---- requests from backends ---- */

/*
 * At the end of this transaction, if it commits: have the launcher look at this
 * database again, and consumers of it re-read their catalog rows.  Refuses PREPARE.
 * Process: any backend, in a transaction.
 */
extern void burrow_registry_wake_at_commit(void);

/* Have the launcher look at a database now.  InvalidOid: every database. */
extern void burrow_registry_look_at(Oid dboid);
/* NULL: nobody.  Locks: none needed, see registry.c. */
extern void burrow_registry_wake(PGPROC *proc);
extern void burrow_registry_wake_launcher(void);

/* ---- slots ---- */

/* Slot number, or -1.  Locks: caller holds burrow->lock. */
extern int	burrow_registry_find(Oid dboid, int32 subid);
/* Finds or reserves a slot; -1 when all are in use.  Locks: caller holds burrow->lock exclusively. */
extern int	burrow_registry_reserve(Oid dboid, int32 subid);
/* Free subscription slots.  Locks: takes burrow->lock. */
extern int	burrow_registry_free_slots(void);

/* Has neither a consumer nor a worker.  Locks: caller holds burrow->lock. */
extern bool burrow_registry_is_idle(int slot);

/* Attach this process as the consumer of its slot; leaves with an error if the slot
 * is not of this generation any more.  Registers the detaching at exit, which also
 * frees the partition slots and the worker slots that nobody has taken. */
extern void burrow_registry_attach_consumer(int slot, uint32 generation);
/* Process: consumer, before it exits. */
extern void burrow_registry_leave(int slot, BurrowLeave how);
extern void burrow_registry_set_state(int slot, BurrowState state);
extern void burrow_registry_set_error(int slot, const char *sqlstate, const char *message);
extern void burrow_registry_set_retries(int slot, const BurrowRetryInfo *retries);
extern void burrow_registry_set_starting(int slot, const BurrowStartInfo *starting);
extern void burrow_registry_request(int slot, uint32 bits);

/*
 * Workers of older consumers, which their consumer's end left with a message, and where they may still
 * commit something: the hands of those that have one go into the array, which has room for
 * burrow->nworkers.  False: there are no such workers any more.  The exit of one wakes the consumer.
 */
extern bool burrow_worker_slot_find_old(int slot, uint32 generation, uint64 *hands, int *nhands);
extern void burrow_worker_slot_signal_old(int slot, uint32 generation, int signo);

/* Reserve a worker slot; -1: none is free. */
extern int	burrow_registry_reserve_worker(int slot, uint32 generation, int lane);
/*
 * The consumer's view of a worker slot that it reserved, which may have been freed by
 * the worker and be another's since: each does nothing, or says false, if so.
 */
/* Has the worker taken the slot, and not left it yet? */
extern bool burrow_registry_worker_attached(int worker, int slot, uint32 generation, int lane);
/* Send a signal to the worker, if it has taken the slot. */
extern void burrow_registry_signal_worker(int worker, int slot, uint32 generation, int lane, int signo);
/*
 * Which message had it in hand when it went?  False: none, or it was told to go, because
 * its database is wanted.  Locks: takes burrow->lock, shared.
 */
extern bool burrow_registry_message_in_hand(int worker, int slot, uint32 generation, int lane, int64 *offset);
/* Free the slot of a process that never came or is gone. */
extern void burrow_registry_free_worker(int worker, int slot, uint32 generation, int lane);
/* Process: worker.  False: the generation is old or the consumer gone, leave.  Registers
 * the freeing at exit. */
extern bool burrow_registry_attach_worker(int worker, uint32 generation);
/*
 * Process: worker.  From here on it may commit in this partition; called before the next look whether
 * its consumer is still there.  topic NULL: not any more.
 */
extern void burrow_worker_slot_set_hand(int worker, const char *topic, int32 partition);
/* A number that stands for a partition; two may share one, and then one waits for the other. */
extern uint64 burrow_worker_slot_hand(const char *topic, int32 partition);
/* Process: worker.  A result was sent: set the lane's bit and the consumer's latch. */
extern void burrow_registry_result_ready(int slot, int lane);

/* ---- holds ---- */

/*
 * Keep Burrow's processes out of a database until release or exit; asks those in it to
 * leave, and waits until they are gone or the timeout (ms) is over.  False: timed out.
 */
extern bool burrow_registry_hold_database(Oid dboid, int timeout_ms);
/* SIGTERM to the workers in it: their messages roll back, and nothing is waited for. */
extern void burrow_registry_terminate_workers(Oid dboid);
extern void burrow_registry_release_holds(void);
/* Locks: caller holds burrow->lock. */
extern bool burrow_registry_is_held(Oid dboid);

/* Is anything in the way of starting consumers; *since is 0 where that is not known.  Locks: takes
 * burrow->lock, shared. */
extern BurrowStartTrouble burrow_registry_start_trouble(TimestampTz *since);

/* ---- launcher and discovery ---- */

/* Process: launcher.  Takes over from a launcher before it. */
extern void burrow_registry_attach_launcher(void);
/* Process: discovery worker.  False: the database is held, or the launcher that started
 * it is gone. */
extern bool burrow_registry_attach_probe(Oid dboid);
/* Locks: caller holds burrow->lock.  NULL: this worker's launcher is gone. */
extern BurrowProbe *burrow_registry_my_probe(void);

static inline void
burrow_count(int slot, BurrowCounter counter, uint64 n)
{
	pg_atomic_uint64 *c = &burrow->subscriptions[slot].counters[counter];

	pg_atomic_write_u64(c, pg_atomic_read_u64(c) + n);
}

#define BURROW_COUNT(slot, field, n) burrow_count((slot), BURROW_COUNTER_##field, (n))

#endif							/* BURROW_SHMEM_REGISTRY_H */
