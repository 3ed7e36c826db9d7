/*
 * session_settings.h
 *	  Settings of roles and databases have changed: the sessions that have them are to know.
 */
#ifndef BURROW_SHMEM_SESSION_SETTINGS_H
#define BURROW_SHMEM_SESSION_SETTINGS_H

/*
 * When this transaction commits, consumers replace the sessions of this role in this database;
 * InvalidOid: of all roles, in all databases.  Process: any backend, in a transaction.
 */
extern void burrow_session_settings_change(Oid dboid, Oid roleid);

#endif							/* BURROW_SHMEM_SESSION_SETTINGS_H */
