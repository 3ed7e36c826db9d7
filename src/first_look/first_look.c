/*
 * first_look.c
 *	  The process of a look at a Kafka cluster: burrow.peek(), topics() and check_connection().
 *
 * Runs in: a dynamic background worker for one call of the function, started by the backend that
 * called it.
 * Owns: the answers to that backend (runtime/answer.c).
 * Locking: none.
 *
 * A process of its own, because a backend must not have a Kafka client (its threads would live
 * on), and because resolving a name can take as long as the resolver likes: the call can be
 * cancelled whatever this process waits for.
 *
 * No code of a user's runs here, so it is no session of the caller's: a role that may not log in can look
 * all the same, and neither its settings nor its libraries are loaded.  What it may see in Kafka is decided by
 * the server's options and its mapping, which are looked up for it.
 *
 * It ends with the backend: by its SIGTERM, or when the queue says that it is gone.  It always ends by
 * _exit(), for the reason given in consumer.c; so its client is left as it is.
 */
#include "postgres.h"

#include <unistd.h>

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/memutils.h"

#include "burrow.h"
#include "compat.h"
#include "first_look/check.h"
#include "first_look/look.h"
#include "first_look/peek.h"
#include "first_look/topics.h"
#include "first_look/visit.h"
#include "runtime/answer.h"
#include "runtime/bgw.h"
#include "runtime/transaction.h"

static void
exit_at_once(int code, Datum arg)
{
	_exit(code);
}

/* As it is committed; the backend may have changed it in the transaction that it is in. */
static const BurrowServer *
find_server(Oid role, const BurrowLook *look)
{
	MemoryContext cxt = CurrentMemoryContext;
	BurrowServerTrouble trouble;
	BurrowServer *server;

	burrow_transaction_begin();
	MemoryContextSwitchTo(cxt);
	server = burrow_server_find(role, look->server, &trouble);
	burrow_transaction_commit(cxt);
	if (server == NULL || burrow_look_server_sum(server) != look->server_sum)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot look at a Kafka cluster in the transaction that has changed how to connect to it"),
				 look->server != NULL ?
				 errdetail("Server \"%s\", its options, its user mapping or a privilege is not yet committed, or has been changed concurrently.", look->server) : 0,
				 errhint("Try again after the transaction has committed.")));
	return server;
}

void
burrow_first_look_main(Datum arg)
{
	static BurrowLook look;
	BurrowLookArgs args;
	const char *request;
	const BurrowServer *server;
	BurrowVisit visit;

	/* registered first, so run last */
	on_proc_exit(exit_at_once, 0);

	memcpy(&args, MyBgworkerEntry->bgw_extra, sizeof(args));
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();

	request = burrow_answer_attach(args.segment, &args.place);
	if (request == NULL)
		proc_exit(0);
	BackgroundWorkerInitializeConnectionByOid(args.dboid, InvalidOid, 0);
	burrow_bgw_set_overrides();
	/* what is sent to the backend is read there as it is */
	SetClientEncoding(GetDatabaseEncoding());
	MemoryContextSwitchTo(AllocSetContextCreate(TopMemoryContext, "burrow first look", ALLOCSET_DEFAULT_SIZES));
	burrow_look_read(request, &look);
	server = find_server(args.role, &look);

	pgstat_report_activity(STATE_RUNNING, "looking at a Kafka cluster");
	burrow_visit_open(&visit, server, look.n);
	switch (look.kind)
	{
		case BURROW_LOOK_PEEK:
			burrow_peek_run(&visit, &look);
			break;
		case BURROW_LOOK_TOPICS:
			burrow_topics_run(&visit);
			break;
		case BURROW_LOOK_CHECK:
			burrow_check_run(&visit, look.subid);
			break;
	}
	burrow_answer_end();
	proc_exit(0);
}
