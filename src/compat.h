/*
 * compat.h
 *	  Every difference between the supported PostgreSQL majors (15 to 18).
 */
#ifndef BURROW_COMPAT_H
#define BURROW_COMPAT_H

#if PG_VERSION_NUM < 150000
#error "Burrow needs PostgreSQL 15 or later"
#endif

/* 17: a wait event set belongs to a resource owner instead of a memory context;
 * NULL lets it live as long as the process. */
#if PG_VERSION_NUM >= 170000
#define burrow_create_wait_event_set(nevents) CreateWaitEventSet(NULL, (nevents))
#else
#define burrow_create_wait_event_set(nevents) CreateWaitEventSet(TopMemoryContext, (nevents))
#endif

#endif							/* BURROW_COMPAT_H */
