/*
 * metrics.c
 *	  burrow.metrics(): what the exporter serves, for those who may open no port.
 *
 * Shows the subscriptions of this database that the caller may see in burrow.stats.
 *
 * Runs in: backends.
 */
#include "postgres.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "guc.h"
#include "api/views.h"
#include "catalog/names.h"
#include "metrics/metrics.h"
#include "shmem/registry.h"

PG_FUNCTION_INFO_V1(burrow_sql_metrics);

static bool
is_openmetrics(const char *format)
{
	if (strcmp(format, "openmetrics") == 0)
		return true;
	if (strcmp(format, "prometheus") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("format \"%s\" of metrics is not known", burrow_name_shown(format)),
				 errhint("Formats are \"openmetrics\" and \"prometheus\".")));
	return false;
}

/* metrics(format, per_partition) */
Datum
burrow_sql_metrics(PG_FUNCTION_ARGS)
{
	StringInfoData out;
	BurrowMetricsRequest request = {
		.dboid = MyDatabaseId,
		.may_see = burrow_views_may_see,
	};

	burrow_registry_require();
	request.openmetrics = PG_ARGISNULL(0) || is_openmetrics(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	request.partitions = PG_ARGISNULL(1) ? burrow_metrics_per_partition : PG_GETARG_BOOL(1);
	initStringInfo(&out);
	burrow_metrics_write(&out, &request);

	/* names came out of this database, so there is a way back */
	PG_RETURN_TEXT_P(cstring_to_text(pg_any_to_server(out.data, out.len, PG_UTF8)));
}
