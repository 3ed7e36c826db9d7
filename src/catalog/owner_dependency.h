/*
 * owner_dependency.h
 *	  Roles that own subscriptions are known to the cluster as such (pg_shdepend).
 */
#ifndef BURROW_CATALOG_OWNER_DEPENDENCY_H
#define BURROW_CATALOG_OWNER_DEPENDENCY_H

/* Makes what pg_shdepend knows of the role follow burrow.subscription.  Needs a transaction in which the table was
 * changed; whoever changes a row calls it afterwards, and nobody else need. */
extern void burrow_owner_dependency_follow(Oid role);

/* The same for all roles that are known to own one: after TRUNCATE. */
extern void burrow_owner_dependency_follow_all(void);

#endif							/* BURROW_CATALOG_OWNER_DEPENDENCY_H */
