/*
 * unit_text.c
 *	  A whole number and a unit, as options store sizes and times.
 *
 * Runs in: backends; discovery workers and consumers read what is stored.
 */
#include "postgres.h"

#include "burrow.h"
#include "catalog/unit_text.h"

char *
burrow_unit_text_format(const BurrowUnits *units, int64 value)
{
	int			i = 0;

	while (i < units->n - 1 && value % units->units[i].factor != 0)
		i++;
	return psprintf(INT64_FORMAT " %s", value / units->units[i].factor, units->units[i].name);
}

int64
burrow_unit_text_parse(const BurrowUnits *units, const char *text)
{
	char	   *unit;
	int64		number = strtoll(text, &unit, 10);

	if (*unit == ' ')
		unit++;
	for (int i = 0; i < units->n; i++)
	{
		if (strcmp(unit, units->units[i].name) == 0)
			return number * units->units[i].factor;
	}
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("invalid %s \"%s\" in table \"%s.%s\"", units->kind, text, BURROW_SCHEMA, "subscription")));
}
