/*
 * wait_events.c
 *	  What Burrow's processes wait for, by the name that pg_stat_activity shows.
 *
 * Runs in: every process.  The server gives a name the same number everywhere.
 */
#include "postgres.h"

#include "utils/wait_event.h"

#include "compat.h"
#include "shmem/wait_events.h"

static const char *const names[BURROW_NWAIT_EVENTS] = {
	[BURROW_WAIT_CONSUMER] = "BurrowConsumer",
	[BURROW_WAIT_WORKER] = "BurrowWorker",
	[BURROW_WAIT_RESULT] = "BurrowResult",
	[BURROW_WAIT_LAUNCHER] = "BurrowLauncher",
	[BURROW_WAIT_EXPORTER] = "BurrowExporter",
	[BURROW_WAIT_FETCH] = "BurrowFetch",
	[BURROW_WAIT_LOOK] = "BurrowLook",
	[BURROW_WAIT_ANSWER] = "BurrowAnswer",
	[BURROW_WAIT_CAUGHT_UP] = "BurrowCaughtUp",
	[BURROW_WAIT_LEAVE] = "BurrowLeave",
};

uint32
burrow_wait_event(BurrowWaitEvent which)
{
	static uint32 numbers[BURROW_NWAIT_EVENTS];

	if (numbers[which] == 0)
		numbers[which] = burrow_wait_event_number(names[which]);
	return numbers[which];
}
