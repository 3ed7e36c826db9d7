/*
 * check_schema.c
 *	  Whose is the schema that CREATE EXTENSION finds?
 *
 * PostgreSQL makes the extension's schema where there is none, and takes one that is there,
 * whoever owns it.  Its owner could have put objects into it, and could later, which Burrow's own
 * statements would meet.  So the extension's script calls this function before it makes
 * anything else, and drops it.
 *
 * Runs in: backends.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
#include "utils/syscache.h"

#include "burrow.h"

PG_FUNCTION_INFO_V1(burrow_sql_check_schema);

static int
hint(void)
{
	return errhint("Look at what it is for, rename it or drop it, and create the extension again.");
}

/* What is in the schema beside the extension and this function?  NULL: nothing. */
static char *
something_in(Oid schema, Oid function)
{
	Relation	rel = table_open(DependRelationId, AccessShareLock);
	char	   *description = NULL;
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(NamespaceRelationId));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(schema));
	scan = systable_beginscan(rel, DependReferenceIndexId, true, NULL, lengthof(keys), keys);
	while (description == NULL && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend depend = (Form_pg_depend) GETSTRUCT(tuple);
		ObjectAddress object = {depend->classid, depend->objid, depend->objsubid};

		if (object.classId != ExtensionRelationId &&
			!(object.classId == ProcedureRelationId && object.objectId == function))
			description = getObjectDescription(&object, true);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return description;
}

/* Who but its owner may create objects in it?  False: nobody. */
static bool
others_may_create(HeapTuple tuple, Oid owner, Oid *who)
{
	bool		isnull;
	Datum		value = SysCacheGetAttr(NAMESPACEOID, tuple, Anum_pg_namespace_nspacl, &isnull);
	Acl		   *acl = isnull ? NULL : DatumGetAclP(value);

	for (int i = 0; acl != NULL && i < ACL_NUM(acl); i++)
	{
		AclItem    *item = &ACL_DAT(acl)[i];

		if (item->ai_grantee == owner || (ACLITEM_GET_PRIVS(*item) & ACL_CREATE) == 0)
			continue;
		*who = item->ai_grantee;
		return true;
	}
	return false;
}

/* _check_schema() */
Datum
burrow_sql_check_schema(PG_FUNCTION_ARGS)
{
	Oid			schema = get_namespace_oid(BURROW_SCHEMA, false);
	HeapTuple	tuple = SearchSysCache1(NAMESPACEOID, ObjectIdGetDatum(schema));
	Oid			owner;
	Oid			who;
	char	   *thing;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for schema %u", schema);
	owner = ((Form_pg_namespace) GETSTRUCT(tuple))->nspowner;
	if (owner != GetUserId())
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_SCHEMA),
				 errmsg("schema \"%s\" exists already and is owned by role \"%s\"", BURROW_SCHEMA,
						GetUserNameFromId(owner, false)),
				 errdetail("Its owner could put objects of his own in the place of Burrow's."),
				 hint()));
	if (others_may_create(tuple, owner, &who))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_SCHEMA),
				 who == ACL_ID_PUBLIC ?
				 errmsg("schema \"%s\" exists already and everybody may create objects in it", BURROW_SCHEMA) :
				 errmsg("schema \"%s\" exists already and role \"%s\" may create objects in it", BURROW_SCHEMA,
						GetUserNameFromId(who, false)),
				 hint()));
	thing = something_in(schema, fcinfo->flinfo->fn_oid);
	if (thing != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_SCHEMA),
				 errmsg("schema \"%s\" exists already and is not empty", BURROW_SCHEMA),
				 errdetail("It contains %s.", thing),
				 hint()));
	ReleaseSysCache(tuple);
	PG_RETURN_VOID();
}
