/*
 * role.c
 *	  The type burrow._role: a role as Burrow's tables keep it.
 *
 * A regrole column would lose the whole table in a dump: COPY fails at the first row whose
 * role the other cluster lacks.  A name alone would not follow ALTER ROLE ... RENAME, and
 * would be taken over by whoever gets that name next.  So a value is both: the OID, by which
 * it is known here, and the name, by which it is known elsewhere.  Its text is the role's
 * name as it is now.  What is read in (a restore) is looked up by name; where there is no
 * such role, the value arrives all the same, with no OID, and keeps the name.
 *
 * A role that was dropped here is not shown by its old name, but by one that nobody can
 * give to a role, so that a restore makes no other role the owner.
 *
 * Runs in: backends.
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

#include "catalog/option.h"

PG_FUNCTION_INFO_V1(burrow_sql_role_in);
PG_FUNCTION_INFO_V1(burrow_sql_role_out);
PG_FUNCTION_INFO_V1(burrow_sql_role_of);
PG_FUNCTION_INFO_V1(burrow_sql_role_oid);
PG_FUNCTION_INFO_V1(burrow_sql_role_missing);

/* On disk; INTERNALLENGTH in burrow.sql is its size. */
typedef struct Role
{
	Oid			oid;			/* InvalidOid: there was none of this name when it was read in */
	NameData	name;			/* then, for a value without an OID */
} Role;

StaticAssertDecl(sizeof(Role) == 68, "burrow.sql knows the size");

/* CREATE ROLE refuses names that begin so. */
#define DROPPED_ROLE	"pg_dropped_%u"

static Role *
make_role(Oid oid, const char *name)
{
	Role	   *role = palloc0(sizeof(Role));

	role->oid = oid;
	namestrcpy(&role->name, name);
	return role;
}

static bool
is_there(const Role *role)
{
	return OidIsValid(role->oid) && SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(role->oid));
}

/* Its name as it is now. */
static char *
name_of(const Role *role)
{
	if (!OidIsValid(role->oid))
		return pstrdup(NameStr(role->name));
	return is_there(role) ? GetUserNameFromId(role->oid, false) : psprintf(DROPPED_ROLE, role->oid);
}

/* _role_in(cstring): a name, as it is */
Datum
burrow_sql_role_in(PG_FUNCTION_ARGS)
{
	const char *name = PG_GETARG_CSTRING(0);

	if (name[0] == '\0' || strlen(name) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("invalid name of a role: \"%s\"", burrow_option_clip(name))));
	PG_RETURN_POINTER(make_role(get_role_oid(name, true), name));
}

Datum
burrow_sql_role_out(PG_FUNCTION_ARGS)
{
	PG_RETURN_CSTRING(name_of((Role *) PG_GETARG_POINTER(0)));
}

/* _role_of(oid) */
Datum
burrow_sql_role_of(PG_FUNCTION_ARGS)
{
	Oid			oid = PG_GETARG_OID(0);
	char	   *name = GetUserNameFromId(oid, true);

	PG_RETURN_POINTER(make_role(oid, name != NULL ? name : ""));
}

/* _role_oid(_role): 0 for one that was not there when it was read in */
Datum
burrow_sql_role_oid(PG_FUNCTION_ARGS)
{
	PG_RETURN_OID(((Role *) PG_GETARG_POINTER(0))->oid);
}

/* _role_missing(_role): what is to be said of a role that does not exist; NULL: it does */
Datum
burrow_sql_role_missing(PG_FUNCTION_ARGS)
{
	Role	   *role = (Role *) PG_GETARG_POINTER(0);

	if (is_there(role))
		PG_RETURN_NULL();
	if (OidIsValid(role->oid))
		PG_RETURN_TEXT_P(cstring_to_text("the subscription's owner was dropped"));
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("the subscription's owner, role \"%s\", does not exist",
											  NameStr(role->name))));
}
