/*
 * commit_room.h
 *	  How much the broker takes with a commit.
 */
#ifndef BURROW_OFFSETS_COMMIT_ROOM_H
#define BURROW_OFFSETS_COMMIT_ROOM_H

#include "partition/context.h"

/* A commit is made, of which nothing is known yet. */
extern void burrow_commit_room_begin(void);
/* One of its metadata has so many bytes. */
extern void burrow_commit_room_record(size_t len);
/* Bytes that metadata may have, with the terminating NUL. */
extern size_t burrow_commit_room_bytes(void);
/* The broker takes less than Kafka's default. */
extern bool burrow_commit_room_is_small(void);
/* Do commits tell what is done beyond the offset; and whose they are? */
extern bool burrow_commit_room_has_runs(void);
extern bool burrow_commit_room_has_tag(void);
/* The commit was too large for the broker.  True: the next one carries less. */
extern bool burrow_commit_room_shrink(const BurrowConsumer *c);

#endif							/* BURROW_OFFSETS_COMMIT_ROOM_H */
