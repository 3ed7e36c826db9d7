/*
 * check.h
 *	  A connection to a cluster, step by step.
 */
#ifndef BURROW_FIRST_LOOK_CHECK_H
#define BURROW_FIRST_LOOK_CHECK_H

#include "first_look/visit.h"

/* subid: also what this subscription needs; 0: of none. */
extern void burrow_check_run(BurrowVisit *visit, int32 subid);

#endif							/* BURROW_FIRST_LOOK_CHECK_H */
