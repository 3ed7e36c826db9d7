/*
 * database_lockout.h
 *	  Keeps Burrow's processes out of a database for a while.
 */
#ifndef BURROW_SHMEM_DATABASE_LOCKOUT_H
#define BURROW_SHMEM_DATABASE_LOCKOUT_H

#include "postgres_ext.h"

/*
 * Keep Burrow's processes out of a database until release or exit; asks those in it to
 * leave, and waits until they are gone or the timeout (ms) is over.  False: timed out.
 * Error PROGRAM_LIMIT_EXCEEDED for more than BURROW_BACKEND_LOCKOUTS in one transaction.
 */
extern bool burrow_database_lockout_take(Oid dboid, int timeout_ms);
/* SIGTERM to the workers in it: their messages roll back, and nothing is waited for. */
extern void burrow_database_lockout_terminate_workers(Oid dboid);
extern void burrow_database_lockout_release(void);
/* Has this backend any? */
extern bool burrow_database_lockout_is_held(void);

#endif							/* BURROW_SHMEM_DATABASE_LOCKOUT_H */
