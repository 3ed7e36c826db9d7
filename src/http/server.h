/*
 * server.h
 *	  The functions of the table in http.h; see there.
 */
#ifndef BURROW_HTTP_SERVER_H
#define BURROW_HTTP_SERVER_H

#include "http/http.h"

extern BurrowHttpServer *burrow_http_open(const BurrowHttpConf *conf);
extern int	burrow_http_descriptor(const BurrowHttpServer *server);
extern long burrow_http_timeout_ms(const BurrowHttpServer *server);
extern void burrow_http_run(BurrowHttpServer *server);
extern void burrow_http_close(BurrowHttpServer *server);
extern bool burrow_http_has_tls(void);

#endif							/* BURROW_HTTP_SERVER_H */
