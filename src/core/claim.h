/*
 * claim.h
 *	  Who has the messages of a chunk that its worker has not begun: the worker, or the
 *	  consumer again.
 *
 * Pure, and header only: one word in shared memory that counts how many of the chunk's
 * messages the worker has begun, and a flag that says that it gets no more.  The worker
 * takes messages in their order; the consumer takes back all that are left, once.  Each of
 * them asks the word, so no message is had by both, and none by nobody.
 *
 * The first message is the worker's from the beginning, so no chunk comes back whole.
 */
#ifndef BURROW_CORE_CLAIM_H
#define BURROW_CORE_CLAIM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Written by the consumer before the chunk is sent, then by both, without a lock. */
typedef _Atomic uint32_t BurrowClaim;

#define BURROW_CLAIM_TAKEN_BACK	(UINT32_C(1) << 31)

/* Consumer, while the worker has no chunk. */
static inline void
burrow_claim_give(BurrowClaim *claim)
{
	atomic_store_explicit(claim, 1, memory_order_release);
}

/* Worker, which has begun so many messages and wants to have begun so many.  False: the
 * consumer has taken back what is left. */
static inline bool
burrow_claim_take(BurrowClaim *claim, uint32_t begun, uint32_t wanted)
{
	return atomic_compare_exchange_strong(claim, &begun, wanted);
}

/* Consumer.  How many messages, at least 1, the worker has begun so far. */
static inline uint32_t
burrow_claim_begun(BurrowClaim *claim)
{
	return atomic_load(claim) & ~BURROW_CLAIM_TAKEN_BACK;
}

/* Consumer.  Returns how many messages, at least 1, stay the worker's. */
static inline uint32_t
burrow_claim_take_back(BurrowClaim *claim)
{
	return atomic_fetch_or(claim, BURROW_CLAIM_TAKEN_BACK) & ~BURROW_CLAIM_TAKEN_BACK;
}

#endif							/* BURROW_CORE_CLAIM_H */
