/*
 * server_options.h
 *	  Options of foreign servers and user mappings, checked.
 */
#ifndef BURROW_API_SERVER_OPTIONS_H
#define BURROW_API_SERVER_OPTIONS_H

/* May a subscription of this owner use the server (NULL: the default), and would a client be made of what
 * its options say?  An error if not. */
extern void burrow_server_options_check_use(Oid owner, const char *server);

#endif							/* BURROW_API_SERVER_OPTIONS_H */
