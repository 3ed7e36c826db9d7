/*
 * listener.c
 *	  Sockets to listen on.
 *
 * Runs in: the exporter.  A name is looked up when the address is opened, which may take as long as
 * the system's resolver does, and until then the exporter answers nobody, at no address: so a name that is not
 * found is looked up more rarely than a port in use is tried.  Numeric addresses need no resolver.
 */
#include "postgres.h"

#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "exporter/listener.h"

/* Connections that wait for their turn. */
#define BACKLOG	128

/* -1, and errno is set, if it cannot be had. */
static int
open_socket(int family, const struct sockaddr *address, socklen_t len, const char **why)
{
	int			fd = socket(family, SOCK_STREAM, 0);
	int			on = 1;
	int			error;

	if (fd < 0)
	{
		*why = psprintf("could not create a socket: %s", strerror(errno));
		return -1;
	}
	/* an address of which connections have just ended can be had; one that is in use cannot */
	if (family != AF_UNIX)
		(void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (family == AF_INET6)
		(void) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0 &&
		bind(fd, address, len) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	error = errno;
	*why = pstrdup(strerror(error));
	close(fd);
	errno = error;
	return -1;
}

/* A socket's file that nobody listens behind was left by a server that has crashed. */
static void
remove_stale(const struct sockaddr_un *address)
{
	struct stat st;
	int			fd;

	if (lstat(address->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return;
	/* one whose server does not accept for now is EAGAIN: it is alive, and nobody waits for it */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *) address, sizeof(*address)) != 0 && errno == ECONNREFUSED)
		(void) unlink(address->sun_path);
	close(fd);
}

static int
open_path(const BurrowListenAddress *address, int *sockets, const char **why)
{
	struct sockaddr_un where = {.sun_family = AF_UNIX};

	strlcpy(where.sun_path, address->host, sizeof(where.sun_path));
	remove_stale(&where);
	sockets[0] = open_socket(AF_UNIX, (const struct sockaddr *) &where, sizeof(where), why);
	return sockets[0] < 0 ? 0 : 1;
}

int
burrow_listener_open(const BurrowListenAddress *address, int *sockets, const char **why)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *found;
	int			error;
	int			n = 0;

	if (address->is_path)
		return open_path(address, sockets, why);
	error = getaddrinfo(strcmp(address->host, "*") == 0 ? NULL : address->host, address->port, &hints, &found);
	if (error != 0)
	{
		*why = pstrdup(gai_strerror(error));
		return -1;
	}
	for (struct addrinfo *a = found; a != NULL && n < BURROW_LISTENER_SOCKETS; a = a->ai_next)
	{
		sockets[n] = open_socket(a->ai_family, a->ai_addr, a->ai_addrlen, why);
		/* one without IPv6 will do; not half of a name whose other half is somebody else's */
		if (sockets[n] < 0 && errno == EADDRINUSE)
		{
			while (n > 0)
				close(sockets[--n]);
			break;
		}
		n += sockets[n] >= 0;
	}
	freeaddrinfo(found);
	return n;
}
