/*
 * key_parking.h
 *	  Messages that wait behind a dead letter of their key.
 */
#ifndef BURROW_DEAD_LETTER_KEY_PARKING_H
#define BURROW_DEAD_LETTER_KEY_PARKING_H

#include "core/parking.h"
#include "partition/partition.h"

extern void burrow_key_parking_init(const BurrowConsumer *c);
/* The keys of the partition; made if there is none; NULL: park_key is off. */
extern BurrowKeyParking *burrow_key_parking_of(const BurrowConsumer *c, const char *topic, int32 partition);
/* The partition has come: it gets its parked keys. */
extern void burrow_key_parking_join(const BurrowConsumer *c, BurrowPartition *part);
/* Was the table read, or need not be?  Before that no message may come. */
extern bool burrow_key_parking_is_known(void);
/* The table may have changed, by others: it is to be read again, if keys are parked at all. */
extern void burrow_key_parking_outdate(const BurrowConsumer *c);
extern bool burrow_key_parking_is_stale(void);
/* Reads which keys are parked and which of them are to be tried again; in a transaction,
 * while no letter is in hand or waits to be written. */
extern void burrow_key_parking_read(const BurrowConsumer *c);
/* How many there are, for those who look from elsewhere. */
extern void burrow_key_parking_publish(const BurrowConsumer *c);
extern void burrow_key_parking_each(void (*change) (BurrowParking *keys));
/* May a letter of this key be read, to be tried again? */
extern bool burrow_key_parking_is_retried(const BurrowKeyParking *parking, uint64 order);
/* Is a message that is parked now to be tried again at once? */
extern bool burrow_key_parking_is_asked(const BurrowMessage *m);
/* The message is a dead letter now: its key is parked. */
extern void burrow_key_parking_key(BurrowMessage *m);
/* Is any key parked there? */
extern bool burrow_key_parking_has_keys(const BurrowKeyParking *parking);
/* What is to be done with a message that was just picked? */
extern BurrowParkVerdict burrow_key_parking_judge(const BurrowMessage *m);

#endif							/* BURROW_DEAD_LETTER_KEY_PARKING_H */
