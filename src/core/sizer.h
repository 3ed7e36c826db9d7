/*
 * sizer.h
 *	  How many messages a chunk may carry, and for how long they wait for one of them.
 *
 * Pure.  It is told how long messages took, with their share of the transaction.  A
 * transaction is to take about batch_time, and no message is to wait behind a busy worker
 * while another worker is idle.
 *
 * A chunk is as large as a transaction or larger: what comes with it costs no round trip
 * to the worker.  Quick messages come as many as take a part of batch_time.  Slow ones come
 * several only if as many are ready for every worker that there is or could be started, so
 * that nobody has a use for them meanwhile; should that change, they are taken back before
 * they begin.
 *
 * What is expected of a message need not come true: it may wait for a lock, or sleep.
 * Then the others of its transaction wait with it, up to their patience; after that the
 * transaction is taken apart, and the message is run alone.  Patience is far beyond what a
 * chunk should take, because all that its transaction has done until then is done in vain.
 * The time that the message has run until then is told as well, so that where all
 * messages take as long, the next chunks are of one.
 *
 * When a transaction of several messages fails, all that it has done was done in vain.
 * So transactions get half as large; of one, when they got in each other's way, which
 * costs most (a deadlock its time-out) and befalls the longer ones.  The limit doubles
 * when ten times as much time as was lost has gone well since: where some messages always
 * fail, transactions find a size at which about a tenth is done in vain.  A loss that was
 * spent waiting counts as a second at most.
 */
#ifndef BURROW_CORE_SIZER_H
#define BURROW_CORE_SIZER_H

#include <stdbool.h>
#include <stdint.h>

/* Patience: so many times batch_time, and not less than this. */
#define BURROW_MAX_WAIT_BATCH_TIMES		20
#define BURROW_MAX_WAIT_LEAST_US		INT64_C(1000000)

/* What a chunk carries beyond a transaction: of quick messages what takes this part of
 * batch_time, of slow ones what takes so long. */
#define BURROW_CARRIED_PART			4
#define BURROW_CARRIED_US			UINT64_C(500000)

/* The price of a loss: so many times the loss, of which so much counts. */
#define BURROW_PRICE_TIMES			10
#define BURROW_LOSS_MAX_US			UINT64_C(1000000)

typedef struct BurrowSizer
{
	uint64_t	message_ns;		/* running mean of a message's time; 0: not known */
	uint32_t	limit;			/* most messages of a transaction, since some fail; 0: no such
								 * limit */
	uint64_t	price_us;		/* what has to go well until the limit doubles */
	uint64_t	paid_us;		/* so much of it has */
} BurrowSizer;

/* So much time went into n messages (at least 1) of a chunk, so many in a transaction. */
extern void burrow_sizer_took(BurrowSizer *s, uint64_t busy_us, uint32_t n, uint32_t batch);

/* Of a chunk whose transactions were of up to n messages, one of several messages was rolled
 * back, after so much time. */
extern void burrow_sizer_rolled_back(BurrowSizer *s, uint32_t n, uint64_t lost_us, bool conflict);

/* All of a chunk was done at once, and took so much. */
extern void burrow_sizer_went_well(BurrowSizer *s, uint64_t busy_us, uint32_t batch_size);

/* How many messages the next transactions may have: 1..batch_size. */
extern uint32_t burrow_sizer_batch(const BurrowSizer *s, uint64_t batch_time_us, uint32_t batch_size);

/* Who is there, and for what. */
typedef struct BurrowSizerLoad
{
	uint64_t	ready;			/* messages, at least 1 */
	uint32_t	idle;			/* workers, the one to be given work among them */
	uint32_t	workers;		/* busy, idle, or not started yet */
} BurrowSizerLoad;

/*
 * How many messages the next chunk may carry.
 *
 *	batch			most messages of a transaction: burrow_sizer_batch()
 *	carried			most messages of a chunk that has more than a transaction's
 *
 * Returns 1..max(batch, carried).  An unknown time gives 1.
 */
extern uint32_t burrow_sizer_size(const BurrowSizer *s, BurrowSizerLoad load, uint64_t batch_time_us,
								  uint32_t batch, uint32_t carried);

/* How long, in microseconds, messages wait for another one of their transaction, and those of
 * a chunk that are not begun for those that are. */
extern int64_t burrow_sizer_max_wait_us(int64_t batch_time_us);

#endif							/* BURROW_CORE_SIZER_H */
