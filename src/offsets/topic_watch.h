/*
 * topic_watch.h
 *	  The ids of the topics that are consumed: asked for before a partition starts, and while it runs.
 */
#ifndef BURROW_OFFSETS_TOPIC_WATCH_H
#define BURROW_OFFSETS_TOPIC_WATCH_H

#include "kafka/kafka.h"
#include "partition/context.h"
#include "partition/partition.h"

/* Asks for those of partitions that are about to start; nothing else is asked of one before part->identified. */
extern void burrow_topic_watch_identify(const BurrowConsumer *c);
/* Asks, now and then, whether those that run are still the same.  When it is next due. */
extern TimestampTz burrow_topic_watch_run(const BurrowConsumer *c);
/*
 * What is known of the topic of one that runs, by a question that was asked then or later?  As long as it is not known, it
 * is asked for again; *why: the error.
 */
typedef enum BurrowTopicLook
{
	BURROW_TOPIC_SAME,			/* it is the same, or ids are not told */
	BURROW_TOPIC_ASKED,			/* there is no answer yet */
	BURROW_TOPIC_UNTOLD,		/* the question has failed */
	BURROW_TOPIC_GONE,			/* there is no such topic now */
} BurrowTopicLook;

extern BurrowTopicLook burrow_topic_watch_look(const BurrowConsumer *c, const BurrowPartition *part, TimestampTz since,
											   const char **why);
/* Is it not known, of one that is about to start, whether its topic is the one that its position is of?  Then it waits,
 * and its start begins once more. */
extern bool burrow_topic_watch_doubts(const BurrowConsumer *c, BurrowPartition *part);

#endif							/* BURROW_OFFSETS_TOPIC_WATCH_H */
