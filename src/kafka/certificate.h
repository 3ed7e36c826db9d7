/*
 * certificate.h
 *	  Why a broker's certificate was refused, which no text of librdkafka's says.
 */
#ifndef BURROW_KAFKA_CERTIFICATE_H
#define BURROW_KAFKA_CERTIFICATE_H

#include <librdkafka/rdkafka.h>

extern void burrow_kafka_watch_certificates(rd_kafka_conf_t *conf);
/* X509_V_ERR_... of the last one, 0: none was refused. */
extern int	burrow_kafka_certificate_error(void);

#endif							/* BURROW_KAFKA_CERTIFICATE_H */
