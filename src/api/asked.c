/*
 * asked.c
 *	  A process of its own that answers one call of an SQL function.
 *
 * It ends with this call, however that ends: the segment with the queue is detached when the
 * call's resources are released or the backend exits, and with it goes the process.  So whatever
 * the process waits for, the call can be cancelled.
 *
 * Runs in: backends.
 * Owns: the segment, and the receiver's end of the queue in it.
 */
#include "postgres.h"

#include "libpq/pqformat.h"
#include "libpq/pqmq.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/memutils.h"

#include "api/asked.h"
#include "compat.h"
#include "guc.h"
#include "runtime/answer.h"
#include "shmem/wait_events.h"

/* No answer for so long: somebody may want to know. */
#define IDLE_MS		1000

/* ---- a place for the process ---- */

static void pg_attribute_noreturn()
refuse_start(const BurrowAsked *asked, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("could not start a process for %s", asked->function),
			 errdetail_internal("%s", detail),
			 errhint("Consider increasing the configuration parameter \"max_worker_processes\".")));
	pg_unreachable();
}

static void
give_place_back(dsm_segment *segment, Datum place)
{
	burrow_call_place_release((BurrowCallPlace *) DatumGetPointer(place));
	pfree(DatumGetPointer(place));
}

/* Whose it is goes by who has logged in: with SET ROLE a member of many roles would have as many times as much. */
static void
take_place(BurrowAsked *asked)
{
	Oid			role = GetSessionUserId();

	asked->place = MemoryContextAllocZero(TopMemoryContext, sizeof(BurrowCallPlace));
	on_dsm_detach(asked->segment, give_place_back, PointerGetDatum(asked->place));
	switch (burrow_call_place_reserve(role, burrow_max_looks_per_role, superuser_arg(role), asked->place))
	{
		case BURROW_CALL_PLACE_GIVEN:
			break;
		case BURROW_CALL_PLACE_ROLE_HAS_ENOUGH:
			ereport(ERROR,
					(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					 errmsg("too many looks at Kafka at a time for role \"%s\"", GetUserNameFromId(role, true)),
					 errdetail("A role may have %d calls of burrow.check_connection(), burrow.dry_run(), burrow.peek() and burrow.topics() at a time.",
							   burrow_max_looks_per_role),
					 errhint("Wait until one has ended. A superuser can raise burrow.max_looks_per_role, also for one role.")));
			break;
		case BURROW_CALL_PLACE_ALL_TAKEN:
			ereport(ERROR,
					(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					 errmsg("too many looks at Kafka at a time"),
					 errdetail("All roles together may have %d calls of burrow.check_connection(), burrow.dry_run(), burrow.peek() and burrow.topics() at a time.",
							   burrow_call_place_most()),
					 errhint("Wait until one has ended. A quarter of the configuration parameter \"max_worker_processes\" is for them.")));
			break;
		case BURROW_CALL_PLACE_CROWDED:
			refuse_start(asked, "No background worker slot is free, and subscriptions wait for one.");
			break;
	}
}

/* The launcher has found no place for a consumer, or for a look at what a database wants. */
static void
check_place(const BurrowAsked *asked)
{
	if (!burrow_call_place_is_needed(asked->place))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("%s has been ended: its process's place is needed for subscriptions", asked->function),
			 errdetail("No background worker slot is free."),
			 errhint("Consider increasing the configuration parameter \"max_worker_processes\".")));
}

/* ---- the process ---- */

void
burrow_asked_open(BurrowAsked *asked, const char *function, const StringInfoData *request)
{
	shm_mq	   *mq;
	Size		len = request != NULL ? request->len : 0;

	memset(asked, 0, sizeof(*asked));
	asked->function = function;
	asked->cxt = AllocSetContextCreate(CurrentMemoryContext, "burrow answer", ALLOCSET_DEFAULT_SIZES);
	asked->segment = dsm_create(BURROW_ANSWER_QUEUE + len, 0);
	take_place(asked);
	mq = shm_mq_create(dsm_segment_address(asked->segment), BURROW_ANSWER_QUEUE);
	if (len > 0)
		memcpy((char *) dsm_segment_address(asked->segment) + BURROW_ANSWER_QUEUE, request->data, len);
	shm_mq_set_receiver(mq, MyProc);
	asked->queue = shm_mq_attach(mq, asked->segment, NULL);
}

static void
end_process(dsm_segment *segment, Datum handle)
{
	TerminateBackgroundWorker((BackgroundWorkerHandle *) DatumGetPointer(handle));
	pfree(DatumGetPointer(handle));
}

void
burrow_asked_started(BurrowAsked *asked, bool started, BackgroundWorkerHandle *handle)
{
	MemoryContext old;

	if (!started)
		refuse_start(asked, "No background worker slot is free.");
	/* after an error the executor's memory is gone before the segment is */
	old = MemoryContextSwitchTo(TopMemoryContext);
	on_dsm_detach(asked->segment, end_process, PointerGetDatum(handle));
	MemoryContextSwitchTo(old);
	asked->handle = handle;
	shm_mq_set_handle(asked->queue, handle);
}

/* False: it was the last one. */
static bool
take(StringInfo answer, bool *is_row)
{
	ErrorData	error;
	int			type = pq_getmsgbyte(answer);

	*is_row = type == BURROW_ANSWER_ROW;
	switch (type)
	{
		case BURROW_ANSWER_ROW:
			break;
		case BURROW_ANSWER_END:
			return false;
		case 'N':
		case 'E':
			pq_parse_errornotice(answer, &error);
			error.elevel = Min(error.elevel, ERROR);
			ThrowErrorData(&error);
			break;
		default:
			elog(ERROR, "unexpected answer of type %d", type);
	}
	return true;
}

/* False: there are no more. */
static bool
next_row(BurrowAsked *asked, StringInfo row, BurrowAskedIdle idle, const void *arg)
{
	for (;;)
	{
		Size		len;
		void	   *data;
		bool		is_row;
		bool		more;

		CHECK_FOR_INTERRUPTS();
		switch (shm_mq_receive(asked->queue, &len, &data, true))
		{
			case SHM_MQ_SUCCESS:
				MemoryContextReset(asked->cxt);
				initStringInfo(row);
				appendBinaryStringInfo(row, data, (int) len);
				more = take(row, &is_row);
				if (!more || is_row)
					return more;
				break;
			case SHM_MQ_WOULD_BLOCK:
				if ((WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
							   IDLE_MS, burrow_wait_event(BURROW_WAIT_ANSWER)) & WL_TIMEOUT) && idle != NULL)
					idle(asked, arg);
				ResetLatch(MyLatch);
				check_place(asked);
				break;
			case SHM_MQ_DETACHED:
				ereport(ERROR,
						(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						 errmsg("the process of %s has ended unexpectedly", asked->function),
						 errhint("The server log may say more.")));
		}
	}
}

void
burrow_asked_take(BurrowAsked *asked, ReturnSetInfo *rsinfo, BurrowAskedPut put, BurrowAskedIdle idle, const void *arg)
{
	MemoryContext old = MemoryContextSwitchTo(asked->cxt);
	StringInfoData row;

	while (next_row(asked, &row, idle, arg))
		put(rsinfo, &row, arg);
	MemoryContextSwitchTo(old);
	/* its slot is free for the next call */
	(void) WaitForBackgroundWorkerShutdown(asked->handle);
	dsm_detach(asked->segment);
	MemoryContextDelete(asked->cxt);
}

char *
burrow_asked_bytes(StringInfo row, int *len)
{
	char	   *bytes;

	*len = (int) pq_getmsgint(row, 4);
	if (*len < 0)
		return NULL;
	bytes = palloc(*len + 1);
	pq_copymsgbytes(row, bytes, *len);
	bytes[*len] = '\0';
	return bytes;
}

char *
burrow_asked_text(StringInfo row)
{
	int			len;

	return burrow_asked_bytes(row, &len);
}
