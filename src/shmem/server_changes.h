/*
 * server_changes.h
 *	  Foreign servers, user mappings or privileges have changed: consumers are to look at theirs.
 */
#ifndef BURROW_SHMEM_SERVER_CHANGES_H
#define BURROW_SHMEM_SERVER_CHANGES_H

/* When this transaction commits, the consumers of the database (InvalidOid: of all) look again. */
extern void burrow_server_changes_record(Oid dboid);

#endif							/* BURROW_SHMEM_SERVER_CHANGES_H */
