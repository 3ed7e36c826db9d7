/*
 * answer.c
 *	  Answers of a process that works for one call of an SQL function.
 *
 * Runs in: processes of burrow.dry_run() and of a first look at a cluster.
 * Owns: the sender's end of the queue in the backend's segment.
 * Locking: none.
 */
#include "postgres.h"

#include "libpq/pqformat.h"
#include "libpq/pqmq.h"
#include "storage/proc.h"
#include "storage/shm_mq.h"
#include "utils/memutils.h"

#include "runtime/answer.h"

const char *
burrow_answer_attach(dsm_handle handle, const BurrowCallPlace *place)
{
	dsm_segment *segment;
	shm_mq	   *mq;

	if (!burrow_call_place_attach(place))
		return NULL;
	MemoryContextSwitchTo(TopMemoryContext);
	segment = dsm_attach(handle);
	if (segment == NULL)
		return NULL;
	dsm_pin_mapping(segment);
	mq = dsm_segment_address(segment);
	shm_mq_set_sender(mq, MyProc);
	pq_redirect_to_shm_mq(segment, shm_mq_attach(mq, segment, NULL));
	return (const char *) dsm_segment_address(segment) + BURROW_ANSWER_QUEUE;
}

void
burrow_answer_begin(StringInfo answer)
{
	pq_beginmessage(answer, BURROW_ANSWER_ROW);
}

void
burrow_answer_put_bytes(StringInfo answer, const void *bytes, size_t len)
{
	pq_sendint32(answer, bytes != NULL ? (int32) len : -1);
	if (bytes != NULL)
		pq_sendbytes(answer, bytes, (int) len);
}

void
burrow_answer_put_text(StringInfo answer, const char *text)
{
	burrow_answer_put_bytes(answer, text, text != NULL ? strlen(text) : 0);
}

void
burrow_answer_send(StringInfo answer)
{
	pq_endmessage(answer);
}

void
burrow_answer_end(void)
{
	StringInfoData answer;

	pq_beginmessage(&answer, BURROW_ANSWER_END);
	pq_endmessage(&answer);
}
