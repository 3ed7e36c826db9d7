/*
 * server_options.c
 *	  The validator of foreign data wrapper "burrow", and what burrow.subscribe() asks of a server.
 *
 * PostgreSQL calls the validator with all options of an object as they would be afterwards.  So
 * who may not give an option may not change an object that has it, either: otherwise a server
 * whose certificate a superuser chose could be led to another address by its owner.
 *
 * Names and values are librdkafka's to judge, because they differ between its versions.
 *
 * Runs in: backends.
 */
#include "postgres.h"

#include "access/reloptions.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "api/server_options.h"
#include "catalog/nearest.h"
#include "catalog/server.h"
#include "compat.h"
#include "runtime/kafka_library.h"

PG_FUNCTION_INFO_V1(burrow_sql_validator);

#define MECHANISMS_ALLOWED "Valid values are PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER and, for superusers, GSSAPI."

/* ---- names ---- */

static void pg_attribute_noreturn()
refuse_unknown(const BurrowKafkaFunctions *kafka, const char *name)
{
	BurrowNearest nearest;
	const char *candidate;

	/* librdkafka's own spelling, too, finds the right one */
	burrow_nearest_init(&nearest, burrow_server_option_of(name));
	for (BurrowKafkaLevel level = BURROW_KAFKA_LEVEL_SERVER; level <= BURROW_KAFKA_LEVEL_USER; level++)
		for (int i = 0; (candidate = kafka->level_name(level, i)) != NULL; i++)
			burrow_nearest_offer(&nearest, burrow_server_option_of(candidate));
	burrow_nearest_offer(&nearest, BURROW_PASSWORD_REQUIRED);
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
			 errmsg("unrecognized option \"%s\"", name),
			 errdetail("Options are the properties of librdkafka %s, with underscores for dots.", kafka->version()),
			 nearest.best != NULL ? errhint("Perhaps you meant \"%s\".", nearest.best) :
			 errhint("Options of a foreign server say where Kafka is, such as \"bootstrap_servers\"; those of a user mapping say who the client is, such as \"sasl_username\".")));
	pg_unreachable();
}

static void pg_attribute_noreturn()
refuse_level(const char *option, BurrowKafkaLevel belongs)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
			 errmsg("option \"%s\" belongs to %s", option,
					belongs == BURROW_KAFKA_LEVEL_SERVER ? "a foreign server" :
					belongs == BURROW_KAFKA_LEVEL_USER ? "a user mapping" : "a subscription"),
			 belongs == BURROW_KAFKA_LEVEL_SERVER ?
			 errhint("Use CREATE SERVER or ALTER SERVER ... OPTIONS (%s ...).", option) :
			 belongs == BURROW_KAFKA_LEVEL_USER ?
			 errhint("Use CREATE USER MAPPING or ALTER USER MAPPING ... OPTIONS (%s ...).", option) :
			 errhint("Use burrow.subscribe(..., kafka => '{\"%s\": ...}').", burrow_server_property_of(option))));
	pg_unreachable();
}

static void
require_superuser(const char *option, const char *detail)
{
	bool		has_text = strcmp(option, "ssl_ca_location") == 0 || strcmp(option, "ssl_certificate_location") == 0 ||
	strcmp(option, "ssl_key_location") == 0;

	if (superuser())
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied to set option \"%s\"", option),
			 errdetail_internal("%s", detail),
			 has_text ? errhint("Give the file's text instead, by option \"%.*spem\".", (int) (strrchr(option, '_') + 1 - option), option) :
			 errhint("Leave it out, or have a superuser set it.")));
}

static void
check_name(const BurrowKafkaFunctions *kafka, const char *option, BurrowKafkaLevel level)
{
	char	   *property = burrow_server_property_of(option);
	BurrowKafkaPropertyClass class = kafka->classify(property);
	BurrowKafkaLevel belongs = kafka->level(property);

	if (strcmp(option, BURROW_PASSWORD_REQUIRED) == 0)
	{
		if (level != BURROW_KAFKA_LEVEL_USER)
			refuse_level(option, BURROW_KAFKA_LEVEL_USER);
		return;
	}
	if (class == BURROW_KAFKA_PROPERTY_UNKNOWN || strchr(option, '.') != NULL)
		refuse_unknown(kafka, option);
	if (class == BURROW_KAFKA_PROPERTY_NEVER)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("option \"%s\" cannot be set", option),
				 errdetail("Burrow sets it itself, or it is not safe inside a database server."),
				 errhint("Leave it out.")));
	if (belongs != level)
		refuse_level(option, belongs);
	if (class == BURROW_KAFKA_PROPERTY_SUPERUSER)
		require_superuser(option, "Only superusers may set it: it can open files of the server or lower its security.");
}

/* ---- values ---- */

/* "SASL_SSL://host:port" is what brokers write; another scheme is another program's. */
static bool
is_scheme(const char *text, size_t len)
{
	static const char *const schemes[] = {"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"};

	for (int i = 0; i < lengthof(schemes); i++)
		if (strlen(schemes[i]) == len && pg_strncasecmp(text, schemes[i], len) == 0)
			return true;
	return false;
}

/* A list of host:port; librdkafka leaves out what it cannot read, and goes on with the rest. */
static void
check_addresses(const char *option, const char *value)
{
	char	   *list = pstrdup(value);
	char	   *state = NULL;
	int			n = 0;

	for (char *address = strtok_r(list, ",", &state); address != NULL; address = strtok_r(NULL, ",", &state), n++)
	{
		char	   *host = address + strspn(address, " \t\r\n");
		char	   *scheme = strstr(host, "://");
		char	   *port;
		bool		is_known = scheme == NULL || is_scheme(host, scheme - host);

		host = scheme != NULL ? scheme + 3 : host;
		port = strrchr(host, ':');
		if (port != NULL && strchr(port, ']') != NULL)
			port = NULL;
		if (is_known && host[strcspn(host, ", \t\r\n/")] == '\0' && (host[0] != '[' || strchr(host, ']') != NULL) && host[0] != '\0' && host[0] != ':' &&
			(port == NULL || (strspn(port + 1, "0123456789") == strlen(port + 1) && atoi(port + 1) > 0 && atoi(port + 1) < 65536)))
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\": \"%s\"", option, burrow_option_clip(value)),
				 errdetail("This is not an address: \"%s\".", burrow_option_clip(address)),
				 errhint("Give \"host:port\" of one or more brokers, separated by commas.")));
	}
	if (n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\": \"%s\"", option, value),
				 errhint("Give \"host:port\" of one or more brokers, separated by commas.")));
}

/* librdkafka takes any word, and finds out when it connects. */
static void
check_mechanism(const char *option, const char *value)
{
	static const char *const mechanisms[] = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "GSSAPI"};
	bool		known = false;

	for (int i = 0; i < lengthof(mechanisms); i++)
		known |= strcmp(value, mechanisms[i]) == 0;
	if (!known)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\": \"%s\"", option, burrow_option_clip(value)),
				 errhint(MECHANISMS_ALLOWED)));
	if (strcmp(value, "GSSAPI") == 0)
		require_superuser(option, "Only superusers may set it to \"GSSAPI\", which runs a command of the server's.");
}

/* Is it in a list "a,b,c"? */
static bool
is_listed(const char *list, const char *word)
{
	return strstr(psprintf(",%s,", list), psprintf(",%s,", word)) != NULL;
}

/* Distributions leave things out of librdkafka, which takes the value all the same and fails when it connects. */
static void
check_library(const BurrowKafkaFunctions *kafka, const BurrowKafkaConf *conf, const char *option, const char *value)
{
	static const struct
	{
		const char *value;
		const char *feature;
		const char *needs;
	}			needs[] =

	{
		{"OAUTHBEARER", "oidc", "libcurl"},
		{"GSSAPI", "sasl_gssapi", "Cyrus SASL"},
		{"SCRAM-SHA-256", "sasl_scram", "OpenSSL"},
		{"SCRAM-SHA-512", "sasl_scram", "OpenSSL"},
		{"SSL", "ssl", "OpenSSL"},
		{"SASL_SSL", "ssl", "OpenSSL"},
	};
	char		features[BURROW_KAFKA_TEXT_MAX];

	if (!kafka->conf_get(conf, "builtin.features", features, sizeof(features)))
		return;
	for (int i = 0; i < lengthof(needs); i++)
		if (pg_strcasecmp(value, needs[i].value) == 0 && !is_listed(features, needs[i].feature))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("option \"%s\" cannot be \"%s\" with librdkafka %s as it is installed here", option, value, kafka->version()),
					 errdetail("It lacks the feature \"%s\"; it has: %s.", needs[i].feature, features),
					 errhint("Use a librdkafka that was built with %s, or another value.", needs[i].needs)));
}

/* librdkafka writes them into a command for the shell as they are, the keytab in double quotes. */
static void
check_shell_text(const char *option, const char *value)
{
	bool		is_keytab = strcmp(option, "sasl_kerberos_keytab") == 0;

	if (!is_keytab && strcmp(option, "sasl_kerberos_principal") != 0)
		return;
	if (value[0] != '\0' && value[0] != '-' && value[strcspn(value, is_keytab ? "\"`$\\!%\r\n" : "\"`$\\!%\r\n\t '&|;<>()*?[]{}#~=")] == '\0')
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for option \"%s\": \"%s\"", option, burrow_option_clip(value)),
			 errdetail("A shell would not take it as one word that means itself, and kinit is run by a shell."),
			 is_keytab ? errhint("Give the path of a file without special characters.") :
			 errhint("Give a principal such as \"reader@EXAMPLE.COM\".")));
}

/* What a value may mean that its name does not say; warnings are for the log, too. */
static void
check_meaning(const BurrowKafkaFunctions *kafka, const BurrowKafkaConf *conf, const char *option, const char *value)
{
	bool		no_names = strcmp(option, "ssl_endpoint_identification_algorithm") == 0 && pg_strcasecmp(value, "none") == 0;
	bool		no_certificates = strcmp(option, "enable_ssl_certificate_verification") == 0 && pg_strcasecmp(value, "false") == 0;

	if (strcmp(option, "sasl_mechanism") == 0 || strcmp(option, "sasl_mechanisms") == 0)
	{
		check_mechanism(option, value);
		check_library(kafka, conf, option, value);
	}
	if (strcmp(option, "security_protocol") == 0)
		check_library(kafka, conf, option, value);
	check_shell_text(option, value);
	if (no_names)
		require_superuser(option, "Only superusers may set it to \"none\": any certificate of a trusted authority would do for any broker.");
	if (strcmp(option, "bootstrap_servers") == 0 || strcmp(option, "metadata_broker_list") == 0)
		check_addresses(option, value);
	if (no_names || no_certificates)
		ereport(WARNING,
				(errmsg(no_names ? "the names in brokers' certificates are not verified" : "brokers' certificates are not verified"),
				 errdetail("Somebody between this server and the brokers could read and change what they say, and read the credentials."),
				 errhint("Leave out option \"%s\".", option)));
}

/* An empty text is somebody's mistake: librdkafka takes it for none, or sends it. */
static void
check_not_empty(const char *option, const char *value)
{
	if (value[0] != '\0')
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for option \"%s\": it is empty", option),
			 errhint("Leave it out, or take it back by OPTIONS (DROP %s).", option)));
}

static void
set_value(const BurrowKafkaFunctions *kafka, BurrowKafkaConf *conf, const char *option, const char *value)
{
	char		reason[BURROW_KAFKA_TEXT_MAX];
	char	   *property = burrow_server_property_of(option);

	if (kafka->conf_set(conf, property, value, reason))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 burrow_kafka_properties_is_secret(property) ?
			 errmsg("invalid value for option \"%s\"", option) :
			 errmsg("invalid value for option \"%s\": \"%s\"", option, burrow_option_clip(value)),
			 errdetail_internal("%s.", reason),
			 strcmp(option, "security_protocol") == 0 ? errhint("Valid values are PLAINTEXT, SSL, SASL_PLAINTEXT and SASL_SSL.") :
			 errhint("The values of \"%s\" are in the documentation of librdkafka's configuration.", property)));
}

/* What to give, of a text in PEM format. */
static const char *
pem_hint(const char *property)
{
	if (strcmp(property, "ssl.key.pem") == 0)
		return "Give the private key of \"ssl_certificate_pem\" as PEM text and, if it is encrypted, its passphrase as \"ssl_key_password\".";
	if (strcmp(property, "ssl.certificate.pem") == 0)
		return "Give the client's certificate, followed by those of its issuers, as PEM text, and its private key as \"ssl_key_pem\".";
	return "Give the certificates of the authorities that are trusted as PEM text.";
}

static void
check_pem(const BurrowKafkaFunctions *kafka, const BurrowKafkaConf *conf)
{
	char		reason[BURROW_KAFKA_TEXT_MAX];
	char		warning[BURROW_KAFKA_TEXT_MAX];
	const char *name;
	const char *hint;

	if (!kafka->conf_check_pem(conf, &name, reason, &hint, warning))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\": %s", burrow_server_option_of(name), reason),
				 errhint("%s", hint != NULL ? hint : pem_hint(name))));
	if (warning[0] != '\0')
		ereport(WARNING,
				(errmsg("option \"%s\": %s", burrow_server_option_of(name), warning)));
}

/* ---- all options of an object ---- */

static const char *
find_value(List *options, const char *name)
{
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, name) == 0)
			return defGetString(option);
	}
	return NULL;
}

/* One property has two names, and librdkafka would go by whichever comes last. */
static void
check_aliases(List *options, const char *name, const char *alias)
{
	if (find_value(options, name) == NULL || find_value(options, alias) == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
			 errmsg("options \"%s\" and \"%s\" cannot be used together", name, alias),
			 errdetail("They are two names of one property."),
			 errhint("Leave out \"%s\".", alias)));
}

static void
check_server(List *options)
{
	const char *protocol = find_value(options, "security_protocol");

	check_aliases(options, "bootstrap_servers", "metadata_broker_list");
	check_aliases(options, "sasl_mechanism", "sasl_mechanisms");
	if (find_value(options, "bootstrap_servers") == NULL && find_value(options, "metadata_broker_list") == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				 errmsg("option \"%s\" is missing", "bootstrap_servers"),
				 errhint("Give \"host:port\" of one or more brokers, separated by commas.")));
	/* librdkafka's own default is Kerberos, which nobody means who says nothing */
	if (protocol != NULL && pg_strncasecmp(protocol, "sasl", 4) == 0 &&
		find_value(options, "sasl_mechanism") == NULL && find_value(options, "sasl_mechanisms") == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				 errmsg("option \"%s\" needs option \"%s\"", "security_protocol", "sasl_mechanism"),
				 errdetail("The value of \"%s\" is \"%s\".", "security_protocol", protocol),
				 errhint(MECHANISMS_ALLOWED)));
}

/* Runs with conf open, so that the caller can free it whatever happens. */
static void
check_options(const BurrowKafkaFunctions *kafka, BurrowKafkaConf *conf, List *options, BurrowKafkaLevel level)
{
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		check_name(kafka, option->defname, level);
		if (strcmp(option->defname, BURROW_PASSWORD_REQUIRED) == 0)
		{
			if (!defGetBoolean(option))
				require_superuser(option->defname, "Only superusers may set it to \"false\", and change user mappings that have it so.");
			continue;
		}
		check_meaning(kafka, conf, option->defname, defGetString(option));
		set_value(kafka, conf, option->defname, defGetString(option));
		check_not_empty(option->defname, defGetString(option));
	}
	if (level == BURROW_KAFKA_LEVEL_SERVER)
		check_server(options);
	check_pem(kafka, conf);
}

static BurrowKafkaConf *
new_conf(const BurrowKafkaFunctions *kafka)
{
	BurrowKafkaConf *conf = kafka->conf_new();

	if (conf == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	return conf;
}

/* validator(options text[], catalog oid) */
Datum
burrow_sql_validator(PG_FUNCTION_ARGS)
{
	List	   *options = untransformRelOptions(PG_GETARG_DATUM(0));
	Oid			catalog = PG_GETARG_OID(1);
	BurrowKafkaLevel level = catalog == ForeignServerRelationId ? BURROW_KAFKA_LEVEL_SERVER :
	catalog == UserMappingRelationId ? BURROW_KAFKA_LEVEL_USER : BURROW_KAFKA_LEVEL_NONE;
	const BurrowKafkaFunctions *kafka;
	BurrowKafkaConf *conf;

	if (level == BURROW_KAFKA_LEVEL_NONE && catalog == ForeignDataWrapperRelationId && options == NIL)
		PG_RETURN_VOID();
	if (level == BURROW_KAFKA_LEVEL_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg(catalog == ForeignDataWrapperRelationId ? "foreign data wrapper \"%s\" has no options" :
						"foreign data wrapper \"%s\" has no foreign tables", BURROW_WRAPPER),
				 errhint("It has servers and user mappings, which burrow.subscribe() uses.")));
	if (level == BURROW_KAFKA_LEVEL_USER && options == NIL)
		PG_RETURN_VOID();

	kafka = burrow_kafka_library();
	conf = new_conf(kafka);
	PG_TRY();
	{
		check_options(kafka, conf, options, level);
	}
	PG_FINALLY();
	{
		kafka->conf_free(conf);
	}
	PG_END_TRY();
	PG_RETURN_VOID();
}

/* ---- a subscription ---- */

static void
check_together(const BurrowKafkaFunctions *kafka, BurrowKafkaConf *conf, const BurrowServer *server)
{
	char		reason[BURROW_KAFKA_TEXT_MAX];

	for (int i = 0; i < server->nproperties; i++)
		set_value(kafka, conf, burrow_server_option_of(server->properties[i].name), server->properties[i].value);
	check_pem(kafka, conf);
	if (!kafka->conf_check(conf, reason))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid combination of options of server \"%s\" and the user mapping: %s", server->name, reason),
				 errhint("Use ALTER SERVER or ALTER USER MAPPING ... OPTIONS (...).")));
}

void
burrow_server_options_check_use(Oid owner, const char *server)
{
	BurrowServerTrouble trouble;
	BurrowServer *found = burrow_server_find(owner, server, &trouble);
	const BurrowKafkaFunctions *kafka;
	BurrowKafkaConf *conf;

	if (found == NULL)
		burrow_server_raise(&trouble);
	/* that of the setting has nothing that could be wrong */
	if (found->name == NULL)
		return;
	kafka = burrow_kafka_library();
	conf = new_conf(kafka);
	PG_TRY();
	{
		check_together(kafka, conf, found);
	}
	PG_FINALLY();
	{
		kafka->conf_free(conf);
	}
	PG_END_TRY();
}
