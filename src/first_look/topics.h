/*
 * topics.h
 *	  The topics of a cluster.
 */
#ifndef BURROW_FIRST_LOOK_TOPICS_H
#define BURROW_FIRST_LOOK_TOPICS_H

#include "first_look/visit.h"

extern void burrow_topics_run(BurrowVisit *visit);

#endif							/* BURROW_FIRST_LOOK_TOPICS_H */
