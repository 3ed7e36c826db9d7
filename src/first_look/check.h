/*
 * check.h
 *	  A connection to a cluster, step by step.
 */
#ifndef BURROW_FIRST_LOOK_CHECK_H
#define BURROW_FIRST_LOOK_CHECK_H

#include "first_look/visit.h"

extern void burrow_check_run(BurrowVisit *visit);

#endif							/* BURROW_FIRST_LOOK_CHECK_H */
