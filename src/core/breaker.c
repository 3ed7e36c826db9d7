/*
 * breaker.c
 *	  When failures are no longer a matter of single messages; see breaker.h.
 */
#include "core/breaker.h"

#include <string.h>

bool
burrow_breaker_success(BurrowBreaker *b)
{
	bool		was_waiting = b->wait_us > 0;

	b->errors = 0;
	b->successes++;
	b->class[0] = '\0';
	b->wait_us = 0;
	return was_waiting;
}

bool
burrow_breaker_error(BurrowBreaker *b, uint32_t limit)
{
	if (b->errors < UINT32_MAX)
		b->errors++;
	return b->errors >= limit;
}

bool
burrow_breaker_environment(BurrowBreaker *b, const char *sqlstate, uint64_t partition,
						   int64_t offset, bool used_up, uint64_t successes_before)
{
	bool		same_class = b->class[0] != '\0' && strncmp(b->class, sqlstate, 2) == 0;
	bool		same_message = b->partition == partition && b->offset == offset;
	bool		nothing_went_well = b->successes == successes_before;
	bool		another = same_class && !same_message && b->successes == b->successes_then;
	bool		waits = b->wait_us > 0 || (nothing_went_well && (another || used_up));

	if (!same_class || !same_message)
	{
		memcpy(b->class, sqlstate, 2);
		b->class[2] = '\0';
		b->partition = partition;
		b->offset = offset;
		b->successes_then = b->successes;
	}
	if (waits)
		burrow_breaker_wait(b);
	return waits;
}

void
burrow_breaker_wait(BurrowBreaker *b)
{
	b->wait_us = b->wait_us == 0 ? BURROW_BREAKER_FIRST_WAIT_US : b->wait_us * 2;
	if (b->wait_us > BURROW_BREAKER_LONGEST_WAIT_US)
		b->wait_us = BURROW_BREAKER_LONGEST_WAIT_US;
}
