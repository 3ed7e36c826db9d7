/*
 * bgw.h
 *	  The only place that fills a BackgroundWorker.
 */
#ifndef BURROW_RUNTIME_BGW_H
#define BURROW_RUNTIME_BGW_H

#include "postmaster/bgworker.h"

#include "shmem/call_places.h"
#include "shmem/transport.h"

/* From _PG_init: the static ones. */
extern void burrow_bgw_register_launcher(void);
extern void burrow_bgw_register_exporter(void);

/* Dynamic ones: false when no background worker slot is free.  The caller is
 * notified of start and end (bgw_notify_pid).  The handle is the caller's to pfree(). */
extern bool burrow_bgw_start_discovery(Oid dboid, BackgroundWorkerHandle **handle);
extern bool burrow_bgw_start_consumer(int slot, uint32 generation, Oid dboid, int32 subid,
									  const char *name, BackgroundWorkerHandle **handle);
extern bool burrow_bgw_start_worker(const BurrowWorkerArgs *args, const char *name,
									BackgroundWorkerHandle **handle);

/* Settings that Burrow's own processes (not the workers) need whatever the database's
 * are.  Process: launcher, discovery, consumer, first look, once connected. */
extern void burrow_bgw_set_overrides(void);
/* Loads what a client's session of this role and database loads when it begins.  Process:
 * worker, dry run, once connected, outside of a transaction. */
extern void burrow_bgw_load_session_libraries(void);
/* What is the owner's in a process that is his session, but for what protects Burrow's
 * promises.  Process: worker, dry run, once connected. */
extern void burrow_bgw_set_up_owner(void);

/* Arguments of a consumer, in bgw_extra; the slot is bgw_main_arg. */
typedef struct BurrowConsumerArgs
{
	Oid			dboid;
	int32		subid;
	uint32		generation;
} BurrowConsumerArgs;

/* Arguments of a dry run, in bgw_extra. */
typedef struct BurrowDryRunArgs
{
	Oid			dboid;
	Oid			owner;			/* role that it connects as */
	int32		subid;
	int			n;				/* messages that are wanted */
	dsm_handle	segment;		/* nothing but the queue of its answers */
	BurrowCallPlace place;
} BurrowDryRunArgs;

extern bool burrow_bgw_start_dry_run(const BurrowDryRunArgs *args, const char *name,
									 BackgroundWorkerHandle **handle);

/* Arguments of a first look at a cluster, in bgw_extra. */
typedef struct BurrowLookArgs
{
	Oid			dboid;
	Oid			role;			/* who looks; the process is no session of its */
	dsm_handle	segment;		/* the queue of its answers, and what is asked */
	BurrowCallPlace place;
} BurrowLookArgs;

extern bool burrow_bgw_start_first_look(const BurrowLookArgs *args, BackgroundWorkerHandle **handle);

/* Entry points */
extern PGDLLEXPORT void burrow_launcher_main(Datum arg);
extern PGDLLEXPORT void burrow_exporter_main(Datum arg);
extern PGDLLEXPORT void burrow_discovery_main(Datum arg);	/* database OID */
extern PGDLLEXPORT void burrow_consumer_main(Datum arg);
extern PGDLLEXPORT void burrow_worker_main(Datum arg);
extern PGDLLEXPORT void burrow_dry_run_main(Datum arg);
extern PGDLLEXPORT void burrow_first_look_main(Datum arg);

#endif							/* BURROW_RUNTIME_BGW_H */
