/*
 * kafka_library.c
 *	  Loads burrow_kafka on first use.
 *
 * Runs in: the consumer, and backends that check properties.  Never in the
 * postmaster: librdkafka starts threads, which do not survive a fork.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "postmaster/interrupt.h"

#include "burrow.h"
#include "runtime/kafka_library.h"

/* What the server may want of a process while it is in there. */
static const volatile sig_atomic_t *const interrupts[] = {&InterruptPending, &ShutdownRequestPending, NULL};

const BurrowKafkaFunctions *
burrow_kafka_library(void)
{
	static const BurrowKafkaFunctions *functions;
	const BurrowKafkaFunctions *loaded;
	BurrowKafkaEntry entry;

	if (functions != NULL)
		return functions;

	entry = (BurrowKafkaEntry)
		load_external_function(BURROW_KAFKA_LIBRARY, BURROW_KAFKA_ENTRY, true, NULL);
	loaded = entry();
	if (loaded->abi != BURROW_KAFKA_ABI)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("library \"%s\" is of another version than library \"%s\"",
						BURROW_KAFKA_LIBRARY, BURROW_LIBRARY),
				 errhint("Install both from one build of Burrow, and restart the server.")));
	loaded->set_interrupts(interrupts);
	functions = loaded;
	return functions;
}
