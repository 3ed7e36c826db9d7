/*
 * asked.h
 *	  A process of its own that answers one call of an SQL function.
 */
#ifndef BURROW_API_ASKED_H
#define BURROW_API_ASKED_H

#include "lib/stringinfo.h"
#include "nodes/execnodes.h"
#include "postmaster/bgworker.h"
#include "storage/dsm.h"
#include "storage/shm_mq.h"

#include "shmem/call_places.h"

typedef struct BurrowAsked
{
	const char *function;		/* for errors: "burrow.dry_run()" */
	dsm_segment *segment;
	BurrowCallPlace *place;		/* of the process */
	shm_mq_handle *queue;
	BackgroundWorkerHandle *handle;
	MemoryContext cxt;			/* the answer's, until the next */
} BurrowAsked;

/* A place for the process, and the segment, with the queue and a copy of the request (NULL: none). */
extern void burrow_asked_open(BurrowAsked *asked, const char *function, const StringInfoData *request);
/* Started is what the start of the process has returned, and handle what it gave. */
extern void burrow_asked_started(BurrowAsked *asked, bool started, BackgroundWorkerHandle *handle);
/* Puts a row into the result; what it allocates goes with the row. */
typedef void (*BurrowAskedPut) (ReturnSetInfo *rsinfo, StringInfo row, const void *arg);

/* Called when nothing has come for a second. */
typedef void (*BurrowAskedIdle) (BurrowAsked *asked, const void *arg);

/* All rows; notices are passed on, and an error is raised.  The process is gone afterwards.  idle may be NULL; arg is for
 * both. */
extern void burrow_asked_take(BurrowAsked *asked, ReturnSetInfo *rsinfo, BurrowAskedPut put, BurrowAskedIdle idle,
							  const void *arg);
/* Bytes and their number; NULL: there are none.  Palloc'd, and terminated. */
extern char *burrow_asked_bytes(StringInfo row, int *len);
extern char *burrow_asked_text(StringInfo row);

#endif							/* BURROW_API_ASKED_H */
