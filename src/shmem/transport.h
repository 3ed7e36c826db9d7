/*
 * transport.h
 *	  The pair of queues between the consumer and one worker.
 *
 * One dynamic shared memory segment a worker, made by the consumer: a header with
 * what the worker must know to work, the claim of its chunk, and two shm_mq rings.  The consumer sends
 * chunks (core/frame.h), the worker results.  Either side notices that the other
 * is gone when the queue says that it is detached.
 */
#ifndef BURROW_SHMEM_TRANSPORT_H
#define BURROW_SHMEM_TRANSPORT_H

#include "storage/dsm.h"
#include "storage/shm_mq.h"
#include "utils/dsa.h"

#include "burrow.h"
#include "core/claim.h"
#include "core/offset_metadata.h"

#define BURROW_HANDLER_MAX	2047	/* bytes of a handler's signature */

/* What a worker must know; constant once the segment is made. */
typedef struct BurrowWorkerSetup
{
	int64		batch_time_us;	/* a transaction is committed after this at the latest between two
								 * messages */
	int64		handler_timeout_us; /* 0: none */
	int			synchronous_commit; /* SyncCommitLevel */
	BurrowDelivery delivery;	/* exactly once: progress goes into each transaction */
	Size		queue_size;		/* of the queue of chunks, in bytes; filled in with the segment */
	char		uuid[BURROW_UUID_TEXT_LEN + 1]; /* the subscription's */
	bool		run_as_owner;	/* a superuser calls what somebody else owns, and means it */
	Oid			handler_owner;	/* owner of the function when it was subscribed */
	char		subscription[BURROW_NAME_MAX + 1];
	char		handler[BURROW_HANDLER_MAX + 1];	/* as regprocedure prints it, schema-qualified */
} BurrowWorkerSetup;

/* Carried in bgw_extra (128 bytes). */
typedef struct BurrowWorkerArgs
{
	Oid			dboid;
	Oid			owner;			/* role that the worker connects as */
	int32		subid;
	int			subscription;	/* subscription slot */
	int			worker;			/* worker slot */
	int			lane;
	uint32		generation;
	dsm_handle	segment;
	dsa_handle	tracker_area;	/* tracker segments: BurrowTrackerSlot arrays */
} BurrowWorkerArgs;

typedef struct BurrowTransport
{
	dsm_segment *segment;
	const BurrowWorkerSetup *setup;
	BurrowClaim *claim;			/* of the chunk that the worker has */
	shm_mq_handle *chunks;		/* consumer -> worker */
	shm_mq_handle *results;		/* worker -> consumer */
} BurrowTransport;

/* Process: consumer.  In TopMemoryContext, until it is detached.  NULL: no segment could be made, and why. */
extern BurrowTransport *burrow_transport_create(const BurrowWorkerSetup *setup, Size queue_size, const char **why);
/* Process: worker.  NULL: the consumer is gone. */
extern BurrowTransport *burrow_transport_attach(dsm_handle segment);
/* Both: lets the other side see that we are gone.  The memory is freed. */
extern void burrow_transport_detach(BurrowTransport *t);

extern shm_mq_result burrow_transport_send(shm_mq_handle *queue, shm_mq_iovec *iov, int iovcnt, bool nowait);

#endif							/* BURROW_SHMEM_TRANSPORT_H */
