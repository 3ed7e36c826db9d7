/*
 * sqlstate_class.h
 *	  Numbers for the classes of SQLSTATEs, so that failures can be counted by class.
 *
 * Pure.  The first two characters of an SQLSTATE are its class.  A handler can raise any, so the
 * classes that PostgreSQL has are numbered, and all others share the last number.
 */
#ifndef BURROW_CORE_SQLSTATE_CLASS_H
#define BURROW_CORE_SQLSTATE_CLASS_H

#define BURROW_SQLSTATE_CLASSES	44

extern unsigned burrow_sqlstate_class(const char *sqlstate);
/* "23"; "other" */
extern const char *burrow_sqlstate_class_name(unsigned number);

#endif							/* BURROW_CORE_SQLSTATE_CLASS_H */
