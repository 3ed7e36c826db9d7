/*
 * other_nodes.h
 *	  Exactly once, and rows that a handler writes to other servers.
 */
#ifndef BURROW_API_OTHER_NODES_H
#define BURROW_API_OTHER_NODES_H

/* Refuses exactly_once where Citus's nodes commit by themselves. */
extern void burrow_other_nodes_check(const char *delivery);
/* Between burrow_access_begin() and _end(): warns where other servers can be written to that do. */
extern void burrow_other_nodes_warn(const char *delivery);

#endif							/* BURROW_API_OTHER_NODES_H */
