/*
 * server.c
 *	  The Kafka cluster of a subscription, read from PostgreSQL's catalogs of foreign servers.
 *
 * A cluster is a foreign server, whose options say where it is and how it is spoken to; a user
 * mapping says who the client is.  Options are librdkafka's properties with underscores.  They
 * were checked by the wrapper's validator, as whoever made them (api/server_options.c); here is
 * decided whether the subscription's owner may use them.
 *
 * Rules as in postgres_fdw: the owner needs USAGE on the server, and a mapping, his own or that
 * of PUBLIC; who is no superuser must bring credentials of his own where the server asks for
 * any, because the server's operating system user may have some (Kerberos' ticket cache), which
 * are not for everybody.  A superuser can say otherwise in the mapping: password_required 'false'.
 *
 * A subscription that names no server has that of the setting burrow.default_server, or, without
 * one, the cluster of burrow.bootstrap_servers: without credentials, for everybody who may subscribe.
 *
 * Runs in: backends, consumers, dry runs, first looks at a cluster.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/reloptions.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_db_role_setting.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_type.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "foreign/foreign.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "burrow.h"
#include "catalog/server.h"
#include "compat.h"
#include "guc.h"

static char *
exchange(const char *name, char from, char to)
{
	char	   *result = pstrdup(name);

	for (char *p = result; *p != '\0'; p++)
		if (*p == from)
			*p = to;
	return result;
}

char *
burrow_server_property_of(const char *option)
{
	return exchange(option, '_', '.');
}

char *
burrow_server_option_of(const char *property)
{
	return exchange(property, '.', '_');
}

void
burrow_server_raise(const BurrowServerTrouble *trouble)
{
	ereport(ERROR,
			(errcode(trouble->sqlerrcode),
			 errmsg_internal("%s", trouble->message),
			 trouble->detail != NULL ? errdetail_internal("%s", trouble->detail) : 0,
			 trouble->hint != NULL ? errhint("%s", trouble->hint) : 0));
	pg_unreachable();
}

/* ---- the default ---- */

/* The value of burrow.default_server in an array "name=value"; NULL: it is not there. */
static char *
find_setting(ArrayType *settings)
{
	static const char prefix[] = "burrow.default_server=";
	Datum	   *elements;
	int			n;

	deconstruct_array(settings, TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL, &n);
	for (int i = 0; i < n; i++)
	{
		char	   *element = TextDatumGetCString(elements[i]);

		if (strncmp(element, prefix, strlen(prefix)) == 0)
			return element + strlen(prefix);
	}
	return NULL;
}

/*
 * What ALTER DATABASE ... SET has said; NULL: nothing.  A session has read it when it began, and
 * this one may be older than the statement.
 */
static char *
database_default(void)
{
	Relation	rel = table_open(DbRoleSettingRelationId, AccessShareLock);
	ScanKeyData key[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	char	   *value = NULL;

	ScanKeyInit(&key[0], Anum_pg_db_role_setting_setdatabase, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(MyDatabaseId));
	ScanKeyInit(&key[1], Anum_pg_db_role_setting_setrole, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(InvalidOid));
	scan = systable_beginscan(rel, DbRoleSettingDatidRolidIndexId, true, NULL, 2, key);
	while ((tuple = systable_getnext(scan)) != NULL)
	{
		bool		isnull;
		Datum		settings = heap_getattr(tuple, Anum_pg_db_role_setting_setconfig, RelationGetDescr(rel), &isnull);

		if (!isnull)
			value = find_setting(DatumGetArrayTypePCopy(settings));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return value;
}

static BurrowServer *
nameless(BurrowServerTrouble *trouble)
{
	BurrowServer *server;

	if (burrow_bootstrap_servers == NULL || burrow_bootstrap_servers[0] == '\0')
	{
		*trouble = (BurrowServerTrouble) {
			.sqlerrcode = ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
				.what = BURROW_SERVER_MISSING,
				.message = "no Kafka brokers are configured",
				.hint = "Name a foreign server, set burrow.default_server for the database, or set burrow.bootstrap_servers to \"host:port\" of one or more brokers and reload the configuration.",
		};
		return NULL;
	}
	server = palloc0(sizeof(BurrowServer));
	server->nproperties = 1;
	server->properties = palloc0(sizeof(BurrowKafkaProperty));
	server->properties[0].name = pstrdup("bootstrap.servers");
	server->properties[0].value = pstrdup(burrow_bootstrap_servers);
	server->text = psprintf("nameless\n%s", burrow_bootstrap_servers);
	return server;
}

/* ---- a foreign server ---- */

/* InvalidOid: the role has no mapping, and PUBLIC neither. */
static List *
mapping_options(Oid owner, Oid serverid, bool *found)
{
	HeapTuple	tuple = SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(owner), ObjectIdGetDatum(serverid));
	List	   *options = NIL;
	Datum		datum;
	bool		isnull;

	if (!HeapTupleIsValid(tuple))
		tuple = SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(InvalidOid), ObjectIdGetDatum(serverid));
	*found = HeapTupleIsValid(tuple);
	if (!*found)
		return NIL;
	datum = SysCacheGetAttr(USERMAPPINGUSERSERVER, tuple, Anum_pg_user_mapping_umoptions, &isnull);
	if (!isnull)
		options = untransformRelOptions(datum);
	ReleaseSysCache(tuple);
	return options;
}

const char *
burrow_server_property(const BurrowServer *server, const char *name)
{
	for (int i = 0; i < server->nproperties; i++)
		if (strcmp(server->properties[i].name, name) == 0)
			return server->properties[i].value;
	return NULL;
}

static bool
has(const BurrowServer *server, const char *name)
{
	const char *value = burrow_server_property(server, name);

	return value != NULL && value[0] != '\0';
}

/* Adds options as properties; the text tells the lists apart. */
static void
add_options(BurrowServer *server, const List *options, const char *title, StringInfo text, bool *password_required)
{
	ListCell   *cell;

	appendStringInfo(text, "%s\n", title);
	foreach(cell, options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		appendStringInfo(text, "%s=%s\n", option->defname, defGetString(option));
		if (strcmp(option->defname, BURROW_PASSWORD_REQUIRED) == 0)
		{
			*password_required = defGetBoolean(option);
			continue;
		}
		server->properties[server->nproperties].name = burrow_server_property_of(option->defname);
		server->properties[server->nproperties].value = pstrdup(defGetString(option));
		server->nproperties++;
	}
}

/*
 * Options of the mapping that are missing although the server asks for credentials, as a text; NULL: none
 * is missing.
 */
static const char *
missing_credentials(const BurrowServer *server)
{
	const char *protocol = burrow_server_property(server, "security.protocol");
	const char *mechanism = burrow_server_property(server, "sasl.mechanism");

	if (protocol == NULL || pg_strncasecmp(protocol, "sasl", 4) != 0)
		return NULL;
	if (mechanism == NULL)
		mechanism = burrow_server_property(server, "sasl.mechanisms");
	if (mechanism != NULL && (pg_strcasecmp(mechanism, "PLAIN") == 0 || pg_strncasecmp(mechanism, "SCRAM-", 6) == 0))
		return has(server, "sasl.username") && has(server, "sasl.password") ? NULL :
			"sasl_username and sasl_password";
	if (mechanism != NULL && pg_strcasecmp(mechanism, "OAUTHBEARER") == 0)
		return ((has(server, "sasl.oauthbearer.client.id") || has(server, "sasl.oauthbearer.client.credentials.client.id")) &&
				(has(server, "sasl.oauthbearer.client.secret") || has(server, "sasl.oauthbearer.client.credentials.client.secret"))) ||
			has(server, "sasl.oauthbearer.assertion.private.key.pem") ? NULL :
			"sasl_oauthbearer_client_id and sasl_oauthbearer_client_secret";
	return has(server, "sasl.kerberos.principal") && has(server, "sasl.kerberos.keytab") ? NULL :
		"sasl_kerberos_principal and sasl_kerberos_keytab";
}

/* By name; NULL, and the trouble: there is none, or it is another wrapper's. */
static ForeignServer *
find_foreign_server(const char *name, bool is_default, BurrowServerTrouble *trouble)
{
	ForeignServer *foreign = GetForeignServerByName(name, true);

	if (foreign != NULL && strcmp(GetForeignDataWrapper(foreign->fdwid)->fdwname, BURROW_WRAPPER) == 0)
		return foreign;
	*trouble = (BurrowServerTrouble) {
		.sqlerrcode = foreign == NULL ? ERRCODE_UNDEFINED_OBJECT : ERRCODE_WRONG_OBJECT_TYPE,
			.what = BURROW_SERVER_MISSING,
			.message = psprintf(foreign == NULL ? "server \"%s\" does not exist" :
								"server \"%s\" is not of foreign data wrapper \"%s\"", name, BURROW_WRAPPER),
			.detail = is_default ? "The setting burrow.default_server names it." : NULL,
			.hint = psprintf("Use CREATE SERVER ... FOREIGN DATA WRAPPER %s OPTIONS (bootstrap_servers 'host:port').",
							 BURROW_WRAPPER),
	};
	return NULL;
}

static BurrowServer *
named(Oid owner, const char *name, bool is_default, BurrowServerTrouble *trouble)
{
	ForeignServer *foreign = find_foreign_server(name, is_default, trouble);
	BurrowServer *server;
	StringInfoData text;
	List	   *options;
	const char *missing;
	bool		found;
	bool		password_required = true;
	char	   *role = GetUserNameFromId(owner, true);

	if (foreign == NULL)
		return NULL;
	role = role != NULL ? (char *) quote_identifier(role) : psprintf("%u", owner);
	if (burrow_foreign_server_aclcheck(foreign->serverid, owner, ACL_USAGE) != ACLCHECK_OK)
	{
		*trouble = (BurrowServerTrouble) {
			.sqlerrcode = ERRCODE_INSUFFICIENT_PRIVILEGE,
				.what = BURROW_SERVER_DENIED,
				.statement = psprintf("GRANT USAGE ON FOREIGN SERVER %s TO %s;", quote_identifier(name), role),
				.message = psprintf("permission denied for foreign server %s", name),
				.detail = psprintf("Role %s, which is to connect, needs the privilege USAGE.", role),
				.hint = psprintf("Use GRANT USAGE ON FOREIGN SERVER %s TO %s.", quote_identifier(name), role),
		};
		return NULL;
	}

	options = mapping_options(owner, foreign->serverid, &found);
	server = palloc0(sizeof(BurrowServer));
	server->name = pstrdup(name);
	server->properties = palloc0(sizeof(BurrowKafkaProperty) *
								 (list_length(foreign->options) + list_length(options) + 1));
	initStringInfo(&text);
	add_options(server, foreign->options, name, &text, &password_required);
	add_options(server, options, "user", &text, &password_required);
	server->text = text.data;

	missing = superuser_arg(owner) || !password_required ? NULL : missing_credentials(server);
	if (found && missing == NULL)
		return server;
	*trouble = (BurrowServerTrouble) {
		.sqlerrcode = found ? ERRCODE_S_R_E_PROHIBITED_SQL_STATEMENT_ATTEMPTED : ERRCODE_UNDEFINED_OBJECT,
			.what = BURROW_SERVER_CREDENTIALS,
			.statement = found || missing_credentials(server) != NULL ? NULL :
			psprintf("CREATE USER MAPPING FOR %s SERVER %s;", role, quote_identifier(name)),
			.message = psprintf(found ? "credentials are required for role %s and server \"%s\"" :
								"user mapping not found for role %s and server \"%s\"", role, name),
			.detail = found ? psprintf("The user mapping of a role that is not a superuser must have options %s.", missing) :
			"The role's user mapping, or that of PUBLIC, says who connects to Kafka.",
			.hint = psprintf("Use %s USER MAPPING FOR %s SERVER %s%s.", found ? "ALTER" : "CREATE", role, quote_identifier(name),
							 missing_credentials(server) == NULL ? "" :
							 " OPTIONS (...)"),
	};
	return NULL;
}

BurrowServer *
burrow_server_find(Oid owner, const char *name, BurrowServerTrouble *trouble)
{
	char	   *of_database;
	const char *standard;
	BurrowServer *server;

	memset(trouble, 0, sizeof(*trouble));
	if (name != NULL)
		return named(owner, name, false, trouble);
	of_database = database_default();
	standard = of_database != NULL ? of_database : burrow_default_server;
	server = standard[0] != '\0' ? named(owner, standard, true, trouble) : nameless(trouble);
	/* where the statement is taken back, the process has still read it when it began */
	if (server != NULL)
		server->text = psprintf("%s\n%s", of_database != NULL ? of_database : "", server->text);
	return server;
}
