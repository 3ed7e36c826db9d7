/*
 * server.c
 *	  An HTTP server by libmicrohttpd.
 *
 * Runs in: the exporter.
 *
 * Without a thread of libmicrohttpd's (PostgreSQL's processes have one), and without its epoll loop
 * either: a server's epoll descriptor stands for its sockets, the exporter waits for that one, and
 * MHD_run() does what can be done without waiting.
 *
 * What bounds the memory: connections have a number, each a fixed amount for its request, and
 * an answer is made when the request is complete.
 *
 * libmicrohttpd ends a connection on which nothing happens for a while.  One on which a little happens, again
 * and again, would keep its place for ever; so there is a list of connections with the time of their last answer,
 * and a socket that takes too long is shut down under libmicrohttpd, which finds its end then.  When all places
 * are taken, the one that has waited for the longest gives its place to the newcomer: whoever opens many
 * connections and says nothing keeps nobody out, whereas in a queue of the kernel's all would wait.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <microhttpd.h>

#include "http/server.h"

/* Bytes that are read at a time, where more than that would have to grow a buffer. */
#define MEMORY_INCREMENT	1024

/* One connection.  Newest first, since an answer moves it to the front. */
typedef struct Peer
{
	struct Peer *next;
	struct Peer *previous;
	int			socket;
	time_t		since;			/* it came, or was answered */
	bool		ended;			/* its socket was shut down */
} Peer;

struct BurrowHttpServer
{
	struct MHD_Daemon *daemon;
	int			descriptor;
	unsigned	answer_within_s;
	unsigned	max_connections;
	unsigned	nlive;			/* peers that have not ended */
	Peer		peers;			/* head of the list */
	void		(*answer) (const BurrowHttpRequest *request, BurrowHttpAnswer *answer);
};

static void (*panic_function) (const char *reason);

static void
panic(void *arg, const char *file, unsigned line, const char *reason)
{
	panic_function(reason != NULL ? reason : "no reason given");
	abort();
}

/* Nobody is told of what strangers send. */
static void
ignore_log(void *arg, const char *format, va_list arguments)
{
}

static const char *
field(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static const char *
parameter(const BurrowHttpRequest *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

/* ---- connections ---- */

static time_t
now_s(void)
{
	struct timespec now;

	(void) clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static void
unlink_peer(Peer *peer)
{
	peer->previous->next = peer->next;
	peer->next->previous = peer->previous;
}

static void
push_peer(BurrowHttpServer *server, Peer *peer)
{
	peer->next = server->peers.next;
	peer->previous = &server->peers;
	peer->next->previous = peer;
	server->peers.next = peer;
	peer->since = now_s();
}

static void
end_peer(BurrowHttpServer *server, Peer *peer)
{
	if (peer->ended)
		return;
	peer->ended = true;
	server->nlive--;
	(void) shutdown(peer->socket, SHUT_RDWR);
}

/* The one that has waited for the longest; the list's head: there is none. */
static Peer *
oldest_peer(const BurrowHttpServer *server)
{
	Peer	   *peer = server->peers.previous;

	while (peer != &server->peers && peer->ended)
		peer = peer->previous;
	return peer;
}

static void
connection_changed(void *arg, struct MHD_Connection *connection, void **context, enum MHD_ConnectionNotificationCode code)
{
	BurrowHttpServer *server = arg;
	Peer	   *peer = *context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED)
	{
		/* without memory for it, it goes unwatched */
		peer = calloc(1, sizeof(Peer));
		*context = peer;
		if (peer == NULL)
			return;
		peer->socket = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
		if (server->nlive >= server->max_connections)
			end_peer(server, oldest_peer(server));
		push_peer(server, peer);
		server->nlive++;
	}
	else if (peer != NULL)
	{
		server->nlive -= !peer->ended;
		unlink_peer(peer);
		free(peer);
		*context = NULL;
	}
}

static void
request_completed(void *arg, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode code)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	Peer	   *peer = info != NULL ? info->socket_context : NULL;

	*state = NULL;
	if (peer == NULL)
		return;
	unlink_peer(peer);
	push_peer(arg, peer);
}

/* Seconds until the oldest connection has had its time; 0: it has; -1: there is none. */
static long
time_left(const BurrowHttpServer *server, const Peer *peer)
{
	time_t		age = now_s() - peer->since;

	if (peer == &server->peers)
		return -1;
	return age >= (time_t) server->answer_within_s ? 0 : (long) (server->answer_within_s - age);
}

static void
end_slow_connections(BurrowHttpServer *server)
{
	for (Peer *peer = oldest_peer(server); time_left(server, peer) == 0; peer = oldest_peer(server))
		end_peer(server, peer);
}

/* ---- requests ---- */

static enum MHD_Result
send_answer(struct MHD_Connection *connection, const BurrowHttpAnswer *answer, const char *allow)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(answer->len, (void *) answer->body, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result result;

	if (response == NULL)
		return MHD_NO;
	(void) MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->type);
	(void) MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	(void) MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	(void) MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
	if (answer->policy != NULL)
		(void) MHD_add_response_header(response, "Content-Security-Policy", answer->policy);
	for (int i = 0; i < 2 && answer->authenticate[i] != NULL; i++)
		(void) MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, answer->authenticate[i]);
	if (allow != NULL)
		(void) MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow);
	result = MHD_queue_response(connection, answer->status, response);
	MHD_destroy_response(response);
	return result;
}

/* The connection ends with this answer, so that nobody reads the body that may follow. */
static enum MHD_Result
refuse(struct MHD_Connection *connection, unsigned status, const char *text, const char *allow)
{
	BurrowHttpAnswer answer = {.status = status, .type = "text/plain; charset=utf-8", .body = text, .len = strlen(text)};

	return send_answer(connection, &answer, allow);
}

static bool
has_body(struct MHD_Connection *connection)
{
	const char *length = field(connection, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return field(connection, MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL || (length != NULL && strcmp(length, "0") != 0);
}

/*
 * libmicrohttpd calls it first when the header is complete, and again when the request is.  An answer at
 * the first call closes the connection.
 */
static enum MHD_Result
handle(void *arg, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
	   const char *upload, size_t *upload_size, void **state)
{
	static char begun;
	BurrowHttpServer *server = arg;
	BurrowHttpRequest request = {.path = url, .parameter = parameter, .connection = connection};
	BurrowHttpAnswer answer = {.status = MHD_HTTP_INTERNAL_SERVER_ERROR, .type = "text/plain; charset=utf-8", .body = ""};

	if (*state == NULL)
	{
		*state = &begun;
		if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
			return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD are answered\n", "GET, HEAD");
		if (has_body(connection))
			return refuse(connection, MHD_HTTP_BAD_REQUEST, "a request has no body here\n", NULL);
		return MHD_YES;
	}
	if (*upload_size != 0)
		return MHD_NO;
	request.accept = field(connection, MHD_HTTP_HEADER_ACCEPT);
	request.authorization = field(connection, MHD_HTTP_HEADER_AUTHORIZATION);
	server->answer(&request, &answer);
	return send_answer(connection, &answer, NULL);
}

BurrowHttpServer *
burrow_http_open(const BurrowHttpConf *conf)
{
	BurrowHttpServer *server = calloc(1, sizeof(BurrowHttpServer));
	unsigned	flags = MHD_USE_EPOLL | MHD_USE_ERROR_LOG;
	const union MHD_DaemonInfo *info;
	struct MHD_OptionItem tls[] = {
		{MHD_OPTION_HTTPS_MEM_CERT, 0, (void *) conf->certificate},
		{MHD_OPTION_HTTPS_MEM_KEY, 0, (void *) conf->key},
		{MHD_OPTION_END, 0, NULL}
	};
	struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};

	if (server == NULL)
		return NULL;
	panic_function = conf->panic;
	MHD_set_panic_func(panic, NULL);
	server->answer = conf->answer;
	server->answer_within_s = conf->answer_within_s;
	server->max_connections = conf->max_connections;
	server->peers.next = server->peers.previous = &server->peers;
	if (conf->certificate != NULL)
		flags |= MHD_USE_TLS;

	/*
	 * Twice the limit, because those that were ended are still counted for a moment.  The logger
	 * comes first: what follows it is reported to it.
	 */
	server->daemon = MHD_start_daemon(flags, 0, NULL, NULL, handle, server,
									  MHD_OPTION_EXTERNAL_LOGGER, ignore_log, NULL,
									  MHD_OPTION_LISTEN_SOCKET, conf->socket,
									  MHD_OPTION_CONNECTION_LIMIT, 2 * conf->max_connections,
									  MHD_OPTION_CONNECTION_TIMEOUT, conf->timeout_s,
									  MHD_OPTION_CONNECTION_MEMORY_LIMIT, conf->max_request,
									  MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t) MEMORY_INCREMENT,
									  MHD_OPTION_NOTIFY_CONNECTION, connection_changed, server,
									  MHD_OPTION_NOTIFY_COMPLETED, request_completed, server,
									  MHD_OPTION_ARRAY, conf->certificate != NULL ? tls : none,
									  MHD_OPTION_END);
	info = server->daemon == NULL ? NULL : MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (info == NULL)
	{
		if (server->daemon != NULL)
		{
			(void) MHD_quiesce_daemon(server->daemon);
			MHD_stop_daemon(server->daemon);
		}
		free(server);
		return NULL;
	}
	server->descriptor = info->epoll_fd;
	return server;
}

int
burrow_http_descriptor(const BurrowHttpServer *server)
{
	return server->descriptor;
}

long
burrow_http_timeout_ms(const BurrowHttpServer *server)
{
	MHD_UNSIGNED_LONG_LONG ms;
	long		left_s = time_left(server, oldest_peer(server));
	long		left_ms = left_s < 0 ? -1 : left_s * 1000;

	if (MHD_get_timeout(server->daemon, &ms) == MHD_YES && (left_ms < 0 || ms < (MHD_UNSIGNED_LONG_LONG) left_ms))
		return (long) ms;
	return left_ms;
}

void
burrow_http_run(BurrowHttpServer *server)
{
	end_slow_connections(server);
	(void) MHD_run(server->daemon);
}

void
burrow_http_close(BurrowHttpServer *server)
{
	MHD_stop_daemon(server->daemon);
	free(server);
}

bool
burrow_http_has_tls(void)
{
	return MHD_is_feature_supported(MHD_FEATURE_TLS) == MHD_YES;
}
