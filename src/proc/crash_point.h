/*
 * crash_point.h
 *	  Places where a test has a process killed (make TESTING=1).
 *
 * The process that comes by the place that burrow.crash_point names removes the file
 * "burrow_crash_point" from the data directory and kills itself as kill -9 does; so each
 * file stands for one crash, and the restart does not run into the next.  In other
 * builds nothing is left of it.
 */
#ifndef BURROW_PROC_CRASH_POINT_H
#define BURROW_PROC_CRASH_POINT_H

#ifdef BURROW_TESTING

#include <signal.h>
#include <unistd.h>

#include "guc.h"

/* May be called anywhere: takes no lock and no memory. */
static inline void
burrow_crash_point_reached(const char *name)
{
	if (strcmp(burrow_crash_point, name) == 0 && unlink("burrow_crash_point") == 0)
		kill(getpid(), SIGKILL);
}

#define BURROW_CRASH_POINT(name) burrow_crash_point_reached(name)

#else

#define BURROW_CRASH_POINT(name) ((void) 0)

#endif

#endif							/* BURROW_PROC_CRASH_POINT_H */
