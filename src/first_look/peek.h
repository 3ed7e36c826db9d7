/*
 * peek.h
 *	  Messages of a topic, read by nobody's group.
 */
#ifndef BURROW_FIRST_LOOK_PEEK_H
#define BURROW_FIRST_LOOK_PEEK_H

#include "first_look/look.h"
#include "first_look/visit.h"

extern void burrow_peek_run(BurrowVisit *visit, const BurrowLook *look);

#endif							/* BURROW_FIRST_LOOK_PEEK_H */
