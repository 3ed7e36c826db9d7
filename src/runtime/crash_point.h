/*
 * crash_point.h
 *	  Places where a test has a process killed (make TESTING=1).
 *
 * A test makes a file in the data directory whose name tells the place, "burrow crash:
 * committed".  The process that comes by removes it and kills itself as kill -9 does: so
 * a file stands for one crash, the restart does not run into the next, and with the place
 * in the name there is no moment at which a process may take it for another place's.
 * In other builds nothing is left of it.
 */
#ifndef BURROW_RUNTIME_CRASH_POINT_H
#define BURROW_RUNTIME_CRASH_POINT_H

#ifdef BURROW_TESTING

#include <signal.h>
#include <unistd.h>

/* May be called anywhere: takes no lock and no memory. */
static inline void
burrow_crash_point_reached(const char *file)
{
	if (unlink(file) == 0)
		kill(getpid(), SIGKILL);
}

#define BURROW_CRASH_POINT(name) burrow_crash_point_reached("burrow crash: " name)

#else

#define BURROW_CRASH_POINT(name) ((void) 0)

#endif

#endif							/* BURROW_RUNTIME_CRASH_POINT_H */
