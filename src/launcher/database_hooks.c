/*
 * database_hooks.c
 *	  Makes room for commands that need a database for themselves.
 *
 * Runs in: backends.
 * Owns: the lockouts of its transaction (shmem/database_lockout.c keeps them).
 * Locking: takes no lock of its own; what the command has locked stays locked while
 * Burrow's processes leave, so these must not need it: they end the messages in
 * hand and connect to nothing.
 *
 * DROP DATABASE, ALTER DATABASE RENAME and SET TABLESPACE, and CREATE DATABASE with
 * a template fail when somebody else is connected, and PostgreSQL waits 5 seconds
 * and signals no background worker.  So each first locks Burrow out of the database: the
 * consumers there are asked to leave, in good order, and the launcher starts nothing
 * there until the transaction's end.
 *
 * DROP DATABASE calls object_access_hook between its own permission check and its
 * own wait, which is the right moment.  The others have no such place, so a
 * ProcessUtility hook makes their permission checks first: a role that may not
 * rename a database must not be able to stop what runs there.  It checks no more
 * than that; a command that fails for another reason has made Burrow leave for
 * nothing, which is repaired by the end of the lockout.
 *
 * DROP EXTENSION is noticed through the same object_access_hook, also when it comes
 * by CASCADE or DROP OWNED, and takes effect with the commit.  So are ALTER EXTENSION UPDATE, ALTER ROLE ... SET
 * and ALTER DATABASE ... SET (shmem/session_settings.c), and what a connection to Kafka rests on:
 * foreign servers, user mappings, roles (shmem/server_changes.c).  Privileges have no such hook, and are noticed
 * as statements.
 *
 * ALTER SCHEMA ... RENAME of the extension's schema, which core allows, is refused: every name in the library
 * and in the functions' bodies has the schema in it.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "catalog/pg_db_role_setting.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/syscache.h"

#include "burrow.h"
#include "catalog/access.h"
#include "compat.h"
#include "launcher/database_hooks.h"
#include "shmem/database_lockout.h"
#include "shmem/registry.h"
#include "shmem/server_changes.h"
#include "shmem/session_settings.h"

/*
 * Consumers leave as soon as the messages in hand are done, and cancel those that are
 * not when the subscription's shutdown_timeout (30 s by default) is over.
 */
#define LOCKOUT_TIMEOUT_MS			60000

/* DROP DATABASE ... WITH (FORCE): workers are terminated, consumers need a moment. */
#define LOCKOUT_TIMEOUT_FORCE_MS	5000

static object_access_hook_type prev_object_access_hook = NULL;
static ProcessUtility_hook_type prev_ProcessUtility_hook = NULL;

/*
 * Inside a command that has a lockout.  ALTER DATABASE SET TABLESPACE commits on its
 * way, which must not end it.
 */
static int	command_depth = 0;
static bool forced = false;		/* the command is DROP DATABASE ... WITH (FORCE) */

/* Databases that changed in this transaction without a lockout; InvalidOid: none. */
static Oid	changed_database = InvalidOid;
static bool changed_several = false;

/*
 * COMMIT PREPARED runs anywhere and calls nothing of ours: the lockout would end with this session's next
 * transaction, and nobody would look at a database that was opened.
 */
static void
refuse_prepare(void)
{
	if (burrow_database_lockout_is_held() || OidIsValid(changed_database))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot PREPARE a transaction that has renamed, opened or closed a database that burrow may run in"),
				 errhint("Use COMMIT.")));
}

static void
end_of_transaction(XactEvent event, void *arg)
{
	bool		committed = event == XACT_EVENT_COMMIT;

	if (event == XACT_EVENT_PRE_PREPARE)
		refuse_prepare();
	if (!committed && event != XACT_EVENT_ABORT)
		return;
	if (command_depth == 0)
		burrow_database_lockout_release();
	if (committed && OidIsValid(changed_database))
		burrow_registry_look_at(changed_several ? InvalidOid : changed_database);
	changed_database = InvalidOid;
	changed_several = false;
}

static void
register_end_of_transaction(void)
{
	static bool registered = false;

	if (!registered)
		RegisterXactCallback(end_of_transaction, NULL);
	registered = true;
}

/* Have the launcher look at a database once this transaction is committed. */
static void
look_at_commit(Oid dboid)
{
	register_end_of_transaction();
	changed_several = changed_several || (OidIsValid(changed_database) && changed_database != dboid);
	changed_database = dboid;
}

/*
 * Keep Burrow out of the database until the end of the transaction.  Whoever else is
 * connected there is the command's business.
 */
static void
lock_out(Oid dboid)
{
	/* such a command fails, and the processes may be waiting for this very one */
	if (dboid == MyDatabaseId)
		return;

	register_end_of_transaction();
	if (forced)
	{
		/* first the lockout, so that what these had in hand is not given to others */
		(void) burrow_database_lockout_take(dboid, 0);
		burrow_database_lockout_terminate_workers(dboid);
		/* who is still there after that is terminated by the command */
		(void) burrow_database_lockout_take(dboid, LOCKOUT_TIMEOUT_FORCE_MS);
	}
	else if (!burrow_database_lockout_take(dboid, LOCKOUT_TIMEOUT_MS))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("database \"%s\" is being accessed by burrow's workers",
						get_database_name(dboid)),
				 errdetail("They have not ended the messages in hand within %d seconds.",
						   LOCKOUT_TIMEOUT_MS / 1000),
				 errhint("Pause the subscriptions of this database and try again.")));
}

/* Roles, because a superuser needs no privilege. */
static void
record_changed_server(ObjectAccessType access, Oid class_id)
{
	if (access != OAT_POST_CREATE && access != OAT_POST_ALTER && access != OAT_DROP)
		return;
	if (class_id == ForeignServerRelationId || class_id == UserMappingRelationId)
		burrow_server_changes_record(MyDatabaseId);
	else if (class_id == AuthIdRelationId && access != OAT_POST_CREATE)
		burrow_server_changes_record(InvalidOid);
}

static void
object_access(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id, void *arg)
{
	if (prev_object_access_hook)
		prev_object_access_hook(access, class_id, object_id, sub_id, arg);

	if (access == OAT_POST_ALTER && class_id == DbRoleSettingRelationId)
	{
		burrow_session_settings_change(object_id, ((ObjectAccessPostAlter *) arg)->auxiliary_id);
		/* among them may be burrow.default_server */
		burrow_server_changes_record(object_id);
	}
	record_changed_server(access, class_id);
	/* ALTER EXTENSION UPDATE: it may fit the library now, or not any more */
	if (access == OAT_POST_ALTER && class_id == ExtensionRelationId &&
		object_id == get_extension_oid(BURROW_EXTENSION, true))
		burrow_registry_wake_at_commit();
	if (access != OAT_DROP)
		return;
	if (class_id == DatabaseRelationId)
		lock_out(object_id);
	else if (class_id == ExtensionRelationId &&
			 object_id == get_extension_oid(BURROW_EXTENSION, true))
		burrow_registry_wake_at_commit();
}

/* ---- which database does a command need, if the user may run it? ---- */

static DefElem *
find_option(List *options, const char *name)
{
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		if (strcmp(option->defname, name) == 0)
			return option;
	}
	return NULL;
}

static bool
is_template(Oid dboid)
{
	HeapTuple	tup = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(dboid));
	bool		result;

	if (!HeapTupleIsValid(tup))
		return false;
	result = ((Form_pg_database) GETSTRUCT(tup))->datistemplate;
	ReleaseSysCache(tup);
	return result;
}

/* May the current user create and rename databases?  Not all minor releases of
 * PostgreSQL 15 let others ask their own function. */
static bool
may_create_databases(void)
{
	HeapTuple	tuple;
	bool		may;

	if (superuser())
		return true;
	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(GetUserId()));
	may = HeapTupleIsValid(tuple) && ((Form_pg_authid) GETSTRUCT(tuple))->rolcreatedb;
	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	return may;
}

/* The database that CREATE DATABASE copies. */
static Oid
source_of_copy(const CreatedbStmt *stmt)
{
	DefElem    *option = find_option(stmt->options, "template");
	Oid			dboid = get_database_oid(option && option->arg ? defGetString(option) : "template1", true);

	if (OidIsValid(dboid) && may_create_databases() &&
		(is_template(dboid) || burrow_database_ownercheck(dboid, GetUserId())))
		return dboid;
	return InvalidOid;
}

/* The database that the command needs for itself; InvalidOid: none, or it will fail. */
static Oid
needed_database(Node *parsetree, bool is_top_level)
{
	Oid			dboid;

	switch (nodeTag(parsetree))
	{
		case T_CreatedbStmt:
			return IsInTransactionBlock(is_top_level) ? InvalidOid :
				source_of_copy((CreatedbStmt *) parsetree);

		case T_AlterDatabaseStmt:
			if (find_option(((AlterDatabaseStmt *) parsetree)->options, "tablespace") == NULL ||
				IsInTransactionBlock(is_top_level))
				return InvalidOid;
			dboid = get_database_oid(((AlterDatabaseStmt *) parsetree)->dbname, true);
			break;

		case T_RenameStmt:
			if (((RenameStmt *) parsetree)->renameType != OBJECT_DATABASE ||
				!may_create_databases())
				return InvalidOid;
			dboid = get_database_oid(((RenameStmt *) parsetree)->subname, true);
			break;

		default:
			return InvalidOid;
	}
	return OidIsValid(dboid) && burrow_database_ownercheck(dboid, GetUserId()) ? dboid : InvalidOid;
}

/* Commands after which something else may be able to run in a database. */
static void
record_changed_database(Node *parsetree)
{
	const char *name = NULL;
	Oid			dboid;

	if (IsA(parsetree, CreatedbStmt))
		name = ((CreatedbStmt *) parsetree)->dbname;
	else if (IsA(parsetree, AlterDatabaseStmt) &&
			 (find_option(((AlterDatabaseStmt *) parsetree)->options, "allow_connections") != NULL ||
			  find_option(((AlterDatabaseStmt *) parsetree)->options, "is_template") != NULL))
		name = ((AlterDatabaseStmt *) parsetree)->dbname;
	if (name == NULL)
		return;
	CommandCounterIncrement();	/* so that a new one can be seen */
	dboid = get_database_oid(name, true);
	if (OidIsValid(dboid))
		look_at_commit(dboid);
}

/* Statements that give privileges on a foreign server, or take them. */
static void
record_changed_privileges(Node *parsetree)
{
	if ((IsA(parsetree, GrantStmt) && ((GrantStmt *) parsetree)->objtype == OBJECT_FOREIGN_SERVER) ||
		IsA(parsetree, DropOwnedStmt))
		burrow_server_changes_record(MyDatabaseId);
	else if (IsA(parsetree, GrantRoleStmt))
		burrow_server_changes_record(InvalidOid);
}

/* A function, because process_utility() may keep nothing in a variable over its PG_TRY() that is not
 * volatile. */
static void
run_next(PlannedStmt *pstmt, const char *query, bool read_only_tree,
		 ProcessUtilityContext context, ParamListInfo params,
		 QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *qc)
{
	(prev_ProcessUtility_hook ? prev_ProcessUtility_hook : standard_ProcessUtility)
		(pstmt, query, read_only_tree, context, params, environment, dest, qc);
}

static void
refuse_rename(const RenameStmt *stmt)
{
	if (stmt->renameType == OBJECT_SCHEMA && strcmp(stmt->subname, BURROW_SCHEMA) == 0 &&
		burrow_access_extension_exists())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot rename schema \"%s\"", BURROW_SCHEMA),
				 errdetail("Extension \"%s\" is in it, and finds its objects by this name.", BURROW_EXTENSION)));
}

static void
process_utility(PlannedStmt *pstmt, const char *query, bool read_only_tree,
				ProcessUtilityContext context, ParamListInfo params,
				QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *qc)
{
	Node	   *parsetree = pstmt->utilityStmt;
	volatile bool was_forced = forced;	/* read after an error */
	Oid			dboid;

	/* all others go through without a detour */
	if (!IsA(parsetree, CreatedbStmt) && !IsA(parsetree, AlterDatabaseStmt) &&
		!IsA(parsetree, RenameStmt) && !IsA(parsetree, DropdbStmt))
	{
		run_next(pstmt, query, read_only_tree, context, params, environment, dest, qc);
		record_changed_privileges(parsetree);
		return;
	}

	if (IsA(parsetree, RenameStmt))
		refuse_rename((RenameStmt *) parsetree);

	command_depth++;
	PG_TRY();
	{
		forced = IsA(parsetree, DropdbStmt) &&
			find_option(((DropdbStmt *) parsetree)->options, "force") != NULL;
		dboid = needed_database(parsetree, context == PROCESS_UTILITY_TOPLEVEL);
		if (OidIsValid(dboid))
			lock_out(dboid);
		run_next(pstmt, query, read_only_tree, context, params, environment, dest, qc);
		record_changed_database(parsetree);
	}
	PG_FINALLY();
	{
		command_depth--;
		forced = was_forced;
	}
	PG_END_TRY();
}

void
burrow_database_hooks_install(void)
{
	prev_object_access_hook = object_access_hook;
	object_access_hook = object_access;
	prev_ProcessUtility_hook = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
}
