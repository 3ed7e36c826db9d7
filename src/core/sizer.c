/*
 * sizer.c
 *	  How many messages a chunk may carry, and for how long they wait for one of them;
 *	  see sizer.h.
 */
#include "core/sizer.h"

/* A running mean over about eight transactions; never 0, which means not known. */
void
burrow_sizer_took(BurrowSizer *s, uint64_t busy_us, uint32_t n, uint32_t batch)
{
	uint64_t	ns = busy_us * 1000 / n;

	if (s->message_ns == 0)
		s->message_ns = ns;
	for (uint64_t i = 0; i < n; i += batch)
		s->message_ns = (s->message_ns * 7 + ns) / 8;
	if (s->message_ns == 0)
		s->message_ns = 1;
}

void
burrow_sizer_rolled_back(BurrowSizer *s, uint32_t n, uint64_t lost_us, bool conflict)
{
	uint32_t	size = conflict || n < 2 ? 1 : n / 2;
	uint64_t	price = (lost_us < BURROW_LOSS_MAX_US ? lost_us : BURROW_LOSS_MAX_US) * BURROW_PRICE_TIMES;

	/* another worker's chunk may be older than the limit */
	if (s->limit == 0 || size < s->limit)
		s->limit = size;
	if (price > s->price_us)
		s->price_us = price;
	s->paid_us = 0;
}

void
burrow_sizer_went_well(BurrowSizer *s, uint64_t busy_us, uint32_t batch_size)
{
	if (s->limit == 0)
		return;
	s->paid_us += busy_us > 0 ? busy_us : 1;
	if (s->paid_us < s->price_us)
		return;
	s->paid_us = 0;
	if (s->limit < batch_size / 2 + batch_size % 2)
	{
		s->limit *= 2;
		return;
	}
	s->limit = 0;
	s->price_us = 0;
}

/* How many messages usually take so long: 1..most. */
static uint32_t
usual(const BurrowSizer *s, uint64_t time_us, uint32_t most)
{
	uint64_t	n = s->message_ns > 0 ? time_us * 1000 / s->message_ns : 1;

	if (n > most)
		n = most;
	return n > 0 ? (uint32_t) n : 1;
}

uint32_t
burrow_sizer_batch(const BurrowSizer *s, uint64_t batch_time_us, uint32_t batch_size)
{
	return usual(s, batch_time_us, s->limit > 0 && s->limit < batch_size ? s->limit : batch_size);
}

/*
 * The share is rounded down: rounded up, 5 messages for 4 idle workers would be 2, 2 and
 * 1, with one worker left idle.  What rounding leaves over waits here, for whoever is
 * free next, and behind nobody.
 */
static uint32_t
share(uint64_t ready, uint32_t workers, uint32_t most)
{
	uint64_t	n = ready / (workers > 0 ? workers : 1);

	if (n > most)
		n = most;
	return n > 0 ? (uint32_t) n : 1;
}

static uint32_t
larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

uint32_t
burrow_sizer_size(const BurrowSizer *s, BurrowSizerLoad load, uint64_t batch_time_us,
				  uint32_t batch, uint32_t carried)
{
	uint32_t	quick = usual(s, batch_time_us / BURROW_CARRIED_PART, carried);
	uint32_t	slow = usual(s, BURROW_CARRIED_US, carried);

	if (s->message_ns == 0)
		return 1;
	return larger(share(load.ready, load.idle, larger(batch, quick)),
				  share(load.ready, load.workers, slow));
}

int64_t
burrow_sizer_max_wait_us(int64_t batch_time_us)
{
	int64_t		max_wait = batch_time_us * BURROW_MAX_WAIT_BATCH_TIMES;

	return max_wait > BURROW_MAX_WAIT_LEAST_US ? max_wait : BURROW_MAX_WAIT_LEAST_US;
}
