/*
 * owner_hooks.c
 *	  What becomes of subscriptions when roles are dropped and give away what they own.
 *
 * A subscription is to its owner what other objects are: DROP ROLE is refused while there is one,
 * REASSIGN OWNED gives it away, DROP OWNED ends it.  PostgreSQL does the first by itself, in every
 * database (catalog/owner_dependency.c); here it gets a better text where the subscription is in this
 * database.  For the others there is no hook but ProcessUtility's.
 *
 * Runs in: backends.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "commands/user.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "catalog/access.h"
#include "catalog/audit.h"
#include "catalog/identity.h"
#include "launcher/owner_hooks.h"
#include "shmem/registry.h"

/* Named in the detail of an error. */
#define MOST_NAMED		20

static object_access_hook_type prev_object_access_hook = NULL;
static ProcessUtility_hook_type prev_ProcessUtility_hook = NULL;

/* As PostgreSQL says it of its own objects. */
static void
refuse_to_drop(Oid role)
{
	StringInfoData detail;
	int			n = 0;
	ListCell   *lc;

	if (!burrow_access_extension_exists())
		return;
	initStringInfo(&detail);
	foreach(lc, burrow_identity_list())
	{
		BurrowIdentity *sub = lfirst(lc);

		if (sub->owner == role && n++ < MOST_NAMED)
			appendStringInfo(&detail, "%sowner of subscription \"%s\"", n > 1 ? "\n" : "", sub->name);
	}
	if (n > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("role \"%s\" cannot be dropped because some objects depend on it",
						GetUserNameFromId(role, false)),
				 errdetail_internal("%s", detail.data),
				 errhint("Use REASSIGN OWNED or DROP OWNED, or burrow.alter() and burrow.unsubscribe().")));
}

static void
object_access(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id, void *arg)
{
	if (prev_object_access_hook)
		prev_object_access_hook(access, class_id, object_id, sub_id, arg);
	if (access == OAT_DROP && class_id == AuthIdRelationId && OidIsValid(MyDatabaseId))
		refuse_to_drop(object_id);
}

/* The roles' OIDs, as an array; 0: the command will fail, and says why. */
static Datum
roles_of(List *specs)
{
	List	   *roles = roleSpecsToIds(specs);
	Datum	   *elements = palloc(sizeof(Datum) * list_length(roles));
	ListCell   *lc;

	foreach(lc, roles)
	{
		if (!has_privs_of_role(GetUserId(), lfirst_oid(lc)))
			return (Datum) 0;
		elements[foreach_current_index(lc)] = ObjectIdGetDatum(lfirst_oid(lc));
	}
	return PointerGetDatum(construct_array(elements, list_length(roles), OIDOID, sizeof(Oid), true, TYPALIGN_INT));
}

/* A subscription that the command has changed, as the statement returns it. */
typedef struct Changed
{
	int32		subid;
	char	   *name;
	Oid			owner_before;
	char	   *status_before;
} Changed;

static char *
text_column(HeapTuple row, int column)
{
	return SPI_getvalue(row, SPI_tuptable->tupdesc, column);
}

/* The rows that the last statement has returned, in the caller's memory. */
static List *
changed_rows(MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	List	   *changed = NIL;

	for (uint64 i = 0; i < SPI_tuptable->numvals; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		Changed    *c = palloc(sizeof(Changed));

		c->subid = pg_strtoint32(text_column(row, 1));
		c->name = text_column(row, 2);
		c->owner_before = atooid(text_column(row, 3));
		c->status_before = text_column(row, 4);
		changed = lappend(changed, c);
	}
	MemoryContextSwitchTo(old);
	return changed;
}

/* The statement returns subid, name, and owner and status as they were. */
static List *
change_rows(const char *sql, int nargs, Oid *types, Datum *values, int expected)
{
	BurrowCatalogAccess access;
	MemoryContext context = CurrentMemoryContext;
	List	   *changed;

	if (!burrow_access_begin(&access))
		return NIL;
	if (burrow_access_execute(sql, nargs, types, values, NULL, expected) > 0)
		burrow_registry_wake_at_commit();
	changed = changed_rows(context);
	burrow_access_end(&access);
	return changed;
}

/* False: the rows are another version's, and none is of these roles, which would be an error. */
static bool
is_this_version(List *specs)
{
	List	   *roles;
	ListCell   *lc;

	if (burrow_access_other_version() == NULL)
		return true;
	roles = roleSpecsToIds(specs);
	foreach(lc, burrow_identity_list())
	{
		if (list_member_oid(roles, ((BurrowIdentity *) lfirst(lc))->owner))
			burrow_access_check_version();
	}
	return false;
}

static void
drop_owned(List *specs)
{
	Oid			types[] = {OIDARRAYOID};
	Datum		roles = roles_of(specs);
	List	   *changed;
	ListCell   *lc;

	if (roles == (Datum) 0 || !is_this_version(specs))
		return;
	changed = change_rows("DELETE FROM burrow.subscription s"
						  " WHERE burrow._role_oid(s.owner) OPERATOR(pg_catalog.=) ANY ($1)"
						  " RETURNING s.subid, s.name, burrow._role_oid(s.owner), s.status",
						  1, types, &roles, SPI_OK_DELETE_RETURNING);
	foreach(lc, changed)
	{
		const Changed *sub = lfirst(lc);
		BurrowAudit audit;

		burrow_audit_begin(&audit);
		burrow_audit_add_text(&audit, "status_before", sub->status_before);
		burrow_audit_end(&audit, "drop_owned", sub->subid, sub->name, sub->owner_before);
	}
}

/* What an owner has said about his own rights is not said about another role's: see run_as_owner in api/alter.c. */
static void
reassign_owned(const ReassignOwnedStmt *stmt)
{
	Oid			types[] = {OIDARRAYOID, OIDOID};
	Oid			new_owner = get_rolespec_oid(stmt->newrole, false);
	Datum		values[] = {roles_of(stmt->roles), ObjectIdGetDatum(new_owner)};
	List	   *changed;
	ListCell   *lc;

	if (values[0] == (Datum) 0 || !is_this_version(stmt->roles))
		return;
	changed = change_rows("UPDATE burrow.subscription s SET owner = burrow._role_of($2),"
						  " options = pg_catalog.array_replace(s.options, 'run_as_owner=true', 'run_as_owner=false')"
						  " FROM burrow.subscription b"
						  " WHERE b.subid OPERATOR(pg_catalog.=) s.subid"
						  " AND burrow._role_oid(s.owner) OPERATOR(pg_catalog.=) ANY ($1)"
						  " AND burrow._role_oid(s.owner) OPERATOR(pg_catalog.<>) $2"
						  " RETURNING s.subid, s.name, burrow._role_oid(b.owner), b.status",
						  2, types, values, SPI_OK_UPDATE_RETURNING);
	foreach(lc, changed)
	{
		const Changed *sub = lfirst(lc);
		BurrowAudit audit;

		burrow_audit_begin(&audit);
		burrow_audit_add_change(&audit, "owner", GetUserNameFromId(sub->owner_before, true),
								GetUserNameFromId(new_owner, false));
		burrow_audit_end(&audit, "reassign_owned", sub->subid, sub->name, sub->owner_before);
	}
}

static void
process_utility(PlannedStmt *pstmt, const char *query, bool read_only_tree,
				ProcessUtilityContext context, ParamListInfo params,
				QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *qc)
{
	ProcessUtility_hook_type next = prev_ProcessUtility_hook ? prev_ProcessUtility_hook :
	standard_ProcessUtility;
	Node	   *parsetree = pstmt->utilityStmt;
	bool		ours = !XactReadOnly && !RecoveryInProgress();

	/* before PostgreSQL does its part: see owner_dependency.c */
	if (ours && IsA(parsetree, DropOwnedStmt))
		drop_owned(((DropOwnedStmt *) parsetree)->roles);
	next(pstmt, query, read_only_tree, context, params, environment, dest, qc);
	if (ours && IsA(parsetree, ReassignOwnedStmt))
		reassign_owned((ReassignOwnedStmt *) parsetree);
}

void
burrow_owner_hooks_install(void)
{
	prev_object_access_hook = object_access_hook;
	object_access_hook = object_access;
	prev_ProcessUtility_hook = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
}
