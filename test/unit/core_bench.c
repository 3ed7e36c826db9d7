/*
 * core_bench.c
 *	  What one operation of the tracker and of the scheduler costs.
 *
 * Not a test: `test/unit/run --bench` prints the numbers.
 *
 *	core_bench                                    all
 *	core_bench tracker ORDER WINDOW MESSAGES      the tracker, in one order of marking
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/histogram.h"
#include "core/scheduler.h"
#include "core/tracker.h"

static double
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

static uint64_t
mix(uint64_t n)
{
	n = (n ^ (n >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	n = (n ^ (n >> 27)) * UINT64_C(0x94D049BB133111EB);
	return n ^ (n >> 31);
}

/* The order in which n messages are marked: numbers from 0 to n - 1. */
static uint64_t *
make_order(const char *name, uint64_t n)
{
	uint64_t   *order = malloc(n * sizeof(uint64_t));

	for (uint64_t i = 0; i < n; i++)
		order[i] = strcmp(name, "reversed") == 0 ? n - 1 - i : i;
	if (strcmp(name, "random") == 0)
	{
		for (uint64_t i = n; i > 1; i--)
		{
			uint64_t	j = mix(i) % i;
			uint64_t	swapped = order[i - 1];

			order[i - 1] = order[j];
			order[j] = swapped;
		}
	}
	return order;
}

/* A window kept full: each message taken, marked in an order, passed. */
static void
bench_tracker(const char *order_name, uint64_t window, uint64_t messages)
{
	static BurrowTracker t;
	uint64_t	half = (window + 1) / 2;
	BurrowTrackerRef *refs = malloc(window * sizeof(BurrowTrackerRef));
	uint64_t   *order = make_order(order_name, half);
	uint64_t	taken = 0;
	double		start = seconds();

	burrow_tracker_init(&t, 0, window);
	while (taken < messages)
	{
		uint64_t	from = taken;

		for (;;)
		{
			BurrowTrackerBegin result = burrow_tracker_begin(&t, (int64_t) taken, &refs[taken % window]);

			if (result == BURROW_TRACKER_FULL)
				break;
			if (result == BURROW_TRACKER_NEED_SEGMENT)
			{
				BurrowTrackerSegment *segment = burrow_tracker_take_free(&t);

				if (segment == NULL)
				{
					segment = malloc(sizeof(BurrowTrackerSegment));
					segment->slots = malloc(BURROW_TRACKER_SEGMENT_SLOTS * sizeof(BurrowTrackerSlot));
				}
				burrow_tracker_add_segment(&t, segment);
				continue;
			}
			taken++;
		}
		/* the older half; the other one stays for the next round */
		if (from == 0)
			from = taken - window;
		else
			from -= window / 2;
		for (uint64_t i = 0; i < half; i++)
			burrow_tracker_complete(burrow_tracker_slot(refs[(from + order[i]) % window]), 2 + from / 100);
		burrow_tracker_advance(&t, 2 + taken / 100);
	}
	printf("tracker, window %8llu, %8s: %6.1f ns a message (begin, complete, advance)\n",
		   (unsigned long long) window, order_name, (seconds() - start) * 1e9 / (double) taken);
	free(refs);
	free(order);
}

/*
 * inflight messages of keys drawn from a universe; each round picks a chunk,
 * finishes it and adds as many again.
 */
static void
bench_scheduler(uint64_t keys, uint64_t inflight, uint32_t chunk)
{
	BurrowScheduler *s = burrow_scheduler_create(malloc, free);
	BurrowSchedulerPartition *partitions[8];
	BurrowSchedulerItem *items = calloc(inflight, sizeof(BurrowSchedulerItem));
	uint64_t	messages = 5 * 1000 * 1000;
	uint64_t	done = 0;
	double		start;

	for (int i = 0; i < 8; i++)
		partitions[i] = burrow_scheduler_add_partition(s);
	for (uint64_t i = 0; i < inflight; i++)
	{
		items[i].order = mix(mix(i) % keys);
		items[i].ordered = true;
		burrow_scheduler_add(s, partitions[items[i].order % 8], &items[i]);
	}
	start = seconds();
	while (done < messages)
	{
		uint32_t	n;
		BurrowSchedulerItem *item = burrow_scheduler_pick(s, (BurrowSchedulerLimits) {chunk, UINT64_MAX}, &n);

		while (item != NULL)
		{
			BurrowSchedulerItem *next = item->next;

			burrow_scheduler_finish(s, item);
			item->order = mix(mix(inflight + done++) % keys);
			burrow_scheduler_add(s, partitions[item->order % 8], item);
			item = next;
		}
	}
	printf("scheduler, %8llu keys, %8llu waiting, chunks of %3u: %6.1f ns a message (add, pick, finish)\n",
		   (unsigned long long) keys, (unsigned long long) inflight, chunk,
		   (seconds() - start) * 1e9 / (double) done);
	burrow_scheduler_destroy(s);
	free(items);
}

/* A backlog of nothing but different keys: all come, then all are done. */
static void
bench_backlog(uint64_t keys)
{
	BurrowScheduler *s = burrow_scheduler_create(malloc, free);
	BurrowSchedulerPartition *p = burrow_scheduler_add_partition(s);
	BurrowSchedulerItem *items = calloc(keys, sizeof(BurrowSchedulerItem));
	BurrowSchedulerItem *item;
	double		start = seconds();
	double		added;
	uint32_t	n;

	for (uint64_t i = 0; i < keys; i++)
	{
		items[i].order = mix(i);
		items[i].ordered = true;
		burrow_scheduler_add(s, p, &items[i]);
	}
	added = seconds();
	while ((item = burrow_scheduler_pick(s, (BurrowSchedulerLimits) {100, UINT64_MAX}, &n)) != NULL)
	{
		while (item != NULL)
		{
			BurrowSchedulerItem *next = item->next;

			burrow_scheduler_finish(s, item);
			item = next;
		}
	}
	printf("scheduler, %8llu different keys: %6.1f ns to add, %6.1f ns to pick and finish\n",
		   (unsigned long long) keys, (added - start) * 1e9 / (double) keys,
		   (seconds() - added) * 1e9 / (double) keys);
	burrow_scheduler_destroy(s);
	free(items);
}

static void
bench_histogram(void)
{
	static BurrowHistogram h;
	uint64_t	n = 50 * 1000 * 1000;
	double		start = seconds();

	for (uint64_t i = 0; i < n; i++)
		burrow_histogram_add(&h, i * 2654435761u % 100000);
	printf("histogram: %.1f ns a time\n", (seconds() - start) * 1e9 / (double) n);
}

int
main(int argc, char **argv)
{
	static const char *const orders[] = {"in-order", "reversed", "random"};

	if (argc == 5 && strcmp(argv[1], "tracker") == 0)
	{
		bench_tracker(argv[2], strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
		return 0;
	}
	for (uint64_t window = 10; window <= 1000 * 1000; window *= 10)
	{
		for (int i = 0; i < 3; i++)
			bench_tracker(orders[i], window, 20 * 1000 * 1000);
	}
	bench_scheduler(1000 * 1000, 1000, 1);
	bench_scheduler(1000 * 1000, 1000, 100);
	bench_scheduler(1000 * 1000, 10000, 100);
	bench_scheduler(1000 * 1000, 1000 * 1000, 100);
	bench_scheduler(1000, 10000, 10);
	bench_scheduler(1, 10000, 10);
	bench_backlog(10 * 1000);
	bench_backlog(1000 * 1000);
	bench_histogram();
	return 0;
}
