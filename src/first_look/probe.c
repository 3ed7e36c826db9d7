/*
 * probe.c
 *	  Can this machine reach an address?
 *
 * librdkafka tells that no broker could be connected to, and the error of one of them.  Here each address is
 * tried by itself: resolved, connected to by TCP, and spoken to, as far as that needs no credentials.
 *
 * Runs in: processes of a first look at a cluster.
 */
#include "postgres.h"

#include <sys/socket.h>
#include <unistd.h>

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "first_look/probe.h"
#include "shmem/wait_events.h"

#define DEFAULT_PORT	"9092"

/* A name, and between two looks whether the call was cancelled. */
#define RESOLVE_MS		10000
#define SLICE_MS		100

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
											   sock, left, burrow_wait_event(BURROW_WAIT_LOOK));

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

/* NULL: connected, and spoken to. */
static const char *
connect_to(const BurrowVisit *visit, const char *host, const BurrowKafkaAddress *address, int timeout_ms,
		   BurrowKafkaHandshake *hands)
{
	int			sock = socket(address->address.ss_family, SOCK_STREAM, 0);
	int			error = 0;

	if (sock < 0)
		return pstrdup(strerror(errno));
	if (!pg_set_noblock(sock))
		error = errno;
	else if (connect(sock, (const struct sockaddr *) &address->address, address->length) < 0)
		error = errno == EINPROGRESS || errno == EINTR ? finish_connecting(sock, timeout_ms) : errno;
	if (error == 0)
		visit->kafka->visit->shake_hands(visit->client, sock, host, burrow_server_property(visit->server, "ssl.key.pem"),
										 burrow_server_property(visit->server, "ssl.key.password"), timeout_ms, hands);
	close(sock);
	CHECK_FOR_INTERRUPTS();
	return error != 0 ? pstrdup(strerror(error)) : NULL;
}

/* Their number; 0: there are none, or it takes too long. */
static int
resolve(const BurrowVisit *visit, const BurrowEndpoint *endpoint, BurrowKafkaAddress *addresses, char *error)
{
	const BurrowKafkaVisitFunctions *kafka = visit->kafka->visit;
	BurrowKafkaLookup *lookup = kafka->look_up(endpoint->host, endpoint->port, error);
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), RESOLVE_MS);
	int			n = -1;

	if (lookup == NULL)
		return 0;

	/*
	 * in slices, so that the call can be cancelled; the process ends then, and nothing has to be
	 * left
	 */
	while (n < 0 && GetCurrentTimestamp() < until)
	{
		n = kafka->looked_up(lookup, SLICE_MS, addresses, BURROW_PROBE_ADDRESSES, error);
		CHECK_FOR_INTERRUPTS();
	}
	kafka->leave_lookup(lookup);
	if (n < 0)
		snprintf(error, BURROW_KAFKA_TEXT_MAX, "the resolver has not answered for %d s", RESOLVE_MS / 1000);
	return Max(n, 0);
}

void
burrow_probe_run(const BurrowVisit *visit, const BurrowEndpoint *endpoint, int timeout_ms, BurrowReach *reach)
{
	BurrowKafkaAddress *found = palloc(sizeof(BurrowKafkaAddress) * BURROW_PROBE_ADDRESSES);
	char		error[BURROW_KAFKA_TEXT_MAX];

	memset(reach, 0, sizeof(*reach));
	reach->n = resolve(visit, endpoint, found, error);
	if (reach->n == 0)
		reach->unresolved = pstrdup(error);
	for (int i = 0; i < reach->n; i++)
	{
		BurrowReached *reached = &reach->addresses[i];

		reached->address = pstrdup(found[i].text);
		reached->refused = connect_to(visit, endpoint->host, &found[i], timeout_ms, &reached->hands);
	}
	pfree(found);
}
