/*
 * worker_slots.c
 *	  Which workers run, for whom, and what is in their hands.
 *
 * Runs in: the consumer, which reserves a slot for each worker that it starts, and the
 * worker, which owns it from attaching until its transaction has ended.
 * Owns: burrow->workers.
 * Locking: burrow->lock, for a few assignments at a time; what the worker says of the
 * message in its hand is atomic.
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"

#include "shmem/registry.h"
#include "shmem/worker_slots.h"

static int	my_worker = -1;		/* the worker's slot */

int
burrow_worker_slot_reserve(int slot, uint32 generation, int lane)
{
	int			found = -1;

	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	for (int i = 0; i < burrow->nworkers && found < 0; i++)
	{
		BurrowWorkerSlot *worker = &burrow->workers[i];

		if (worker->in_use)
			continue;
		worker->in_use = true;
		worker->subscription = slot;
		worker->generation = generation;
		worker->lane = lane;
		worker->pid = 0;
		worker->proc = NULL;
		pg_atomic_write_u64(&worker->cancel, 0);
		pg_atomic_write_u32(&worker->announced, 0);
		pg_atomic_write_u64(&worker->attempts, 0);
		pg_atomic_write_u64(&worker->hand, 0);
		pg_atomic_write_u64(&worker->running_since, 0);
		pg_atomic_write_u64(&worker->committing_since, 0);
		pg_atomic_write_u64(&worker->running_offset, 0);
		pg_atomic_write_u32(&worker->running_partition, 0);
		pg_atomic_write_u64(&worker->messages_processed, 0);
		pg_atomic_write_u64(&worker->messages_failed, 0);
		burrow->subscriptions[slot].worker_started = ++burrow->worker_starts;
		found = i;
	}
	LWLockRelease(burrow->lock);
	return found;
}

/* Locks: caller holds burrow->lock. */
static bool
is_workers(int worker, int slot, uint32 generation, int lane)
{
	const BurrowWorkerSlot *w = &burrow->workers[worker];

	Assert(LWLockHeldByMe(burrow->lock));
	return w->in_use && w->subscription == slot && w->generation == generation && w->lane == lane;
}

bool
burrow_worker_slot_is_attached(int worker, int slot, uint32 generation, int lane)
{
	bool		attached;

	LWLockAcquire(burrow->lock, LW_SHARED);
	attached = is_workers(worker, slot, generation, lane) && burrow->workers[worker].pid != 0;
	LWLockRelease(burrow->lock);
	return attached;
}

void
burrow_worker_slot_signal(int worker, int slot, uint32 generation, int lane, int signo)
{
	pid_t		pid = 0;

	LWLockAcquire(burrow->lock, LW_SHARED);
	if (is_workers(worker, slot, generation, lane))
		pid = burrow->workers[worker].pid;
	/* which attempt is meant: the signal may arrive when the next is in hand */
	if (pid != 0 && signo == SIGINT)
		pg_atomic_write_u64(&burrow->workers[worker].cancel,
							pg_atomic_read_u64(&burrow->workers[worker].attempts));
	/* the process cannot leave its slot, and so not exit, while we hold the lock */
	if (pid != 0)
		(void) kill(pid, signo);
	LWLockRelease(burrow->lock);
}

uint64
burrow_worker_slot_hand(const char *topic, int32 partition)
{
	/* 0 is for none */
	return hash_bytes_extended((const unsigned char *) topic, strlen(topic), (uint64) partition) | 1;
}

/*
 * A worker says where it may commit, and looks then whether its consumer is there; a consumer that
 * comes later was preceded by the end of that one, and looks then what workers have said.  So one
 * of the two sees the other, given a full barrier on both sides: here the exchange, there the lock.
 */
void
burrow_worker_slot_set_hand(int worker, const char *topic, int32 partition)
{
	(void) pg_atomic_exchange_u64(&burrow->workers[worker].hand,
								  topic == NULL ? 0 : burrow_worker_slot_hand(topic, partition));
}

/* Locks: caller holds burrow->lock. */
static bool
is_old(const BurrowWorkerSlot *w, int slot, uint32 generation)
{
	return w->in_use && w->subscription == slot && w->generation != generation;
}

bool
burrow_worker_slot_find_old(int slot, uint32 generation, uint64 *hands, int *nhands)
{
	bool		any = false;

	*nhands = 0;
	LWLockAcquire(burrow->lock, LW_SHARED);
	for (int i = 0; i < burrow->nworkers; i++)
	{
		BurrowWorkerSlot *w = &burrow->workers[i];

		if (!is_old(w, slot, generation))
			continue;
		any = true;
		hands[*nhands] = pg_atomic_read_u64(&w->hand);
		if (hands[*nhands] != 0)
			(*nhands)++;
	}
	LWLockRelease(burrow->lock);
	return any;
}

void
burrow_worker_slot_signal_old(int slot, uint32 generation, int signo)
{
	LWLockAcquire(burrow->lock, LW_SHARED);
	for (int i = 0; i < burrow->nworkers; i++)
	{
		BurrowWorkerSlot *w = &burrow->workers[i];

		if (is_old(w, slot, generation) && w->pid != 0)
			(void) kill(w->pid, signo);
	}
	LWLockRelease(burrow->lock);
}

/* A slot keeps what its process did until another one reserves it. */
bool
burrow_worker_slot_message_in_hand(int worker, int slot, uint32 generation, int lane, int64 *offset)
{
	BurrowWorkerSlot *w = &burrow->workers[worker];
	bool		found;

	LWLockAcquire(burrow->lock, LW_SHARED);
	found = w->subscription == slot && w->generation == generation && w->lane == lane &&
		pg_atomic_read_u64(&w->running_since) != 0 &&
		!burrow_registry_is_locked_out(burrow->subscriptions[slot].dboid);
	*offset = (int64) pg_atomic_read_u64(&w->running_offset);
	LWLockRelease(burrow->lock);
	return found;
}

void
burrow_worker_slot_free(int worker, int slot, uint32 generation, int lane)
{
	BurrowSubscriptionSlot *sub = &burrow->subscriptions[slot];
	PGPROC	   *consumer;
	PGPROC	   *launcher = NULL;

	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	if (is_workers(worker, slot, generation, lane))
	{
		burrow->workers[worker].in_use = false;
		burrow->workers[worker].pid = 0;
		burrow->workers[worker].proc = NULL;
	}
	/* that of a later generation may be waiting for this */
	consumer = sub->consumer_proc;
	/* and the launcher, to free the subscription's slot */
	if (sub->dropped)
		launcher = burrow->launcher_proc;
	LWLockRelease(burrow->lock);

	ConditionVariableBroadcast(&burrow->gone);
	burrow_registry_wake(consumer);
	burrow_registry_wake(launcher);
}

/*
 * before_shmem_exit.  The slot says "may still commit something", so the
 * transaction ends first; PostgreSQL's own callback for that runs after this one.
 */
static void
detach_worker(int code, Datum arg)
{
	BurrowWorkerSlot *worker = &burrow->workers[my_worker];
	int			subscription;
	int			lane;

	AbortOutOfAnyTransaction();
	/* constant as long as the slot is ours */
	subscription = worker->subscription;
	lane = worker->lane;
	burrow_worker_slot_free(my_worker, subscription, worker->generation, lane);
	/* its consumer looks at the lane, and finds nobody there */
	burrow_worker_slot_result_ready(subscription, lane);
}

bool
burrow_worker_slot_attach(int worker, uint32 generation)
{
	BurrowWorkerSlot *slot = &burrow->workers[worker];
	BurrowSubscriptionSlot *sub;
	PGPROC	   *consumer = NULL;

	Assert(my_worker < 0);

	LWLockAcquire(burrow->lock, LW_EXCLUSIVE);
	sub = &burrow->subscriptions[slot->subscription];
	if (slot->in_use && slot->pid == 0 && slot->generation == generation &&
		sub->generation == generation)
		consumer = sub->consumer_proc;
	if (consumer != NULL)
	{
		slot->pid = MyProcPid;
		slot->proc = MyProc;
		my_worker = worker;
	}
	LWLockRelease(burrow->lock);

	if (consumer == NULL)
		return false;
	before_shmem_exit(detach_worker, (Datum) 0);
	burrow_registry_wake(consumer); /* it may give us work now */
	return true;
}

/*
 * The pointer is read without the lock, once for each chunk: it is either NULL or
 * points to a PGPROC, whose memory is there as long as the server, so the worst is
 * to wake a process for nothing.  A consumer that comes after this one waits until
 * this worker is gone, and so needs none of its results.
 */
void
burrow_worker_slot_result_ready(int slot, int lane)
{
	BurrowSubscriptionSlot *sub = &burrow->subscriptions[slot];

	/* a full barrier: the consumer that is woken sees the bit */
	pg_atomic_fetch_or_u64(&sub->ready[lane / 64], UINT64CONST(1) << (lane % 64));
	burrow_registry_wake(*(PGPROC *volatile *) &sub->consumer_proc);
}

/*
 * The pointer is read without the lock, as above: at worst another process is woken for nothing, and
 * another worker looks into its queue.
 */
void
burrow_worker_slot_announce(int worker)
{
	BurrowWorkerSlot *slot = &burrow->workers[worker];

	pg_atomic_write_u32(&slot->announced, 1);
	burrow_registry_wake(*(PGPROC *volatile *) &slot->proc);
}

void
burrow_worker_slot_announced_is_sent(int worker)
{
	pg_write_barrier();
	pg_atomic_write_u32(&burrow->workers[worker].announced, 0);
}

const char *const burrow_worker_state_names[] = {
	[BURROW_WORKER_IS_STARTING] = "starting",
	[BURROW_WORKER_IS_IDLE] = "idle",
	[BURROW_WORKER_IS_RUNNING] = "running",
	[BURROW_WORKER_IS_COMMITTING] = "committing",
};

BurrowWorkerState
burrow_worker_slot_state(BurrowWorkerSlot *worker, TimestampTz *since)
{
	TimestampTz committing_since = (TimestampTz) pg_atomic_read_u64(&worker->committing_since);

	Assert(LWLockHeldByMe(burrow->lock));
	*since = 0;
	if (worker->pid == 0)
		return BURROW_WORKER_IS_STARTING;
	*since = committing_since != 0 ? committing_since : (TimestampTz) pg_atomic_read_u64(&worker->running_since);
	return committing_since != 0 ? BURROW_WORKER_IS_COMMITTING : *since != 0 ? BURROW_WORKER_IS_RUNNING : BURROW_WORKER_IS_IDLE;
}
