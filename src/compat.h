/*
 * compat.h
 *	  Every difference between the supported PostgreSQL majors (15 to 18).
 */
#ifndef BURROW_COMPAT_H
#define BURROW_COMPAT_H

#if PG_VERSION_NUM < 150000
#error "Burrow needs PostgreSQL 15 or later"
#endif

/* 17: a wait event set belongs to a resource owner instead of a memory context;
 * NULL lets it live as long as the process. */
#if PG_VERSION_NUM >= 170000
#define burrow_create_wait_event_set(nevents) CreateWaitEventSet(NULL, (nevents))
#else
#define burrow_create_wait_event_set(nevents) CreateWaitEventSet(TopMemoryContext, (nevents))
#endif

/* 17: waits of extensions have names. */
#if PG_VERSION_NUM >= 170000
#define burrow_wait_event_number(name) WaitEventExtensionNew(name)
#else
#define burrow_wait_event_number(name) ((void) (name), PG_WAIT_EXTENSION)
#endif

/* 16: one function checks the ownership of all kinds of objects. */
#if PG_VERSION_NUM >= 160000
#define burrow_database_ownercheck(dboid, role) object_ownercheck(DatabaseRelationId, (dboid), (role))
#else
#define burrow_database_ownercheck(dboid, role) pg_database_ownercheck((dboid), (role))
#endif

/* 16: a member of a role need not be one that may become it. */
#if PG_VERSION_NUM >= 160000
#define burrow_check_can_become(member, role) check_can_set_role((member), (role))
#else
#define burrow_check_can_become(member, role) check_is_member_of_role((member), (role))
#endif

/* 17: one more timeout that Burrow's own processes must be spared. */
#define BURROW_HAVE_TRANSACTION_TIMEOUT (PG_VERSION_NUM >= 170000)
#if PG_VERSION_NUM >= 170000
#define BURROW_TRANSACTION_TIMEOUT_OVERRIDE {"transaction_timeout", "0"},
#else
#define BURROW_TRANSACTION_TIMEOUT_OVERRIDE
#endif

/* 16: one function checks the privileges on all kinds of objects. */
#if PG_VERSION_NUM >= 160000
#define burrow_function_aclcheck(funcoid, role, mode) object_aclcheck(ProcedureRelationId, (funcoid), (role), (mode))
#define burrow_database_aclcheck(dboid, role, mode) object_aclcheck(DatabaseRelationId, (dboid), (role), (mode))
#define burrow_namespace_aclcheck(oid, role, mode) object_aclcheck(NamespaceRelationId, (oid), (role), (mode))
#define burrow_foreign_server_aclcheck(serverid, role, mode) object_aclcheck(ForeignServerRelationId, (serverid), (role), (mode))
#else
#define burrow_database_aclcheck(dboid, role, mode) pg_database_aclcheck((dboid), (role), (mode))
#define burrow_namespace_aclcheck(oid, role, mode) pg_namespace_aclcheck((oid), (role), (mode))
#define burrow_function_aclcheck(funcoid, role, mode) pg_proc_aclcheck((funcoid), (role), (mode))
#define burrow_foreign_server_aclcheck(serverid, role, mode) pg_foreign_server_aclcheck((serverid), (role), (mode))
#endif

/* 16: errors can be soft. */
#if PG_VERSION_NUM >= 160000
#define burrow_qualified_name_list(name) stringToQualifiedNameList((name), NULL)
#else
#define burrow_qualified_name_list(name) stringToQualifiedNameList(name)
#endif

/* 16: where a relation's files are. */
#if PG_VERSION_NUM >= 160000
#define burrow_relation_locator(rel) ((rel)->rd_locator)
#else
#define burrow_relation_locator(rel) ((rel)->rd_node)
#endif

/* 18: spelt pg_noreturn, and put before the declaration. */
#if PG_VERSION_NUM >= 180000
#define pg_attribute_noreturn() __attribute__((noreturn))
#endif

/* 16: variable-length values have a header of their own. */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#include "access/heapam.h"
#if PG_VERSION_NUM >= 160000
#include "catalog/pg_database.h"
#include "catalog/pg_proc.h"
#endif
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/fmgrprotos.h"
#if PG_VERSION_NUM >= 160000
#include "nodes/miscnodes.h"
#endif

/*
 * 16: an update tells which indexes need the new tuple.  A tuple on the page of the old one
 * may need an entry, too: BRIN indexes summarize, and do not keep an update from being HOT
 * any more.
 */
typedef enum BurrowIndexes
{
	BURROW_INDEXES_NONE,
	BURROW_INDEXES_SUMMARIZING, /* those that only summarize */
	BURROW_INDEXES_ALL
} BurrowIndexes;

static inline TM_Result
burrow_heap_update(Relation rel, ItemPointer tid, HeapTuple tuple, CommandId cid,
				   TM_FailureData *failure, BurrowIndexes *indexes)
{
	LockTupleMode mode;
	TM_Result	result;

#if PG_VERSION_NUM >= 160000
	TU_UpdateIndexes updated = TU_None;

	result = heap_update(rel, tid, tuple, cid, InvalidSnapshot, true, failure, &mode, &updated);
	*indexes = updated == TU_All ? BURROW_INDEXES_ALL :
		updated == TU_Summarizing ? BURROW_INDEXES_SUMMARIZING : BURROW_INDEXES_NONE;
#else
	result = heap_update(rel, tid, tuple, cid, InvalidSnapshot, true, failure, &mode);
	*indexes = HeapTupleIsHeapOnly(tuple) ? BURROW_INDEXES_NONE : BURROW_INDEXES_ALL;
#endif
	return result;
}

#if PG_VERSION_NUM >= 160000
#define burrow_insert_index_entries(result, slot, estate, only_summarizing) \
	ExecInsertIndexTuples((result), (slot), (estate), false, false, NULL, NIL, (only_summarizing))
#else
#define burrow_insert_index_entries(result, slot, estate, only_summarizing) \
	ExecInsertIndexTuples((result), (slot), (estate), false, false, NULL, NIL)
#endif

/* 16: to_regprocedure() keeps every error to itself.  Raises what is wrong with a signature,
 * other than that there is no such function. */
static inline void
burrow_check_signature(const char *signature)
{
#if PG_VERSION_NUM >= 160000
	ErrorSaveContext context = {.type = T_ErrorSaveContext, .details_wanted = true};
	Datum		ignored;

	if (!DirectInputFunctionCallSafe(regprocedurein, unconstify(char *, signature), InvalidOid, -1,
									 (Node *) &context, &ignored) &&
		context.error_data->sqlerrcode != ERRCODE_UNDEFINED_FUNCTION)
		ThrowErrorData(context.error_data);
#endif
}

/*
 * So many bytes of a text are at most limit, and end where a character does.  No server knows the characters of
 * SQL_ASCII; there they are most likely UTF-8, and where they are not, it does no harm.
 */
static inline int
burrow_clip_length(const char *text, int len, int limit)
{
	int			encoding = GetDatabaseEncoding() == PG_SQL_ASCII ? PG_UTF8 : GetDatabaseEncoding();

	return len <= limit ? len : Min(pg_encoding_mbcliplen(encoding, text, len, limit), limit);
}

/* 18: the library says its name and version (pg_get_loaded_modules()). */
#if PG_VERSION_NUM >= 180000
#define BURROW_MODULE_MAGIC(module) PG_MODULE_MAGIC_EXT(.name = (module), .version = BURROW_VERSION)
#else
#define BURROW_MODULE_MAGIC(module) PG_MODULE_MAGIC
#endif

/* From 16 on an error can be returned instead of raised. */
#if PG_VERSION_NUM >= 160000
#define burrow_make_range(type, lower, upper) make_range(type, lower, upper, false, NULL)
#else
#define burrow_make_range(type, lower, upper) make_range(type, lower, upper, false)
#endif

#endif							/* BURROW_COMPAT_H */
