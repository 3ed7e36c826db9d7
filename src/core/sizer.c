/*
 * sizer.c
 *	  How many messages a chunk may carry, and for how long they wait for one of them;
 *	  see sizer.h.
 */
#include "core/sizer.h"

/* A running mean over about eight chunks; never 0, which means not known. */
void
burrow_sizer_took(BurrowSizer *s, uint64_t busy_us, uint32_t n)
{
	uint64_t	ns = busy_us * 1000 / n;

	s->message_ns = s->message_ns == 0 ? ns : (s->message_ns * 7 + ns) / 8;
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

uint32_t
burrow_sizer_batch(const BurrowSizer *s, uint32_t batch_size)
{
	return s->limit > 0 && s->limit < batch_size ? s->limit : batch_size;
}

/*
 * The worker's fair share of what is ready is rounded down: rounded up, 5 messages
 * for 4 idle workers would be 2, 2 and 1, with one worker left idle.  What rounding
 * leaves over waits here, for whoever is free next, and behind nobody.
 */
uint32_t
burrow_sizer_size(const BurrowSizer *s, uint64_t ready, uint32_t idle,
				  uint64_t batch_time_us, uint32_t batch_size)
{
	uint64_t	size;

	if (s->message_ns == 0)
		return 1;
	size = batch_time_us * 1000 / s->message_ns;
	if (size > ready / (idle > 0 ? idle : 1))
		size = ready / (idle > 0 ? idle : 1);
	if (size > batch_size)
		size = batch_size;
	return size > 0 ? (uint32_t) size : 1;
}

int64_t
burrow_sizer_patience_us(int64_t batch_time_us)
{
	int64_t		patience = batch_time_us * BURROW_PATIENCE_TIMES;

	return patience > BURROW_PATIENCE_MIN_US ? patience : BURROW_PATIENCE_MIN_US;
}
