/*
 * probe.c
 *	  Can this machine reach an address?
 *
 * librdkafka tells that no broker could be connected to, and the error of one of them.  Here each address is
 * tried by itself: resolved, and connected to by TCP, no more.
 *
 * Runs in: processes of a first look at a cluster, which nobody waits for when the call is cancelled: so
 * getaddrinfo(), which cannot be interrupted, may take its time.
 */
#include "postgres.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "first_look/probe.h"

#define DEFAULT_PORT	"9092"

bool
burrow_probe_next_endpoint(const char **list, BurrowEndpoint *endpoint)
{
	const char *from = *list + strspn(*list, ", \t\r\n");
	size_t		len = strcspn(from, ", \t\r\n");
	char	   *item;
	char	   *host;
	char	   *port;

	*list = from + len;
	if (len == 0)
		return false;
	item = pnstrdup(from, len);
	host = strstr(item, "://") != NULL ? strstr(item, "://") + 3 : item;
	port = strrchr(host, ':');
	if (port != NULL && strchr(port, ']') != NULL)
		port = NULL;
	if (port != NULL)
		*port++ = '\0';
	/* [::1] */
	if (host[0] == '[' && strlen(host) > 1 && host[strlen(host) - 1] == ']')
	{
		host++;
		host[strlen(host) - 1] = '\0';
	}
	strlcpy(endpoint->host, host, sizeof(endpoint->host));
	strlcpy(endpoint->port, port != NULL ? port : DEFAULT_PORT, sizeof(endpoint->port));
	return true;
}

/* Waits for a connection that has begun; its error, or 0. */
static int
finish_connecting(int sock, int timeout_ms)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), timeout_ms);
	int			error = 0;
	socklen_t	len = sizeof(error);

	for (;;)
	{
		long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);
		int			events = WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_SOCKET_CONNECTED | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
											   sock, left, PG_WAIT_EXTENSION);

		if (events & WL_LATCH_SET)
		{
			ResetLatch(MyLatch);
			CHECK_FOR_INTERRUPTS();
		}
		if (events & WL_SOCKET_CONNECTED)
			return getsockopt(sock, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? errno : error;
		if (events & WL_TIMEOUT)
			return ETIMEDOUT;
	}
}

/* NULL: connected, and let go. */
static const char *
connect_to(const struct addrinfo *address, int timeout_ms)
{
	int			sock = socket(address->ai_family, SOCK_STREAM, 0);
	int			error = 0;

	if (sock < 0)
		return pstrdup(strerror(errno));
	if (!pg_set_noblock(sock))
		error = errno;
	else if (connect(sock, address->ai_addr, address->ai_addrlen) < 0)
		error = errno == EINPROGRESS || errno == EINTR ? finish_connecting(sock, timeout_ms) : errno;
	close(sock);
	return error != 0 ? pstrdup(strerror(error)) : NULL;
}

void
burrow_probe_run(const BurrowEndpoint *endpoint, int timeout_ms, BurrowReach *reach)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	int			error = getaddrinfo(endpoint->host, endpoint->port, &hints, &found);

	memset(reach, 0, sizeof(*reach));
	CHECK_FOR_INTERRUPTS();
	if (error != 0)
	{
		reach->unresolved = pstrdup(gai_strerror(error));
		return;
	}
	for (struct addrinfo *a = found; a != NULL && reach->n < BURROW_PROBE_ADDRESSES; a = a->ai_next)
	{
		char	   *text = reach->addresses[reach->n];

		if (getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof(reach->addresses[0]), NULL, 0, NI_NUMERICHOST) != 0)
			strlcpy(text, "?", sizeof(reach->addresses[0]));
		reach->refused[reach->n++] = connect_to(a, timeout_ms);
	}
	freeaddrinfo(found);
}
