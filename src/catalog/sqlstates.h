/*
 * sqlstates.h
 *	  SQLSTATEs as text: one as errcode() takes it; lists of them and of their classes, as
 *	  options store them.
 */
#ifndef BURROW_CATALOG_SQLSTATES_H
#define BURROW_CATALOG_SQLSTATES_H

#include "utils/array.h"

#include "catalog/option.h"

/* For errcode(): the code of a text of five characters.  unpack_sql_state() is the way back. */
extern int	burrow_sqlstate_pack(const char *sqlstate);

/* Sorted, in capitals, each once; INVALID_PARAMETER_VALUE where one is none. */
extern char *burrow_sqlstates_normalize(const BurrowOption *option, ArrayType *array);

#endif							/* BURROW_CATALOG_SQLSTATES_H */
