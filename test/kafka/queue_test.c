/*
 * queue_test.c
 *	  Tests of the pipe that tells which queues hold something, and of queues left unread.
 */
#include <string.h>

#include "consumer.h"

void
test_wake(void)
{
	Consumer   *c;
	Part	   *a;
	Part	   *b;

	create_topic("wake", 2);
	c = joined("wake", "wake", NULL);
	a = part_of(c, "wake", 0);
	b = part_of(c, "wake", 1);
	check(pump(c, a->end == 0 && b->end == 0), "both at their end");

	a->wakes = b->wakes = 0;
	produce("wake", 0, 0, 1);
	check(pump(c, a->wakes > 0), "partition 0 told");
	check(pump(c, a->end == 1) && b->wakes == 0, "partition 1 did not");

	/* unread: told once, and not again */
	b->paused = true;
	produce("wake", 1, 0, 5);
	check(pump(c, b->wakes == 1), "partition 1 told");
	produce("wake", 1, 5, 5);
	produce("wake", 0, 1, 1);
	check(pump(c, a->end == 2) && b->wakes == 1 && b->n == 0, "unread, it does not tell again");
	b->paused = false;
	check(pump(c, b->end == 10) && b->n == 10, "all there once it is read");

	/* half read is not read */
	b->paused = true;
	produce("wake", 1, 10, 10);
	check(pump(c, b->wakes > 1), "told after it was empty");
	take_all(c, b, 3);
	check(b->n == 13 && b->ready, "some read, the rest left");
	b->paused = false;
	check(pump(c, b->end == 20) && b->n == 20 && wrong_counts(b, 20) == 0, "all read once");
	(void) close_consumer(c);
}

/* One partition is left unread while the others go on; then it is read in pieces. */
void
test_backpressure(void)
{
	enum
	{
		N = 5000
	};
	static const char *const small[] = {
		"queued.min.messages", "500", "fetch.message.max.bytes", "20000", NULL
	};
	Consumer   *c;
	Part	   *a;
	Part	   *b;
	int64_t		until;

	create_topic("pressure", 2);
	produce("pressure", 0, 0, N);
	c = joined("pressure", "pressure", small);
	a = part_of(c, "pressure", 0);
	b = part_of(c, "pressure", 1);
	a->paused = true;
	for (int i = 0; i < 10; i++)
		produce("pressure", 1, i * 100, 100);
	check(pump(c, b->n == 1000) && a->n <= 500, "the other partition goes on");

	until = now_ms() + 3 * PATIENCE_MS;
	while (a->n < N && now_ms() < until)
	{
		pump_once(c, 20);
		take_all(c, a, 300);
	}
	check(a->n == N && wrong_counts(a, N) == 0, "each message once, %d", a->n);
	check(wrong_counts(b, 1000) == 0 && c->revokes == 0, "and of the other");
	(void) close_consumer(c);
}
