/*
 * obstacle.h
 *	  What a partition cannot get past.
 */
#ifndef BURROW_PARTITION_OBSTACLE_H
#define BURROW_PARTITION_OBSTACLE_H

#include "catalog/subscription.h"
#include "kafka/kafka.h"
#include "partition/context.h"
#include "utils/timestamp.h"

typedef enum BurrowObstacleKind
{
	BURROW_OBSTACLE_DATA,		/* what is stored there cannot be read */
	BURROW_OBSTACLE_GAP,		/* the log does not hold what comes next */
	BURROW_OBSTACLE_TOO_LARGE	/* a message that does not fit into a worker's queue */
} BurrowObstacleKind;

typedef struct BurrowObstacle
{
	BurrowObstacleKind kind;
	int64		offset;			/* the first that is lost */
	TimestampTz noticed_at;
	TimestampTz again_at;		/* it could not be passed: not before; 0: at once */
	char	   *message;
	char	   *detail;			/* NULL: none */

	/* Where does it end?  See burrow_obstacle_question(). */
	uint64		asked_tag;		/* of the question that is not answered yet; 0: none */
	int64		log_start;		/* GAP: what the log holds; -1: not known */
	int64		log_end;
	int64		told;			/* DATA: the offset that its error names */
	int64		inside;			/* the highest offset that is known to be lost */
	int64		beyond;			/* the lowest that is known not to be; -1: none is known */
	int64		step;
	int			failures;		/* looks in a row that told nothing */
} BurrowObstacle;

/* In the current memory context, which has to last; position: what comes next of the partition. */
extern BurrowObstacle *burrow_obstacle_data(const char *topic, int32 partition, int64 position,
											const BurrowKafkaMessage *km);
extern BurrowObstacle *burrow_obstacle_gap(const char *topic, int32 partition, int64 position);
extern BurrowObstacle *burrow_obstacle_too_large(const char *topic, int32 partition, const BurrowKafkaMessage *km);
extern const char *burrow_obstacle_sqlstate(const BurrowObstacle *o);
extern void burrow_obstacle_free(BurrowObstacle *o);

/* What is Kafka to be asked of the partition, at *offset, to find out where it ends?  False: nothing more. */
extern bool burrow_obstacle_question(const BurrowObstacle *o, BurrowKafkaQuestion *what, int64 *offset);

/* The answer. */
extern void burrow_obstacle_take_answer(BurrowObstacle *o, const BurrowKafkaEvent *event);
/* The first offset behind it; -1: not known. */
extern int64 burrow_obstacle_end(const BurrowObstacle *o);
/* Not of a gap. */
extern BurrowHalt burrow_obstacle_halt(const BurrowObstacle *o, const char *subscription, const char *topic,
									   int32 partition);

#endif							/* BURROW_PARTITION_OBSTACLE_H */
