/*
 * registry.h
 *	  Who runs: subscription slots, databases to look at.
 *
 * The functions; what the structs say is in shared.h and subscription_slot.h.
 */
#ifndef BURROW_SHMEM_REGISTRY_H
#define BURROW_SHMEM_REGISTRY_H

#include "shmem/shared.h"

/* What keeps consumers from being started at all. */
typedef enum BurrowStartTrouble
{
	BURROW_START_FREE = 0,
	BURROW_START_NO_LAUNCHER,	/* no place for it when the server started */
	BURROW_START_LAUNCHER_GONE, /* the postmaster starts it again */
	BURROW_START_CROWDED		/* max_worker_processes */
} BurrowStartTrouble;

/* ---- set-up, from _PG_init ---- */
extern void burrow_registry_request_shmem(void);	/* in shmem_request_hook */
extern Size burrow_registry_shmem_size(void);	/* all of Burrow's */
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
/* Has neither a consumer nor a worker.  Locks: caller holds burrow->lock. */
extern bool burrow_registry_is_idle(int slot);

/* Attach this process as the consumer of its slot; leaves with an error if the slot
 * is not of this generation any more.  Registers the detaching at exit, which also
 * frees the partition slots and the worker slots that nobody has taken. */
extern void burrow_registry_attach_consumer(int slot, uint32 generation);
/* Process: consumer, before it exits. */
extern void burrow_registry_leave(int slot, BurrowLeave how);
extern void burrow_registry_set_state(int slot, BurrowState state);
/*
 * public_message is shown to those who may see the subscription, but not messages' contents; NULL:
 * the message is, because it is a text of Burrow's or librdkafka's own.  A message of "" forgets the last one.
 */
extern void burrow_registry_set_error(int slot, const char *sqlstate, const char *message, const char *public_message);
extern void burrow_registry_set_retries(int slot, const BurrowRetryInfo *retries);
extern void burrow_registry_set_starting(int slot, const BurrowStartInfo *starting);
/* Process: consumer. */
extern void burrow_registry_set_librdkafka(const char *version);
/* An attempt has failed.  Process: the consumer of the slot. */
extern void burrow_registry_count_failure(int slot, const char *sqlstate);
extern void burrow_registry_request(int slot, uint32 bits);

/* How many entries burrow->lockouts has. */
extern int	burrow_registry_lockouts(void);
/* Must Burrow's processes stay out of it (database_lockout.c)?  Locks: caller holds burrow->lock. */
extern bool burrow_registry_is_locked_out(Oid dboid);

/* The launchers, ours and logical replication's, and the exporter: they take places of worker processes for good. */
extern int	burrow_registry_static_processes(void);
/* Is anything in the way of starting consumers; *since is 0 where that is not known.  Locks: takes
 * burrow->lock, shared. */
extern BurrowStartTrouble burrow_registry_start_trouble(TimestampTz *since);

/* ---- launcher and discovery ---- */

/* Process: launcher.  Takes over from a launcher before it. */
extern void burrow_registry_attach_launcher(void);
/* Process: discovery worker.  False: the database is locked out, or the launcher that
 * started it is gone. */
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
