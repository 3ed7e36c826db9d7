/*
 * certificate.h
 *	  Why a broker's certificate was refused, which no text of librdkafka's says, and a certificate's times as text.
 */
#ifndef BURROW_KAFKA_CERTIFICATE_H
#define BURROW_KAFKA_CERTIFICATE_H

#include <stddef.h>

#include <librdkafka/rdkafka.h>
#include <openssl/asn1.h>

extern void burrow_kafka_watch_certificates(rd_kafka_conf_t *conf);
/* X509_V_ERR_... of the last one, 0: none was refused. */
extern int	burrow_kafka_certificate_error(void);
/* "Feb  1 00:00:00 2020 GMT", the form that OpenSSL has for people; "" without memory. */
extern void burrow_kafka_print_certificate_time(const ASN1_TIME * time, char *text, size_t room);

#endif							/* BURROW_KAFKA_CERTIFICATE_H */
