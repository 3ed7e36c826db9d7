/*
 * functions.c
 *	  The table of functions that burrow_exporter gives to whoever loads it.
 *
 * The only file of src/http/ that includes a header of PostgreSQL's: the library
 * is loaded by load_external_function(), which asks for the module magic.
 *
 * Runs in: the exporter.
 */
#include "postgres.h"

#include "fmgr.h"

#include "burrow.h"
#include "compat.h"
#include "http/server.h"

BURROW_MODULE_MAGIC("burrow_exporter");

extern PGDLLEXPORT const BurrowHttpFunctions *burrow_http_functions(void);

static const BurrowHttpFunctions functions = {
	.abi = BURROW_HTTP_ABI,
	.open = burrow_http_open,
	.descriptor = burrow_http_descriptor,
	.timeout_ms = burrow_http_timeout_ms,
	.run = burrow_http_run,
	.close = burrow_http_close,
	.has_tls = burrow_http_has_tls,
};

const BurrowHttpFunctions *
burrow_http_functions(void)
{
	return &functions;
}
