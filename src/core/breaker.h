/*
 * breaker.h
 *	  When failures are no longer a matter of single messages.
 *
 * Pure.  It is told of every outcome, in their order, and says
 *
 *	- when so many attempts have failed in a row, with no success between, that the
 *	  subscription is to halt;
 *	- when the environment (a full disk, a read-only server) is at fault, and the whole
 *	  subscription is to wait.  That is so when nothing has succeeded since the message
 *	  first failed, and either another one has failed with the same class, or this one
 *	  has used up its attempts: where messages run in strict order there is no other one
 *	  to ask.  If others succeed meanwhile, the fault is the message's own (it may need
 *	  more memory than there is).
 *
 * The wait ends with the next success; until then each new failure of the environment
 * doubles it.
 */
#ifndef BURROW_CORE_BREAKER_H
#define BURROW_CORE_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#define BURROW_BREAKER_FIRST_WAIT_US	INT64_C(500000)
#define BURROW_BREAKER_LONGEST_WAIT_US	INT64_C(30000000)

typedef struct BurrowBreaker
{
	uint32_t	errors;			/* in a row */
	uint64_t	successes;		/* so far; some in a row may count as one */
	char		class[3];		/* of the environment's error met last; "": none */
	uint64_t	partition;		/* and the message that met it */
	int64_t		offset;
	uint64_t	successes_then;
	int64_t		wait_us;		/* the environment is at fault: time to wait; 0: it is not */
} BurrowBreaker;

/* True: the environment was at fault, and is no longer. */
extern bool burrow_breaker_success(BurrowBreaker *b);

/* An attempt failed; true: that was the limit-th in a row. */
extern bool burrow_breaker_error(BurrowBreaker *b, uint32_t limit);

/*
 * An attempt failed because of the environment.  True: the subscription is to wait
 * (b->wait_us), and the attempt does not count.  used_up: it would be the message's
 * last; successes_before: b->successes when the message first failed.
 */
extern bool burrow_breaker_environment(BurrowBreaker *b, const char *sqlstate, uint64_t partition,
									   int64_t offset, bool used_up, uint64_t successes_before);

/* It is known already that the environment is at fault: the same, without asking. */
extern void burrow_breaker_wait(BurrowBreaker *b);

#endif							/* BURROW_CORE_BREAKER_H */
