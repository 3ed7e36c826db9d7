/*
 * intake.h
 *	  Messages out of Kafka's queues into the scheduler.
 */
#ifndef BURROW_CONSUMER_INTAKE_H
#define BURROW_CONSUMER_INTAKE_H

#include "partition/partition.h"

extern void burrow_intake_readable(BurrowConsumer *c, BurrowPartition *part);
/* Takes what there is room for; true if it stopped early and should be called again soon. */
extern bool burrow_intake_run(BurrowConsumer *c);
extern void burrow_message_free(BurrowConsumer *c, BurrowMessage *m);
/* More slots for the partition's tracker; false: no dynamic shared memory. */
extern bool burrow_intake_add_segment(BurrowConsumer *c, BurrowPartition *part);

#endif							/* BURROW_CONSUMER_INTAKE_H */
