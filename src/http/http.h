/*
 * http.h
 *	  A small HTTP server, as the rest of Burrow sees it: plain C, no type of libmicrohttpd's.
 *
 * src/http/ is built into a library of its own, burrow_exporter, because libmicrohttpd is not there on
 * every machine, and because it brings a TLS library with it: the exporter alone loads it.
 *
 * It has no thread: the caller waits for a server's descriptor, and runs it.  Nothing here raises a
 * PostgreSQL error; the handler that the caller gives must not let one out either, so that no longjmp
 * ever crosses a frame of libmicrohttpd's.
 *
 * GET and HEAD only, and no request has a body: what else comes is refused before the handler sees it.
 */
#ifndef BURROW_HTTP_HTTP_H
#define BURROW_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#define BURROW_HTTP_ABI		2
#define BURROW_HTTP_ENTRY	"burrow_http_functions"

typedef struct BurrowHttpServer BurrowHttpServer;	/* one listening socket, and its connections */

/* Texts are valid while the handler runs; NULL: there is none. */
typedef struct BurrowHttpRequest
{
	const char *path;
	const char *accept;			/* header fields */
	const char *authorization;
	/* a parameter behind the path's ? */
	const char *(*parameter) (const struct BurrowHttpRequest *request, const char *name);
	void	   *connection;		/* the library's */
} BurrowHttpRequest;

typedef struct BurrowHttpAnswer
{
	unsigned	status;
	const char *type;			/* Content-Type */
	const char *authenticate[2];	/* WWW-Authenticate, a field each, because browsers look at
									 * the first of a field; NULL: none */
	const char *policy;			/* Content-Security-Policy; NULL: none */
	const char *body;			/* copied */
	size_t		len;
} BurrowHttpAnswer;

typedef struct BurrowHttpConf
{
	int			socket;			/* bound and listening; closed with the server */
	unsigned	max_connections;	/* of one more the one that has waited for the longest is
									 * ended */
	unsigned	timeout_s;		/* of a connection on which nothing happens */
	unsigned	answer_within_s;	/* from its begin, or the last answer, to the end of the next */
	size_t		max_request;	/* bytes for a request's line and header fields */
	const char *certificate;	/* PEM; NULL: no TLS */
	const char *key;
	void		(*answer) (const BurrowHttpRequest *request, BurrowHttpAnswer *answer);
	void		(*panic) (const char *reason);	/* the library is broken; does not return */
} BurrowHttpConf;

typedef struct BurrowHttpFunctions
{
	int			abi;			/* BURROW_HTTP_ABI */
	/* NULL: could not be made; the socket is still the caller's. */
	BurrowHttpServer *(*open) (const BurrowHttpConf *conf);
	/* Readable when run() has something to do. */
	int			(*descriptor) (const BurrowHttpServer *server);
	/* Milliseconds until run() has something to do all the same; -1: no such time. */
	long		(*timeout_ms) (const BurrowHttpServer *server);
	void		(*run) (BurrowHttpServer *server);
	void		(*close) (BurrowHttpServer *server);
	bool		(*has_tls) (void);
} BurrowHttpFunctions;

typedef const BurrowHttpFunctions *(*BurrowHttpEntry) (void);

#endif							/* BURROW_HTTP_HTTP_H */
