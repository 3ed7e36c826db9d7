/*
 * databases.h
 *	  Which databases the server has, and whether anything can run in them.
 */
#ifndef BURROW_LAUNCHER_DATABASES_H
#define BURROW_LAUNCHER_DATABASES_H

#include "nodes/pg_list.h"

typedef enum BurrowDatabaseFate
{
	BURROW_DATABASE_GONE = 0,
	BURROW_DATABASE_CLOSED,		/* template, no connections allowed, or being dropped */
	BURROW_DATABASE_OPEN
} BurrowDatabaseFate;

typedef struct BurrowDatabase
{
	Oid			dboid;
	bool		open;
} BurrowDatabase;

/* Process: launcher.  All databases: a list of BurrowDatabase, made in cxt, which is current afterwards. */
extern List *burrow_databases_read(MemoryContext cxt);
extern BurrowDatabaseFate burrow_databases_fate(const List *databases, Oid dboid);

#endif							/* BURROW_LAUNCHER_DATABASES_H */
