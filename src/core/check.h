/*
 * check.h
 *	  Assertions of the core modules.
 *
 * assert.h would abort the consumer, and with it restart the whole server, in a
 * production build too (PGXS does not set NDEBUG).  So the core's checks exist in
 * the tests' builds only (the unit tests', and make TESTING=1), as PostgreSQL's own do in
 * assert-enabled ones.
 */
#ifndef BURROW_CORE_CHECK_H
#define BURROW_CORE_CHECK_H

#ifdef BURROW_CORE_CHECKS
#include <assert.h>
#define BURROW_CHECK(condition) assert(condition)
#else
#define BURROW_CHECK(condition) ((void) 0)
#endif

#endif							/* BURROW_CORE_CHECK_H */
