/*
 * watchdog.c
 *	  Does what is there to be read come?
 */
#include "core/watchdog.h"

static void
begin(BurrowWatch * watch, int64_t position, int64_t since)
{
	watch->position = position;
	watch->quiet_since = since;
	watch->behind_since = 0;
}

BurrowWatchVerdict
burrow_watchdog_look(BurrowWatch * watch, const BurrowWatchLook * look)
{
	if (watch->quiet_since == 0 || look->kept_back || look->position != watch->position)
	{
		begin(watch, look->position, look->now);
		return BURROW_WATCH_WELL;
	}
	/* an answer says nothing about what came before the question */
	if (look->asked_at > watch->quiet_since)
	{
		if (look->end <= look->position)
			begin(watch, look->position, look->asked_at);
		else if (watch->behind_since == 0)
			watch->behind_since = look->asked_at;
	}
	if (watch->behind_since != 0)
		return look->now - watch->behind_since >= look->after ? BURROW_WATCH_STALLED : BURROW_WATCH_BEHIND;
	return look->now - watch->quiet_since >= look->after / 2 ? BURROW_WATCH_ASK : BURROW_WATCH_WELL;
}
