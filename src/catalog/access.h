/*
 * access.h
 *	  Running SQL on Burrow's own tables.
 */
#ifndef BURROW_CATALOG_ACCESS_H
#define BURROW_CATALOG_ACCESS_H

#include "executor/spi.h"

#include "burrow.h"

/* What burrow_access_end() puts back. */
typedef struct BurrowCatalogAccess
{
	Oid			userid;
	int			sec_context;
	int			guc_nest_level;
} BurrowCatalogAccess;

/* Is the extension installed in this database? */
extern bool burrow_access_extension_exists(void);

/*
 * A table or a type of the extension's, by its name in schema burrow.  InvalidOid: it is not here.  One that does not
 * belong to the extension is an error (OBJECT_NOT_IN_PREREQUISITE_STATE): it is somebody's who would be
 * believed.  No code of ours may find a table or type in another way.
 */
extern Oid	burrow_access_table(const char *name);
extern Oid	burrow_access_type(const char *name);

/*
 * Connects to SPI as the owner of Burrow's tables, with a search_path of pg_catalog
 * alone.  False, and nothing done: the extension is not in this database.  Needs a
 * transaction.  After an error the end of the (sub)transaction puts all back.
 */
extern bool burrow_access_begin(BurrowCatalogAccess *access);
extern void burrow_access_end(BurrowCatalogAccess *access);

/* SPI_execute_with_args(), which fails unless the result is `expected`; returns the
 * number of rows. */
extern uint64 burrow_access_execute(const char *sql, int nargs, Oid *types, Datum *values,
									const char *nulls, int expected);

/* Makes something of row number `row` of SPI's result, in the current memory context. */
typedef void *(*BurrowAccessReader) (uint64 row);

/* A column of such a row that is never NULL. */
extern Datum burrow_access_column(uint64 row, int number);
/* What is made of rows 0 to n - 1, in cxt. */
extern List *burrow_access_rows(uint64 n, BurrowAccessReader read, MemoryContext cxt);
/* What is made of the subscription of this name, in the current memory context; NULL: there is none.  select:
 * all up to the condition, where burrow.subscription is s. */
extern void *burrow_access_find_subscription(const char *select, const char *name, bool lock, BurrowAccessReader read);

/* A primary message; %s: the other version. */
#define BURROW_OTHER_VERSION \
	"version \"%s\" of extension \"" BURROW_EXTENSION "\" does not fit the library's version \"" BURROW_VERSION "\""

/* The version of the extension's SQL objects, if it is another than the library's; NULL: it is not, or the
 * extension is not here.  Needs a transaction. */
extern char *burrow_access_other_version(void);
/* For such a version: the statement that ends it. */
extern char *burrow_access_version_statement(const char *version);
/* Error OBJECT_NOT_IN_PREREQUISITE_STATE, with a hint, if it is another one. */
extern void burrow_access_check_version(void);

#endif							/* BURROW_CATALOG_ACCESS_H */
