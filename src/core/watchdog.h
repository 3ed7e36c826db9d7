/*
 * watchdog.h
 *	  Does what is there to be read come?
 *
 * A client that has stopped to fetch a partition says nothing.  But another client can ask the broker where the
 * partition ends: if that has been beyond what was read for a while, nothing of it has come since, and
 * nobody here keeps it back, the partition stalls.  Where nothing comes the end is asked for now and then, so
 * a partition at its end costs a question each half of that while.
 *
 * Pure.  Times are microseconds; 0: never.
 */
#ifndef BURROW_CORE_WATCHDOG_H
#define BURROW_CORE_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

/* What is remembered of a partition; zeroed at its begin. */
typedef struct BurrowWatch
{
	int64_t		position;
	int64_t		quiet_since;	/* nothing has come, and nobody kept it back */
	int64_t		behind_since;	/* the end is known to be further on */
}			BurrowWatch;

typedef struct BurrowWatchLook
{
	int64_t		now;
	int64_t		after;			/* it stalls when it has been so for this long */
	bool		kept_back;		/* it is known why nothing comes */
	int64_t		position;		/* the next to be read; or where the end was reached, if that is
								 * further on */
	int64_t		end;			/* as the broker has it ... */
	int64_t		asked_at;		/* ... to the question of this moment */
}			BurrowWatchLook;

typedef enum BurrowWatchVerdict
{
	BURROW_WATCH_WELL = 0,
	BURROW_WATCH_ASK,			/* where does it end? */
	BURROW_WATCH_BEHIND,		/* something is there that has not come */
	BURROW_WATCH_STALLED		/* for so long */
}			BurrowWatchVerdict;

extern BurrowWatchVerdict burrow_watchdog_look(BurrowWatch * watch, const BurrowWatchLook * look);

#endif							/* BURROW_CORE_WATCHDOG_H */
