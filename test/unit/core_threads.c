/*
 * core_threads.c
 *	  Marks from several threads while one advances, and chunks that are recalled
 *	  while they run; to be built with TSan.
 *
 * Threads stand for worker processes: each takes its messages from a queue of its
 * own, as through shm_mq, and its only write to the tracker is
 * burrow_tracker_complete().  The consumer holds, advances, releases and frees each
 * segment as it comes back, so a slot used too long is seen.
 *
 * Of each chunk's messages, the worker writes what it has begun and the consumer what it
 * has recalled, both in the same place: a message that is had by both is a race.
 *
 * Usage: core_threads [messages]
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/claim.h"
#include "core/tracker.h"

#define WORKERS		4
#define QUEUE		64
#define WINDOW		2000

#define REQUIRE(condition) \
	((condition) ? (void) 0 : (fprintf(stderr, "core_threads: not true: %s\n", #condition), abort()))

typedef struct Entry
{
	BurrowTrackerRef ref;
	uint64_t	effect;			/* the worker's own work, seen by who sees the mark */
} Entry;

/* One producer, one consumer; the positions only grow. */
typedef struct Queue
{
	Entry		entries[QUEUE];
	_Atomic uint64_t written;
	_Atomic uint64_t done;
	uint64_t	released;		/* the consumer's */
	pthread_t	thread;
} Queue;

static _Atomic bool stop;
static _Atomic uint64_t next_lsn = 2;

static void *
worker(void *arg)
{
	Queue	   *queue = arg;
	uint64_t	n = 0;

	for (;;)
	{
		if (n == atomic_load_explicit(&queue->written, memory_order_acquire))
		{
			if (atomic_load(&stop))
				return NULL;
			sched_yield();
			continue;
		}
		Entry	   *entry = &queue->entries[n % QUEUE];
		uint64_t	lsn = atomic_fetch_add(&next_lsn, 1);

		entry->effect = lsn;
		burrow_tracker_complete(burrow_tracker_slot(entry->ref), n % 7 == 0 ? BURROW_SLOT_DONE : lsn);
		n++;
		atomic_store_explicit(&queue->done, n, memory_order_release);
	}
}

static void
free_segments(BurrowTracker *t, long *segments)
{
	BurrowTrackerSegment *segment;

	while ((segment = burrow_tracker_take_free(t)) != NULL)
	{
		free(segment->slots);
		free(segment);
		--*segments;
	}
}

static void
add_segment(BurrowTracker *t, long *segments)
{
	BurrowTrackerSegment *segment = malloc(sizeof(BurrowTrackerSegment));

	REQUIRE(segment != NULL);
	segment->slots = malloc(BURROW_TRACKER_SEGMENT_SLOTS * sizeof(BurrowTrackerSlot));
	REQUIRE(segment->slots != NULL);
	burrow_tracker_add_segment(t, segment);
	++*segments;
}

/* Let go of what the workers have done. */
static void
collect(BurrowTracker *t, Queue *queues)
{
	for (int i = 0; i < WORKERS; i++)
	{
		uint64_t	done = atomic_load_explicit(&queues[i].done, memory_order_acquire);

		for (; queues[i].released < done; queues[i].released++)
		{
			Entry	   *entry = &queues[i].entries[queues[i].released % QUEUE];

			REQUIRE(burrow_tracker_is_done(burrow_tracker_slot(entry->ref)) && entry->effect > 1);
			burrow_tracker_release(t, entry->ref);
		}
	}
}

/* Give the next message to a worker; false if there is no room for it anywhere. */
static bool
dispatch(BurrowTracker *t, Queue *queues, int64_t offset, long *segments)
{
	for (int i = 0; i < WORKERS; i++)
	{
		Queue	   *queue = &queues[(offset + i) % WORKERS];
		uint64_t	written = atomic_load_explicit(&queue->written, memory_order_relaxed);
		Entry	   *entry = &queue->entries[written % QUEUE];
		BurrowTrackerBegin result;

		if (written - queue->released == QUEUE)
			continue;
		result = burrow_tracker_begin(t, offset, &entry->ref);
		if (result == BURROW_TRACKER_NEED_SEGMENT)
		{
			add_segment(t, segments);
			result = burrow_tracker_begin(t, offset, &entry->ref);
		}
		if (result == BURROW_TRACKER_FULL)
			return false;
		REQUIRE(result == BURROW_TRACKER_TAKEN);
		burrow_tracker_pin(t, entry->ref);
		atomic_store_explicit(&queue->written, written + 1, memory_order_release);
		return true;
	}
	return false;
}

#define CHUNK		20

static BurrowClaim claim;
static int	owner[CHUNK];		/* not atomic: who has claimed the message writes it */
static _Atomic uint64_t given;	/* chunks */
static _Atomic uint64_t returned;

static void *
claimer(void *arg)
{
	uint64_t	chunks = *(uint64_t *) arg;

	for (uint64_t chunk = 1; chunk <= chunks; chunk++)
	{
		uint32_t	begun = 1;

		while (atomic_load(&given) < chunk)
			sched_yield();
		owner[0] = 1;
		while (begun < CHUNK)
		{
			/* one at a time, or several, as for an array */
			uint32_t	next = begun + (chunk + begun) % 3 + 1;

			if (next > CHUNK)
				next = CHUNK;
			if (!burrow_claim_take(&claim, begun, next))
				break;
			for (; begun < next; begun++)
				owner[begun] = 1;
		}
		atomic_store(&returned, chunk);
	}
	return NULL;
}

static void
recall_chunks(uint64_t chunks)
{
	pthread_t	thread;
	uint64_t	recalled = 0;

	REQUIRE(pthread_create(&thread, NULL, claimer, &chunks) == 0);
	for (uint64_t chunk = 1; chunk <= chunks; chunk++)
	{
		for (int i = 0; i < CHUNK; i++)
			owner[i] = 0;
		burrow_claim_give(&claim);
		atomic_store(&given, chunk);
		for (volatile uint64_t i = 0; i < chunk % 500; i++)
			;
		if (chunk % 4 != 0)
		{
			uint32_t	begun = burrow_claim_take_back(&claim);

			REQUIRE(begun >= 1 && begun <= CHUNK);
			recalled += CHUNK - begun;
			for (uint32_t i = begun; i < CHUNK; i++)
				owner[i] = 2;
		}
		while (atomic_load(&returned) < chunk)
			sched_yield();
		for (int i = 0; i < CHUNK; i++)
			REQUIRE(owner[i] == 1 || (owner[i] == 2 && chunk % 4 != 0));
	}
	pthread_join(thread, NULL);
	REQUIRE(recalled > 0 && recalled < chunks * CHUNK);
	printf("core_threads: ok (%lld chunks, %lld messages recalled)\n", (long long) chunks, (long long) recalled);
}

static void
mark_messages(int64_t messages)
{
	static Queue queues[WORKERS];
	BurrowTracker t;
	long		segments = 0;
	int64_t		offset = 0;
	int64_t		committed = 0;

	burrow_tracker_init(&t, 0, WINDOW);
	for (int i = 0; i < WORKERS; i++)
		REQUIRE(pthread_create(&queues[i].thread, NULL, worker, &queues[i]) == 0);

	while (burrow_tracker_committable(&t) < messages)
	{
		bool		idle = true;

		while (offset < messages && dispatch(&t, queues, offset, &segments))
		{
			offset++;
			idle = false;
		}
		/* what was given out so far counts as flushed, but for the newest */
		burrow_tracker_advance(&t, offset < messages ? atomic_load(&next_lsn) - 10 : UINT64_MAX);
		REQUIRE(burrow_tracker_committable(&t) >= committed);
		REQUIRE(burrow_tracker_committable(&t) <= burrow_tracker_head(&t));
		REQUIRE(burrow_tracker_head(&t) <= offset);
		committed = burrow_tracker_committable(&t);
		collect(&t, queues);
		free_segments(&t, &segments);
		REQUIRE(segments <= WINDOW / BURROW_TRACKER_SEGMENT_SLOTS + 2 + WORKERS * QUEUE);
		if (idle)
			sched_yield();
	}

	atomic_store(&stop, true);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(queues[i].thread, NULL);
	collect(&t, queues);
	REQUIRE(burrow_tracker_close(&t));
	free_segments(&t, &segments);
	REQUIRE(segments == 0);
	printf("core_threads: ok (%lld messages)\n", (long long) messages);
}

int
main(int argc, char **argv)
{
	int64_t		messages = argc > 1 ? atoll(argv[1]) : 200000;

	mark_messages(messages);
	recall_chunks((uint64_t) messages / 10);
	return 0;
}
