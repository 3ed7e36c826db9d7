/*
 * sqlstate_class.c
 *	  Numbers for the classes of SQLSTATEs.
 *
 * The search is linear: a failure comes with a rolled back transaction, which costs more.
 */
#include "core/sqlstate_class.h"

/* PostgreSQL's, in its order; what is added here later goes before the last, and moves nothing that is stored. */
static const char *const classes[BURROW_SQLSTATE_CLASSES] = {
	"00", "01", "02", "03", "08", "09", "0A", "0B", "0F", "0L", "0P",
	"0Z", "20", "21", "22", "23", "24", "25", "26", "27", "28", "2B",
	"2D", "2F", "34", "38", "39", "3B", "3D", "3F", "40", "42", "44",
	"53", "54", "55", "57", "58", "72", "F0", "HV", "P0", "XX", "other"
};

unsigned
burrow_sqlstate_class(const char *sqlstate)
{
	for (unsigned i = 0; i < BURROW_SQLSTATE_CLASSES - 1; i++)
	{
		if (sqlstate[0] == classes[i][0] && sqlstate[1] == classes[i][1])
			return i;
	}
	return BURROW_SQLSTATE_CLASSES - 1;
}

const char *
burrow_sqlstate_class_name(unsigned number)
{
	return classes[number];
}
