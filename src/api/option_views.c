/*
 * option_views.c
 *	  The option table and stored options, for SQL.
 *
 * Runs in: backends.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "catalog/options.h"
#include "catalog/size_text.h"
#include "shmem/registry.h"

PG_FUNCTION_INFO_V1(burrow_sql_options);
PG_FUNCTION_INFO_V1(burrow_sql_option_columns);

/* options() */
Datum
burrow_sql_options(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	burrow_registry_require();
	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < BURROW_NOPTIONS; i++)
	{
		const BurrowOption *option = &burrow_options[i];
		bool		has_default = option->default_value != NULL;
		Datum		values[] = {
			CStringGetTextDatum(option->name),
			CStringGetTextDatum(burrow_option_sql_type(option)),
			has_default ? CStringGetTextDatum(option->default_value) : (Datum) 0,
			CStringGetTextDatum(burrow_option_allowed(option)),
			CStringGetTextDatum(option->description),
		};
		bool		nulls[] = {false, false, !has_default, false, false};

		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* What a column shows of a stored value; of a size, the number of bytes, to compute with. */
static char *
shown_value(BurrowOptionId id, const char *const *values)
{
	if (id == BURROW_OPTION_KAFKA)
		return burrow_kafka_properties_mask(values[id]);
	if (id == BURROW_OPTION_MAX_INFLIGHT && values[id] == NULL)
		return psprintf("%d", burrow_options_max_inflight(atoi(values[BURROW_OPTION_WORKERS]),
														  atoi(values[BURROW_OPTION_BATCH_SIZE])));
	if (burrow_options[id].kind == BURROW_KIND_BYTES)
		return psprintf(INT64_FORMAT, burrow_size_text_parse(values[id]));
	return values[id] != NULL ? pstrdup(values[id]) : NULL;
}

/* _options(text[]): a column for each option, by its name; the canonical texts are valid
 * input of the columns' types */
Datum
burrow_sql_option_columns(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	const char *values[BURROW_NOPTIONS];
	char	  **columns;

	burrow_registry_require();
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	burrow_options_from_array(PG_GETARG_ARRAYTYPE_P(0), values);

	columns = palloc(sizeof(char *) * desc->natts);
	for (int i = 0; i < desc->natts; i++)
	{
		const BurrowOption *option = burrow_option_find(NameStr(TupleDescAttr(desc, i)->attname));

		if (option == NULL)
			elog(ERROR, "there is no option \"%s\"", NameStr(TupleDescAttr(desc, i)->attname));
		columns[i] = shown_value((BurrowOptionId) (option - burrow_options), values);
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(BuildTupleFromCStrings(TupleDescGetAttInMetadata(BlessTupleDesc(desc)),
															 columns)));
}
