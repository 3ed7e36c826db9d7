/*
 * listener.h
 *	  Sockets to listen on.
 */
#ifndef BURROW_EXPORTER_LISTENER_H
#define BURROW_EXPORTER_LISTENER_H

#include "core/listen_address.h"

/* Sockets of one address: a name may stand for several, IPv4 and IPv6. */
#define BURROW_LISTENER_SOCKETS	4

/*
 * Opens what can be opened; returns the number of sockets, which do not block and are not inherited.  0: none, and
 * why, in the current memory context; -1: nor any address, because the resolver does not know the name.
 */
extern int	burrow_listener_open(const BurrowListenAddress *address, int *sockets, const char **why);

#endif							/* BURROW_EXPORTER_LISTENER_H */
