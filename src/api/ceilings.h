/*
 * ceilings.h
 *	  What an administrator allows: how large, how much, how many.
 */
#ifndef BURROW_API_CEILINGS_H
#define BURROW_API_CEILINGS_H

#include "catalog/options.h"

/*
 * Errors CONFIGURATION_LIMIT_EXCEEDED (and PROGRAM_LIMIT_EXCEEDED for sizes), which name the ceiling and who may
 * raise it.
 */

/* Of an argument that has not been looked at yet: it may be as large as PostgreSQL allows. */
extern void burrow_ceilings_check_argument(const char *name, Datum value);
/* Of all options together, as they are stored. */
extern void burrow_ceilings_check_options(const char *const *values);
extern void burrow_ceilings_check_workers(const char *const *values);
extern void burrow_ceilings_check_memory(const char *const *values);
/* Of a role that has just got one more. */
extern void burrow_ceilings_check_subscriptions(Oid owner);

#endif							/* BURROW_API_CEILINGS_H */
