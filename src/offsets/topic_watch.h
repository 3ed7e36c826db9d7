/*
 * topic_watch.h
 *	  The ids of the topics that are consumed: asked for before a partition starts, and while it runs.
 */
#ifndef BURROW_OFFSETS_TOPIC_WATCH_H
#define BURROW_OFFSETS_TOPIC_WATCH_H

#include "kafka/kafka.h"
#include "partition/context.h"

/* Asks for those of partitions that are about to start; nothing else is asked of one before part->identified. */
extern void burrow_topic_watch_identify(const BurrowConsumer *c);
/* Asks, now and then, whether those that run are still the same.  When it is next due. */
extern TimestampTz burrow_topic_watch_run(const BurrowConsumer *c);
/* Has a question for them that was asked then or later been answered, or has it failed?  If not, one is asked
 * for in the next turn. */
extern bool burrow_topic_watch_has_looked(const BurrowConsumer *c, TimestampTz since);

#endif							/* BURROW_OFFSETS_TOPIC_WATCH_H */
