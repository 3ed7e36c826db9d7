/*
 * interval_text.c
 *	  Intervals as options store them.
 */
#include "postgres.h"

#include "common/int.h"
#include "utils/builtins.h"

#include "catalog/interval_text.h"
#include "catalog/unit_text.h"

static const BurrowUnit unit_table[] = {
	{"d", INT64CONST(86400000000)},
	{"h", INT64CONST(3600000000)},
	{"min", INT64CONST(60000000)},
	{"s", INT64CONST(1000000)},
	{"ms", INT64CONST(1000)},
	{"us", INT64CONST(1)},
};
static const BurrowUnits units = {"time", lengthof(unit_table), unit_table};

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
	return burrow_unit_text_format(&units, us);
}

int64
burrow_interval_text_parse(const char *text)
{
	return burrow_unit_text_parse(&units, text);
}
