/*
 * probe.h
 *	  Can this machine reach an address?
 */
#ifndef BURROW_FIRST_LOOK_PROBE_H
#define BURROW_FIRST_LOOK_PROBE_H

#define BURROW_PROBE_ADDRESSES	8

/* Where a broker is said to be. */
typedef struct BurrowEndpoint
{
	char		host[256];
	char		port[16];
} BurrowEndpoint;

typedef struct BurrowReach
{
	char		addresses[BURROW_PROBE_ADDRESSES][64];	/* of the host; "127.0.0.1" */
	const char *refused[BURROW_PROBE_ADDRESSES];	/* why there is no connection to it; NULL:
													 * there is */
	int			n;				/* 0: the name cannot be resolved */
	const char *unresolved;		/* why not */
} BurrowReach;

/* The next of a list like bootstrap.servers, from *list on, which moves; false: there are no more. */
extern bool burrow_probe_next_endpoint(const char **list, BurrowEndpoint *endpoint);

/* Resolves and connects, for so long to each address; resolving takes as long as the resolver likes. */
extern void burrow_probe_run(const BurrowEndpoint *endpoint, int timeout_ms, BurrowReach *reach);

#endif							/* BURROW_FIRST_LOOK_PROBE_H */
