/*
 * step.h
 *	  A row of burrow.check_connection().
 */
#ifndef BURROW_FIRST_LOOK_STEP_H
#define BURROW_FIRST_LOOK_STEP_H

/* reason and hint may be NULL. */
extern void burrow_step_report(const char *step, const char *subject, bool ok, const char *reason, const char *hint);

#endif							/* BURROW_FIRST_LOOK_STEP_H */
