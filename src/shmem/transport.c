/*
 * transport.c
 *	  The pair of queues between the consumer and one worker.
 *
 * The segment is made by the consumer, whose mapping is pinned to the process and
 * not to a transaction's resource owner.  shm_mq detaches by itself at the exit of
 * either process, so each side learns of the other's end from the next send or
 * receive.
 */
#include "postgres.h"

#include "storage/proc.h"
#include "storage/shm_toc.h"
#include "utils/memutils.h"

#include "compat.h"
#include "shmem/dynamic.h"
#include "shmem/transport.h"

#define TRANSPORT_MAGIC			UINT64CONST(0x6275727277717565)

#define TRANSPORT_KEY_SETUP		1
#define TRANSPORT_KEY_CLAIM		2
#define TRANSPORT_KEY_CHUNKS	3
#define TRANSPORT_KEY_RESULTS	4

/* A result of the largest usual chunk (100 messages) and a failure with all its
 * texts fit; a larger one goes through in pieces. */
#define RESULT_QUEUE_SIZE		(16 * 1024)

/* What make() makes of what. */
typedef struct Making
{
	const BurrowWorkerSetup *setup;
	Size		queue_size;
	BurrowTransport *transport;
} Making;

/* Makes the segment and takes the consumer's end of both queues. */
static void
make(void *arg)
{
	Making	   *making = arg;
	Size		queue_size = making->queue_size;
	shm_toc_estimator e;
	shm_toc    *toc;
	BurrowTransport *t;
	BurrowWorkerSetup *shared_setup;
	shm_mq	   *chunks;
	shm_mq	   *results;

	shm_toc_initialize_estimator(&e);
	shm_toc_estimate_chunk(&e, sizeof(BurrowWorkerSetup));
	shm_toc_estimate_chunk(&e, sizeof(BurrowClaim));
	shm_toc_estimate_chunk(&e, queue_size);
	shm_toc_estimate_chunk(&e, RESULT_QUEUE_SIZE);
	shm_toc_estimate_keys(&e, 4);

	/* the queue handles live as long as the process, or until detached */
	MemoryContextSwitchTo(TopMemoryContext);
	t = palloc0(sizeof(BurrowTransport));
	making->transport = t;
	t->segment = dsm_create(shm_toc_estimate(&e), 0);

	toc = shm_toc_create(TRANSPORT_MAGIC, dsm_segment_address(t->segment), shm_toc_estimate(&e));
	shared_setup = shm_toc_allocate(toc, sizeof(BurrowWorkerSetup));
	*shared_setup = *making->setup;
	shared_setup->queue_size = queue_size;
	shm_toc_insert(toc, TRANSPORT_KEY_SETUP, shared_setup);
	t->setup = shared_setup;

	t->claim = shm_toc_allocate(toc, sizeof(BurrowClaim));
	burrow_claim_give(t->claim);
	shm_toc_insert(toc, TRANSPORT_KEY_CLAIM, t->claim);

	chunks = shm_mq_create(shm_toc_allocate(toc, queue_size), queue_size);
	shm_toc_insert(toc, TRANSPORT_KEY_CHUNKS, chunks);
	shm_mq_set_sender(chunks, MyProc);
	t->chunks = shm_mq_attach(chunks, t->segment, NULL);

	results = shm_mq_create(shm_toc_allocate(toc, RESULT_QUEUE_SIZE), RESULT_QUEUE_SIZE);
	shm_toc_insert(toc, TRANSPORT_KEY_RESULTS, results);
	shm_mq_set_receiver(results, MyProc);
	t->results = shm_mq_attach(results, t->segment, NULL);
	dsm_pin_mapping(t->segment);
}

BurrowTransport *
burrow_transport_create(const BurrowWorkerSetup *setup, Size queue_size, const char **why)
{
	Making		making = {.setup = setup, .queue_size = queue_size};

	*why = burrow_dynamic_try(make, &making);
	if (*why == NULL)
		return making.transport;
	if (making.transport != NULL)
		pfree(making.transport);
	return NULL;
}

/* Takes the worker's end of both queues. */
BurrowTransport *
burrow_transport_attach(dsm_handle segment)
{
	BurrowTransport *t;
	dsm_segment *seg;
	shm_toc    *toc;
	shm_mq	   *mq;
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

	seg = dsm_attach(segment);
	if (seg == NULL)
	{
		MemoryContextSwitchTo(old);
		return NULL;
	}
	dsm_pin_mapping(seg);
	toc = shm_toc_attach(TRANSPORT_MAGIC, dsm_segment_address(seg));
	if (toc == NULL)
		elog(ERROR, "invalid magic number in dynamic shared memory segment");

	t = palloc0(sizeof(BurrowTransport));
	t->segment = seg;
	t->setup = shm_toc_lookup(toc, TRANSPORT_KEY_SETUP, false);
	t->claim = shm_toc_lookup(toc, TRANSPORT_KEY_CLAIM, false);

	/* results first: when the consumer sees the chunk queue's receiver, both are ready */
	mq = shm_toc_lookup(toc, TRANSPORT_KEY_RESULTS, false);
	shm_mq_set_sender(mq, MyProc);
	t->results = shm_mq_attach(mq, seg, NULL);

	mq = shm_toc_lookup(toc, TRANSPORT_KEY_CHUNKS, false);
	shm_mq_set_receiver(mq, MyProc);
	t->chunks = shm_mq_attach(mq, seg, NULL);

	MemoryContextSwitchTo(old);
	return t;
}

/* Detaching the segment detaches both queues, which wakes the other side. */
void
burrow_transport_detach(BurrowTransport *t)
{
	shm_mq_detach(t->chunks);
	shm_mq_detach(t->results);
	dsm_detach(t->segment);
	pfree(t);
}

/*
 * Sends a message as one piece, and lets the other side see it at once.  After
 * SHM_MQ_WOULD_BLOCK it must be called again with the same arguments.
 */
shm_mq_result
burrow_transport_send(shm_mq_handle *queue, shm_mq_iovec *iov, int iovcnt, bool nowait)
{
	return shm_mq_sendv(queue, iov, iovcnt, nowait, true);
}
