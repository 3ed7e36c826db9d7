/*
 * listen_address.h
 *	  Where to listen: what a setting's text says.
 *
 * Pure.  A list, separated by commas, of "host:port", "[address]:port", "*:port" (all addresses), ":port" or "port"
 * (localhost), and "/path" (a socket in the file system).
 */
#ifndef BURROW_CORE_LISTEN_ADDRESS_H
#define BURROW_CORE_LISTEN_ADDRESS_H

#include <stdbool.h>

#define BURROW_LISTEN_MAX		8	/* addresses in a list */
#define BURROW_LISTEN_HOST_MAX	255
#define BURROW_LISTEN_PATH_MAX	107 /* sun_path of Linux, without the NUL */

typedef struct BurrowListenAddress
{
	bool		is_path;
	char		host[BURROW_LISTEN_HOST_MAX + 1];	/* "*": all; or the path */
	char		port[6];
} BurrowListenAddress;

/*
 * Reads the list into the array, which has room for BURROW_LISTEN_MAX; returns how many there are.  -1: it is malformed
 * or too long, *wrong says at which character.
 */
extern int	burrow_listen_address_read(const char *list, BurrowListenAddress *addresses, const char **wrong);

#endif							/* BURROW_CORE_LISTEN_ADDRESS_H */
