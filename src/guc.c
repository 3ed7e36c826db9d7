/*
 * guc.c
 *	  Burrow's settings.
 *
 * Runs in: the postmaster, from _PG_init; other processes inherit the values.
 */
#include "postgres.h"

#include <limits.h>

#include "utils/guc.h"

#include "burrow.h"
#include "guc.h"
#include "core/listen_address.h"
#include "core/trace_context.h"

int			burrow_max_subscriptions = 64;
int			burrow_max_workers = 1024;
int			burrow_max_partitions = 4096;
bool		burrow_enabled = true;
char	   *burrow_bootstrap_servers = "";
char	   *burrow_default_server = "";
int			burrow_worker_queue_size = 64;
int			burrow_max_receive_message_bytes = 100000000;
int			burrow_max_subscriptions_per_role = 32;
int			burrow_max_workers_per_subscription = -1;
int			burrow_max_workers_per_role = -1;
int			burrow_max_looks_per_role = 2;
int			burrow_max_memory_per_subscription = 1024 * 1024;
int			burrow_max_options_size = 64;
char	   *burrow_metrics_listen = "";
char	   *burrow_metrics_token_file = "";
char	   *burrow_metrics_tls_cert_file = "";
char	   *burrow_metrics_tls_key_file = "";
bool		burrow_has_exporter = false;
bool		burrow_metrics_per_partition = false;
int			burrow_audit_retention = 90 * 24 * 3600;
int			burrow_stalled_after = 60;
char	   *burrow_traceparent = "";
char	   *burrow_tracestate = "";

/* Sizes of shared memory: they cannot change while the server runs. */
static void
define_sizes(void)
{
	DefineCustomIntVariable("burrow.max_subscriptions",
							"Sets the maximum number of subscriptions in all databases together.",
							"Each takes about 60 kB of shared memory, whether it runs or not.",
							&burrow_max_subscriptions, 64, 1, 1000,
							PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("burrow.max_workers",
							"Sets the maximum number of workers of all subscriptions together.",
							"Workers are background workers, so max_worker_processes limits them too.",
							&burrow_max_workers, 1024, 1, 10000,
							PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("burrow.max_partitions",
							"Sets the maximum number of partitions that are consumed at a time.",
							"Each takes about 650 bytes of shared memory.",
							&burrow_max_partitions, 4096, 1, 100000,
							PGC_POSTMASTER, 0, NULL, NULL, NULL);
}

/* What roles may take. */
static void
define_ceilings(void)
{
	DefineCustomIntVariable("burrow.max_subscriptions_per_role",
							"Sets the maximum number of subscriptions of one role, in all databases together.",
							"-1 sets none. Superusers may have more.",
							&burrow_max_subscriptions_per_role, 32, -1, INT_MAX,
							PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("burrow.max_workers_per_subscription",
							"Sets the maximum of the option workers.",
							"-1 sets none.",
							&burrow_max_workers_per_subscription, -1, -1, 10000,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("burrow.max_workers_per_role",
							"Sets the maximum number of workers of all subscriptions of one role together.",
							"-1 sets none.",
							&burrow_max_workers_per_role, -1, -1, 10000,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("burrow.max_looks_per_role",
							"Sets the maximum number of dry runs and looks at Kafka of one role at a time.",
							"-1 sets none. Superusers may have more.",
							&burrow_max_looks_per_role, 2, -1, 1000,
							PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("burrow.max_memory_per_subscription",
							"Sets the maximum memory that the options of one subscription may allow it.",
							"-1 sets none. Superusers may allow more.",
							&burrow_max_memory_per_subscription, 1024 * 1024, -1, INT_MAX,
							PGC_SUSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("burrow.max_options_size",
							"Sets the maximum size of one option of a subscription, and of all together.",
							NULL,
							&burrow_max_options_size, 64, 8, 1024 * 1024,
							PGC_SUSET, GUC_UNIT_KB, NULL, NULL, NULL);
}

static bool
check_metrics_listen(char **newval, void **extra, GucSource source)
{
	BurrowListenAddress addresses[BURROW_LISTEN_MAX];
	const char *wrong;

	if (burrow_listen_address_read(*newval, addresses, &wrong) >= 0)
		return true;
	GUC_check_errdetail("At \"%s\": up to %d of host:port, [address]:port, *:port, :port and /path are allowed.",
						wrong, BURROW_LISTEN_MAX);
	return false;
}

static void
define_metrics(void)
{
	DefineCustomStringVariable("burrow.metrics_listen",
							   "Sets where the exporter answers Prometheus over HTTP.",
							   "A list of host:port and /path, separated by commas. Empty when the server starts: there is no exporter.",
							   &burrow_metrics_listen, "",
							   PGC_SIGHUP, 0, check_metrics_listen, NULL, NULL);
	DefineCustomStringVariable("burrow.metrics_token_file",
							   "Names a file with a token that requests to the exporter must bring.",
							   NULL,
							   &burrow_metrics_token_file, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomStringVariable("burrow.metrics_tls_cert_file",
							   "Names the file with the exporter's certificate; without it there is no TLS.",
							   NULL,
							   &burrow_metrics_tls_cert_file, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomStringVariable("burrow.metrics_tls_key_file",
							   "Names the file with the key of the exporter's certificate.",
							   NULL,
							   &burrow_metrics_tls_key_file, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomBoolVariable("burrow.metrics_per_partition",
							 "Has the metrics show each partition by itself.",
							 "Each has a few time series then, for as long as Prometheus keeps them.",
							 &burrow_metrics_per_partition, false,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
}

static bool
check_traceparent(char **newval, void **extra, GucSource source)
{
	char		parent[BURROW_TRACE_PARENT_SIZE];

	if (**newval == '\0' ||
		(burrow_trace_context_read_parent(*newval, strlen(*newval), parent) && strcmp(*newval, parent) == 0))
		return true;
	GUC_check_errdetail("It is 00, a trace's 32 hexadecimal digits, a parent's 16 and two of flags, with dashes between them.");
	return false;
}

static bool
check_tracestate(char **newval, void **extra, GucSource source)
{
	char		state[BURROW_TRACE_STATE_SIZE];

	if (burrow_trace_context_read_state(*newval, strlen(*newval), state))
		return true;
	GUC_check_errdetail("It is a list of up to 32 key=value, separated by commas, of up to %d characters.",
						BURROW_TRACE_STATE_SIZE - 1);
	return false;
}

/* What a worker tells the handler; who tries a handler by hand may set it, too. */
static void
define_trace(void)
{
	DefineCustomStringVariable("burrow.traceparent",
							   "Shows the trace that the message in hand belongs to.",
							   "It is taken from the message's headers: see W3C Trace Context.",
							   &burrow_traceparent, "",
							   PGC_USERSET, GUC_NOT_IN_SAMPLE | GUC_DISALLOW_IN_FILE, check_traceparent, NULL, NULL);
	DefineCustomStringVariable("burrow.tracestate",
							   "Shows what tracing systems have added to the trace of the message in hand.",
							   NULL,
							   &burrow_tracestate, "",
							   PGC_USERSET, GUC_NOT_IN_SAMPLE | GUC_DISALLOW_IN_FILE, check_tracestate, NULL, NULL);
}

void
burrow_guc_define(void)
{
	define_sizes();
	define_ceilings();
	DefineCustomBoolVariable("burrow.enabled",
							 "Runs the subscriptions of this server.",
							 "Turn it off on a copy of a server that must not consume what the original consumes.",
							 &burrow_enabled, true,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("burrow.bootstrap_servers",
							   "Sets the Kafka brokers of subscriptions that name no foreign server.",
							   "A list of host:port, separated by commas.",
							   &burrow_bootstrap_servers, "",
							   PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("burrow.default_server",
							   "Sets the foreign server of subscriptions that name none.",
							   "It is meant to be set for a database: ALTER DATABASE ... SET.",
							   &burrow_default_server, "",
							   PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("burrow.worker_queue_size",
							"Sets the least size of the queue from a consumer to a worker.",
							"With a large batch_size it is larger. What does not fit goes through in pieces.",
							&burrow_worker_queue_size, 64, 16, 16384,
							PGC_SIGHUP, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("burrow.max_receive_message_bytes",
							"Sets the upper limit of the Kafka property receive.message.max.bytes.",
							NULL,
							&burrow_max_receive_message_bytes, 100000000, 1048576, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_BYTE, NULL, NULL, NULL);
	DefineCustomIntVariable("burrow.audit_retention",
							"Sets how long entries of burrow.audit are kept.",
							"-1 keeps them for ever, 0 writes none.",
							&burrow_audit_retention, 90 * 24 * 3600, -1, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("burrow.stalled_after",
							"Sets how long messages may be there without coming before a subscription is \"stalled\".",
							"Then it gets a new Kafka client, once. 0 turns that off.",
							&burrow_stalled_after, 60, 0, 86400,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	define_metrics();
	define_trace();
	MarkGUCPrefixReserved("burrow");
}
