/*
 * exporter.c
 *	  The process that answers Prometheus over HTTP.
 *
 * Runs in: a static background worker, from the server's start, where burrow.metrics_listen was set
 * then.  It is in no database and reads shared memory only: it answers while all else is stuck, on a standby, and
 * before recovery has ended.  So pg_stat_activity does not show it.
 *
 * Owns: its sockets.
 * Locking: burrow->lock, shared, while a snapshot is taken.
 *
 * HTTP is libmicrohttpd's, in a library of its own (src/http/), which no other process loads.  It has
 * no thread: this process waits for its latch and for the libraries' descriptors together.
 *
 * An address that cannot be had is a warning, once, and is tried again; so is a library that is not there, at
 * the next reload.
 */
#include "postgres.h"

#include <sys/stat.h>
#include <unistd.h>

#include "fmgr.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "burrow.h"
#include "compat.h"
#include "guc.h"
#include "exporter/listener.h"
#include "exporter/pages.h"
#include "runtime/bgw.h"
#include "shmem/registry.h"
#include "shmem/wait_events.h"

#define RETRY_MS		5000
#define RETRY_NAME_MS	60000	/* while the resolver is asked, nobody is answered */
#define TIMEOUT_S		10
#define ANSWER_WITHIN_S	30
#define MAX_CONNECTIONS	64		/* of one socket */
#define MAX_REQUEST		(16 * 1024)
#define MAX_FILE		(64 * 1024)

#define MAX_SERVERS		(BURROW_LISTEN_MAX * BURROW_LISTENER_SOCKETS)

/* One address of the setting. */
typedef struct Place
{
	BurrowListenAddress address;
	int			nservers;		/* 0: not open */
	BurrowHttpServer *servers[BURROW_LISTENER_SOCKETS];
	bool		told;			/* the log says that it cannot be had */
	TimestampTz retry_at;
} Place;

static const BurrowHttpFunctions *http; /* NULL: there is no library */
static MemoryContext settings_cxt;	/* what the settings say */
static char *certificate;		/* PEM; NULL: no TLS */
static char *private_key;
static int	nplaces;
static Place places[BURROW_LISTEN_MAX];
static WaitEventSet *wait_set;	/* NULL: to be made, servers have come or gone */

static const char *
place_name(const BurrowListenAddress *address)
{
	return address->is_path ? address->host :
		psprintf(strchr(address->host, ':') != NULL ? "[%s]:%s" : "%s:%s", address->host, address->port);
}

/* ---- the library ---- */

static void
load_library(void)
{
	MemoryContext old = CurrentMemoryContext;

	PG_TRY();
	{
		BurrowHttpEntry entry = (BurrowHttpEntry)
		load_external_function(BURROW_EXPORTER_LIBRARY, BURROW_HTTP_ENTRY, true, NULL);
		const BurrowHttpFunctions *loaded = entry();

		if (loaded->abi == BURROW_HTTP_ABI)
			http = loaded;
		else
			ereport(WARNING,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("library \"%s\" is of another version than library \"%s\"",
							BURROW_EXPORTER_LIBRARY, BURROW_LIBRARY),
					 errhint("Install both from one build of Burrow, and restart the server.")));
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(old);
		error = CopyErrorData();
		FlushErrorState();
		ereport(WARNING,
				(errcode(ERRCODE_UNDEFINED_FILE),
				 errmsg("burrow.metrics_listen is set, and there is nothing to listen with: %s", error->message),
				 errhint("Build Burrow where libmicrohttpd's headers are installed, and reload the configuration.")));
		FreeErrorData(error);
	}
	PG_END_TRY();
}

/* ---- servers ---- */

/* The library says that it is broken; nothing of it is called again. */
static void
panic(const char *reason)
{
	ereport(FATAL,
			(errcode(ERRCODE_INTERNAL_ERROR),
			 errmsg("the HTTP library has failed: %s", reason)));
}

static void
close_place(Place *place)
{
	for (int i = 0; i < place->nservers; i++)
		http->close(place->servers[i]);
	if (place->nservers > 0 && place->address.is_path)
		(void) unlink(place->address.host);
	place->nservers = 0;
	if (wait_set != NULL)
		FreeWaitEventSet(wait_set);
	wait_set = NULL;
}

/* NULL: it is open; otherwise why not, and *retry_ms may become more. */
static const char *
try_place(Place *place, int *retry_ms)
{
	BurrowHttpConf conf = {
		.max_connections = MAX_CONNECTIONS,
		.timeout_s = TIMEOUT_S,
		.answer_within_s = ANSWER_WITHIN_S,
		.max_request = MAX_REQUEST,
		.certificate = certificate,
		.key = private_key,
		.answer = burrow_pages_answer,
		.panic = panic,
	};
	int			sockets[BURROW_LISTENER_SOCKETS];
	const char *why = NULL;
	int			n = burrow_listener_open(&place->address, sockets, &why);

	if (n < 0)
		*retry_ms = RETRY_NAME_MS;
	for (int i = 0; i < n; i++)
	{
		conf.socket = sockets[i];
		place->servers[place->nservers] = http->open(&conf);
		if (place->servers[place->nservers] != NULL)
		{
			place->nservers++;
			continue;
		}
		while (i < n)
			close(sockets[i++]);
		close_place(place);
		return certificate != NULL ? "the HTTP library does not take the certificate with its key" :
			"the HTTP library could not use the socket";
	}
	return n > 0 ? NULL : why != NULL ? why : "it stands for no address";
}

static void
open_place(Place *place)
{
	int			retry_ms = RETRY_MS;
	const char *why = try_place(place, &retry_ms);

	if (why == NULL)
	{
		if (wait_set != NULL)
			FreeWaitEventSet(wait_set);
		wait_set = NULL;
		place->told = false;
		ereport(LOG, (errmsg("burrow exporter listens on %s", place_name(&place->address))));
		return;
	}
	place->retry_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), retry_ms);
	if (!place->told)
		ereport(WARNING,
				(errcode(ERRCODE_CANNOT_CONNECT_NOW),
				 errmsg("could not listen on %s for metrics: %s", place_name(&place->address), why),
				 errdetail("It is tried again every %d s.", retry_ms / 1000)));
	place->told = true;
}

static void
open_all(TimestampTz now)
{
	for (Place *place = places; place < places + nplaces; place++)
	{
		if (place->nservers == 0 && place->retry_at <= now)
			open_place(place);
	}
}

static void
close_all(void)
{
	for (Place *place = places; place < places + nplaces; place++)
		close_place(place);
	nplaces = 0;
}

/* ---- settings ---- */

/* The contents of a file; NULL: it cannot be read, and the log says so. */
static char *
read_file(const char *setting, const char *path)
{
	char	   *text = palloc(MAX_FILE + 1);
	int			fd = OpenTransientFile(path, O_RDONLY);
	ssize_t		len = fd < 0 ? -1 : read(fd, text, MAX_FILE);

	if (len < 0)
		ereport(WARNING,
				(errcode_for_file_access(),
				 errmsg("could not read file \"%s\" of %s: %m", path, setting)));
	if (fd >= 0)
		CloseTransientFile(fd);
	if (len < 0)
		return NULL;
	text[len] = '\0';
	return text;
}

/* False: it is set, and is of no use: then nothing is opened, rather than without it. */
static bool
read_setting_file(const char *setting, const char *path, char **text)
{
	*text = NULL;
	if (path[0] == '\0')
		return true;
	*text = read_file(setting, path);
	if (*text != NULL && strspn(*text, " \t\r\n") == strlen(*text))
	{
		ereport(WARNING,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("file \"%s\" of %s is empty", path, setting)));
		*text = NULL;
	}
	return *text != NULL;
}

static bool
read_token(void)
{
	char	   *token;

	if (!read_setting_file("burrow.metrics_token_file", burrow_metrics_token_file, &token))
		return false;
	if (token != NULL)
	{
		/* editors end a line */
		token += strspn(token, " \t\r\n");
		token[strcspn(token, " \t\r\n")] = '\0';
	}
	burrow_pages_set_token(token);
	return true;
}

static bool
read_certificate(void)
{
	if (!read_setting_file("burrow.metrics_tls_cert_file", burrow_metrics_tls_cert_file, &certificate) ||
		!read_setting_file("burrow.metrics_tls_key_file", burrow_metrics_tls_key_file, &private_key))
		return false;
	if ((certificate == NULL) == (private_key == NULL) && (certificate == NULL || http->has_tls()))
		return true;
	ereport(WARNING,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 certificate != NULL && private_key != NULL ?
			 errmsg("libmicrohttpd was built without TLS") :
			 errmsg("burrow.metrics_tls_cert_file and burrow.metrics_tls_key_file go together")));
	return false;
}

/*
 * All is closed and opened again, whatever has changed: a reload is rare, and a file may hold
 * something else under the same name.  Whoever scrapes just then tries again.
 */
static void
apply_settings(void)
{
	MemoryContext old = MemoryContextSwitchTo(settings_cxt);
	BurrowListenAddress addresses[BURROW_LISTEN_MAX];
	const char *wrong;
	int			n = burrow_listen_address_read(burrow_metrics_listen, addresses, &wrong);

	if (http == NULL && n > 0)
		load_library();
	if (http != NULL)
	{
		close_all();
		burrow_pages_set_token(NULL);
		MemoryContextReset(settings_cxt);
		if (n > 0 && read_token() && read_certificate())
		{
			memset(places, 0, sizeof(places));
			for (nplaces = 0; nplaces < n; nplaces++)
				places[nplaces].address = addresses[nplaces];
		}
	}
	MemoryContextSwitchTo(old);
}

/* ---- the loop ---- */

/* Milliseconds; -1: there is nothing to wait for but an event. */
static long
time_to_wait(TimestampTz now)
{
	long		wait_ms = -1;

	for (Place *place = places; place < places + nplaces; place++)
	{
		if (place->nservers == 0)
		{
			long		ms = TimestampDifferenceMilliseconds(now, place->retry_at);

			wait_ms = wait_ms < 0 ? ms : Min(wait_ms, ms);
		}
		for (int i = 0; i < place->nservers; i++)
		{
			long		ms = http->timeout_ms(place->servers[i]);

			if (ms >= 0)
				wait_ms = wait_ms < 0 ? ms : Min(wait_ms, ms);
		}
	}
	return wait_ms;
}

static void
make_wait_set(void)
{
	wait_set = burrow_create_wait_event_set(MAX_SERVERS + 2);
	AddWaitEventToSet(wait_set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(wait_set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	for (Place *place = places; place < places + nplaces; place++)
	{
		for (int i = 0; i < place->nservers; i++)
			AddWaitEventToSet(wait_set, WL_SOCKET_READABLE, http->descriptor(place->servers[i]), NULL, NULL);
	}
}

static void
run_servers(void)
{
	for (Place *place = places; place < places + nplaces; place++)
	{
		for (int i = 0; i < place->nservers; i++)
			http->run(place->servers[i]);
	}
}

void
burrow_exporter_main(Datum arg)
{
	MemoryContext turn_cxt = AllocSetContextCreate(TopMemoryContext, "burrow exporter", ALLOCSET_DEFAULT_SIZES);

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();

	settings_cxt = AllocSetContextCreate(TopMemoryContext, "burrow exporter settings", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(turn_cxt);
	apply_settings();
	while (!ShutdownRequestPending)
	{
		WaitEvent	event;
		TimestampTz now = GetCurrentTimestamp();

		open_all(now);
		if (wait_set == NULL)
			make_wait_set();
		(void) WaitEventSetWait(wait_set, time_to_wait(now), &event, 1, burrow_wait_event(BURROW_WAIT_EXPORTER));
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			apply_settings();
		}
		run_servers();
		MemoryContextReset(turn_cxt);
	}
	close_all();
	/* not 0, with which the postmaster would forget it */
	proc_exit(1);
}
