/*
 * partition.h
 *	  One epoch of one partition, and what is known of its messages.
 */
#ifndef BURROW_PARTITION_PARTITION_H
#define BURROW_PARTITION_PARTITION_H

#include "lib/ilist.h"
#include "utils/dsa.h"

#include "core/frame.h"
#include "core/offset_set.h"
#include "core/scheduler.h"
#include "core/tracker.h"
#include "core/watchdog.h"
#include "kafka/kafka.h"
#include "partition/context.h"
#include "partition/groups.h"
#include "partition/obstacle.h"
#include "shmem/partitions.h"

/* A tracker segment with what only the consumer needs to know of its slots. */
typedef struct BurrowSegment
{
	BurrowTrackerSegment tracker;	/* must be first */
	TimestampTz taken_at[BURROW_TRACKER_SEGMENT_SLOTS];
	TimestampTz produced_at[BURROW_TRACKER_SEGMENT_SLOTS];	/* Kafka's timestamp; 0: none that can
															 * be held */
} BurrowSegment;

typedef struct BurrowRetry BurrowRetry; /* see partition/message_error.h */

/* A message that was taken and is not resolved: one palloc with its frame. */
typedef struct BurrowMessage
{
	BurrowSchedulerItem item;	/* must be first */
	BurrowTrackerRef ref;
	BurrowPartition *part;
	BurrowRetry *retry;			/* NULL: it has not failed */
	BurrowMessageHeader frame;	/* key, value and headers follow */
} BurrowMessage;

static inline BurrowMessageView
burrow_message_view(BurrowMessage *m)
{
	return (BurrowMessageView) {
		.header = &m->frame,
			.key = m->frame.flags & BURROW_MESSAGE_HAS_KEY ? burrow_frame_key(&m->frame) : NULL,
			.value = m->frame.flags & BURROW_MESSAGE_HAS_VALUE ? burrow_frame_value(&m->frame) : NULL,
			.headers = burrow_frame_headers(&m->frame)
	};
}

typedef enum BurrowPartitionState
{
	BURROW_PARTITION_RESOLVING_START,	/* start not known yet -> ACTIVE, CLOSED */
	BURROW_PARTITION_ACTIVE,	/* -> CLOSING */
	BURROW_PARTITION_CLOSING,	/* being revoked: nothing new is taken -> CLOSED */
	BURROW_PARTITION_CLOSED		/* epoch over; kept while a worker holds a message of it */
} BurrowPartitionState;

/* The lane of what the consumer resolves itself (dead letters, what is skipped); no worker
 * has it. */
#define BURROW_RESOLVED_LANE	BURROW_MAX_WORKERS

/* One epoch of one partition.  What is not in a group is partition.c's, but where something else is said. */
struct BurrowPartition
{
	dlist_node	node;			/* in burrow_partition_all() */
	dlist_node	readable_node;	/* in burrow_partition_readables(), if so */
	char		topic[BURROW_TOPIC_MAX + 1];
	int32		partition;
	BurrowPartitionState state;
	bool		revoked;		/* closing because of a rebalance; consumer/assignment.c's */
	uint32		id;				/* wake-up id, not 0 */
	int			slot;			/* shared partition slot */
	BurrowKafkaPartition *queue;	/* NULL before the assign and after the revoke */
	BurrowSchedulerPartition *sched;
	BurrowTracker tracker;
	uint64		held;			/* messages in workers' hands */
	bool		readable;		/* the queue may hold something */
	bool		dirty;			/* shared slot is to be brought up to date */
	bool		moving;			/* in burrow_partition_moving(): heads may move */
	dlist_node	moving_node;
	BurrowOffsetSet skip;		/* done before this epoch, beyond its start */
	TimestampTz newest_done_at; /* Kafka's timestamp of the newest message done; DT_NOBEGIN: none;
								 * delivery/results.c's */

	/* not a partition of Kafka's, but dead letters of one; see redelivery.c */
	bool		is_redelivery;
	bool		shares_queue;	/* sched belongs to the part of the partition itself */
	uint32		unresolved;		/* messages */
	BurrowKeyParking *parking;	/* its parked keys; NULL: park_key is off;
								 * dead_letter/key_parking.c's */

	BurrowPartitionStart start;
	BurrowPartitionLookup lookup;
	BurrowPartitionSeek seek;
	BurrowPartitionIdentity identity;
	BurrowPartitionTopicId topic_id;
	BurrowPartitionCommit commit;
	BurrowPartitionMerge merge;
	BurrowPartitionFetch fetch;
	BurrowPartitionIntake intake;
	BurrowPartitionEnd end;
	BurrowWatch watch;			/* consumer/watchdog.c's */
};

/* There must be no open one of this kind of the partition. */
extern BurrowPartition *burrow_partition_new(const char *topic, int32 partition, bool is_redelivery);
/* Everything that it needs before its messages may come. */
extern void burrow_partition_open(const BurrowConsumer *c, BurrowPartition *part);
/* Asserts that the one may follow the other. */
extern void burrow_partition_set_state(BurrowPartition *part, BurrowPartitionState state);
/* A new assignment: all partitions that come with it have this number. */
extern void burrow_partition_begin_epoch(void);

/* All that still matter, by node; those whose queue may hold something, by readable_node; those whose
 * heads may move, or whose slot is dirty, by moving_node.  To be read only. */
extern dlist_head *burrow_partition_all(void);
extern dlist_head *burrow_partition_readables(void);
extern dlist_head *burrow_partition_moving(void);
/* NULL: there is none with this wake-up id. */
extern BurrowPartition *burrow_partition_with_id(uint32 id);
/* How many have a start that is not known or not used yet? */
extern uint32 burrow_partition_count_resolving(void);
/* Are there parts that hold dead letters? */
extern bool burrow_partition_any_redelivery(void);
/* The same of one that holds dead letters, from that offset on; it shares the place of its host in the
 * scheduler, the partition itself; NULL: that is not ours. */
extern void burrow_partition_open_letters(const BurrowConsumer *c, BurrowPartition *part, const BurrowPartition *host,
										  int64 first, uint32 window);
/* The part that holds dead letters of this partition; NULL: none. */
extern BurrowPartition *burrow_partition_find_letters(const char *topic, int32 partition);
/* The queue of the partition may hold something; or it is known to be empty. */
extern void burrow_partition_readable(BurrowPartition *part);
extern void burrow_partition_set_unreadable(BurrowPartition *part);
/* The others that are readable have their turn before it. */
extern void burrow_partition_end_turn(BurrowPartition *part);
/* The option window is this now. */
extern void burrow_partition_set_window(uint32 window);
/* These were done before this epoch, beyond its start; what is below an offset is told of by that alone. */
extern void burrow_partition_skip(BurrowPartition *part, const BurrowOffsetSet *done);
extern void burrow_partition_forget_skipped(BurrowPartition *part, int64 below);
/* Something of the partition was taken or done: its heads are looked at this turn, and its shared slot is brought
 * up to date. */
extern void burrow_partition_moved(BurrowPartition *part);
/* Nothing more will move before something else happens. */
extern void burrow_partition_set_still(BurrowPartition *part);
/* Gives back the tracker's segments that nobody needs any more. */
extern void burrow_partition_release_segments(const BurrowConsumer *c, BurrowPartition *part);

/*
 * Who has something of a partition that stops is told: before, while its messages are still there,
 * and after they were dropped.  Set once, by who knows them all.
 */
typedef void (*BurrowPartitionStop) (const BurrowConsumer *c, BurrowPartition *part);
extern void burrow_partition_on_stop(BurrowPartitionStop before, BurrowPartitionStop after);

/* Takes no more of it, and drops what no worker has. */
extern void burrow_partition_stop(const BurrowConsumer *c, BurrowPartition *part);
/* It is no longer ours.  Freed here, or when the last worker lets go of it. */
extern void burrow_partition_close(const BurrowConsumer *c, BurrowPartition *part);
/* Not closed; NULL: none. */
extern BurrowPartition *burrow_partition_find(const char *topic, int32 partition);
/* Does a worker still hold a message of an older epoch of this partition, or may it, of an older
 * consumer's? */
extern bool burrow_partition_has_straggler(const BurrowPartition *part);
/* A worker has let go of a message of this part, which may have been freed by it afterwards. */
extern void burrow_partition_release(const BurrowConsumer *c, BurrowPartition *part);
/* Nobody holds the message any more. */
extern void burrow_partition_forget_message(const BurrowConsumer *c, BurrowMessage *m);
/* Somebody has it in hand, until burrow_partition_release(). */
static inline void
burrow_partition_pin_message(BurrowMessage *m)
{
	burrow_tracker_pin(&m->part->tracker, m->ref);
	m->part->held++;
}

/* The message was taken. */
extern void burrow_partition_count_message(BurrowMessage *m);
/* Bytes of all messages that were taken and are not resolved. */
extern uint64 burrow_partition_bytes(void);
/* The message is resolved, or dropped. */
extern void burrow_partition_free_message(BurrowMessage *m);
/* Bring the shared slot up to date. */
extern void burrow_partition_publish(const BurrowConsumer *c, BurrowPartition *part);
#endif							/* BURROW_PARTITION_PARTITION_H */
