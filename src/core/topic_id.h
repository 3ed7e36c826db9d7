/*
 * topic_id.h
 *	  The id that Kafka gives to a topic when it is made: another topic of the same name has another.
 *
 * Kafka's own programs show it as 22 characters, and so do we, wherever we keep or show it.  Not
 * everybody tells it: Kafka before 2.8 has none, and librdkafka before 2.3 has no way to ask.
 */
#ifndef BURROW_CORE_TOPIC_ID_H
#define BURROW_CORE_TOPIC_ID_H

#include <stdbool.h>
#include <stdint.h>

/* With the NUL. */
#define BURROW_TOPIC_ID_SIZE	23

typedef struct BurrowTopicId
{
	char		text[BURROW_TOPIC_ID_SIZE]; /* "": not known */
} BurrowTopicId;

/* Of the two halves of its 128 bits; all zero means that there is none. */
extern BurrowTopicId burrow_topic_id_make(uint64_t high, uint64_t low);
/* Of its text, as it was kept; what is no id becomes "not known". */
extern BurrowTopicId burrow_topic_id_read(const char *text);

extern bool burrow_topic_id_is_known(const BurrowTopicId *id);

/* Are both known, and different?  Where one is not known nothing is said. */
extern bool burrow_topic_id_differs(const BurrowTopicId *a, const BurrowTopicId *b);

/*
 * What is to be kept with a position.  now: the topic's id as it was told before the position was
 * found; kept: what was kept with the position that this one goes on from, not known if it does not.
 */
extern BurrowTopicId burrow_topic_id_to_keep(const BurrowTopicId *now, const BurrowTopicId *kept);

#endif							/* BURROW_CORE_TOPIC_ID_H */
