/*
 * sqlstates.h
 *	  Lists of SQLSTATEs and of their classes, as options store them.
 */
#ifndef BURROW_CATALOG_SQLSTATES_H
#define BURROW_CATALOG_SQLSTATES_H

#include "utils/array.h"

#include "catalog/option.h"

/* Sorted, in capitals, each once; INVALID_PARAMETER_VALUE where one is none. */
extern char *burrow_sqlstates_normalize(const BurrowOption *option, ArrayType *array);

#endif							/* BURROW_CATALOG_SQLSTATES_H */
