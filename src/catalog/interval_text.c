/*
 * interval_text.c
 *	  Intervals as options store them.
 */
#include "postgres.h"

#include "common/int.h"
#include "utils/builtins.h"

#include "burrow.h"
#include "catalog/interval_text.h"

static const struct
{
	const char *name;
	int64		us;
}			units[] =

{
	{"d", INT64CONST(86400000000)},
	{"h", INT64CONST(3600000000)},
	{"min", INT64CONST(60000000)},
	{"s", INT64CONST(1000000)},
	{"ms", INT64CONST(1000)},
	{"us", INT64CONST(1)},
};

bool
burrow_interval_text_us(const Interval *interval, int64 *us)
{
	int64		days;

	/* an infinite one has as many as there can be */
	if (interval->month != 0)
		return false;
	return !pg_mul_s64_overflow(interval->day, USECS_PER_DAY, &days) &&
		!pg_add_s64_overflow(days, interval->time, us);
}

char *
burrow_interval_text_format(int64 us)
{
	int			i = 0;

	while (i < lengthof(units) - 1 && us % units[i].us != 0)
		i++;
	return psprintf(INT64_FORMAT " %s", us / units[i].us, units[i].name);
}

int64
burrow_interval_text_parse(const char *text)
{
	char	   *unit;
	int64		number = strtoll(text, &unit, 10);

	if (*unit == ' ')
		unit++;
	for (int i = 0; i < lengthof(units); i++)
	{
		if (strcmp(unit, units[i].name) == 0)
			return number * units[i].us;
	}
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("invalid time \"%s\" in table \"%s.%s\"", text, BURROW_SCHEMA, "subscription")));
}
