/*
 * probe.h
 *	  Can this machine reach an address?
 */
#ifndef BURROW_FIRST_LOOK_PROBE_H
#define BURROW_FIRST_LOOK_PROBE_H

#include "first_look/visit.h"

#define BURROW_PROBE_ADDRESSES	16

/* Where a broker is said to be. */
typedef struct BurrowEndpoint
{
	char		host[256];
	char		port[16];
} BurrowEndpoint;

typedef struct BurrowReached
{
	const char *address;		/* "127.0.0.1" */
	const char *refused;		/* why there is no connection to it; NULL: there is */
	BurrowKafkaHandshake hands; /* how far one gets, if there is */
} BurrowReached;

typedef struct BurrowReach
{
	BurrowReached addresses[BURROW_PROBE_ADDRESSES];
	int			n;				/* 0: the name cannot be resolved */
	const char *unresolved;		/* why not */
} BurrowReach;

/* The next of a list like bootstrap.servers, from *list on, which moves; false: there are no more. */
extern bool burrow_probe_next_endpoint(const char **list, BurrowEndpoint *endpoint);

/* Resolves, connects to each address and speaks to who is there; each takes no longer than timeout_ms, and resolving a while. */
extern void burrow_probe_run(const BurrowVisit *visit, const BurrowEndpoint *endpoint, int timeout_ms, BurrowReach *reach);

#endif							/* BURROW_FIRST_LOOK_PROBE_H */
