/*
 * database_hooks.h
 *	  Makes room for commands that need a database for themselves.
 */
#ifndef BURROW_LAUNCHER_DATABASE_HOOKS_H
#define BURROW_LAUNCHER_DATABASE_HOOKS_H

/* From _PG_init. */
extern void burrow_database_hooks_install(void);

#endif							/* BURROW_LAUNCHER_DATABASE_HOOKS_H */
