/*
 * access_check.h
 *	  May a subscription's client use its topic and its group?
 */
#ifndef BURROW_FIRST_LOOK_ACCESS_CHECK_H
#define BURROW_FIRST_LOOK_ACCESS_CHECK_H

#include "first_look/visit.h"

/* Reports a row for the topic and one for the group. */
extern void burrow_access_check_run(BurrowVisit *visit, int32 subid);

#endif							/* BURROW_FIRST_LOOK_ACCESS_CHECK_H */
