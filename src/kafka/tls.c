/*
 * tls.c
 *	  TLS with a broker, as the client's properties say, for who wants to see how it goes.
 *
 * librdkafka says whether its handshake has failed, and not what was agreed, nor what is in the certificate.  So there is one
 * more, by the library that it uses itself.  It ends whatever the certificate is: what librdkafka would refuse is
 * told, and nothing is sent that it would not send to whoever is there.
 *
 * Of the properties those are heeded that decide whom to trust and who the client is: certificates and keys as text and
 * in files, but not key stores, lists of what was revoked, ciphers and curves.
 *
 * Runs in: processes of a first look at a cluster.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "kafka/certificate.h"
#include "kafka/tls.h"

/* ---- properties ---- */

/* NULL: it has none.  The caller's to free. */
static char *
value_of(const BurrowKafkaClient *c, const char *name)
{
	const rd_kafka_conf_t *conf = rd_kafka_conf(c->rk);
	size_t		size = 0;
	char	   *value;

	if (rd_kafka_conf_get(conf, name, NULL, &size) != RD_KAFKA_CONF_OK || size <= 1)
		return NULL;
	value = malloc(size);
	if (value != NULL && rd_kafka_conf_get(conf, name, value, &size) != RD_KAFKA_CONF_OK)
	{
		free(value);
		value = NULL;
	}
	return value;
}

bool
burrow_kafka_tls_has(const char *name, const char *value)
{
	SSL_CTX    *ctx = SSL_CTX_new(TLS_client_method());
	bool		has = true;

	if (ctx != NULL && strcmp(name, "ssl.cipher.suites") == 0)
		has = SSL_CTX_set_cipher_list(ctx, value) == 1;
	else if (ctx != NULL && strcmp(name, "ssl.curves.list") == 0)
		has = SSL_CTX_set1_curves_list(ctx, value) == 1;
	else if (ctx != NULL && strcmp(name, "ssl.sigalgs.list") == 0)
		has = SSL_CTX_set1_sigalgs_list(ctx, value) == 1;
	SSL_CTX_free(ctx);
	ERR_clear_error();
	return has;
}

bool
burrow_kafka_tls_is(const BurrowKafkaClient *c, const char *name, const char *value)
{
	char	   *has = value_of(c, name);
	bool		is = has != NULL && strcasecmp(has, value) == 0;

	free(has);
	return is;
}

/* ---- whom to trust, and who the client is ---- */

static void
trust_text(SSL_CTX * ctx, const char *text)
{
	BIO		   *bio = BIO_new_mem_buf(text, -1);
	X509	   *one;

	while (bio != NULL && (one = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
	{
		(void) X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), one);
		X509_free(one);
	}
	BIO_free(bio);
	ERR_clear_error();
}

static void
set_trust(SSL_CTX * ctx, const BurrowKafkaClient *c)
{
	char	   *text = value_of(c, "ssl.ca.pem");
	char	   *location = value_of(c, "ssl.ca.location");
	struct stat what;

	if (text != NULL)
		trust_text(ctx, text);
	else if (location != NULL && strcmp(location, "probe") != 0)
	{
		bool		is_folder = stat(location, &what) == 0 && S_ISDIR(what.st_mode);

		(void) SSL_CTX_load_verify_locations(ctx, is_folder ? NULL : location, is_folder ? location : NULL);
	}
	else
		(void) SSL_CTX_set_default_verify_paths(ctx);
	free(text);
	free(location);
}

/* Without it OpenSSL would ask at a terminal. */
static int
give_passphrase(char *room, int size, int writing, void *passphrase)
{
	int			len = passphrase != NULL ? (int) strlen(passphrase) : 0;

	if (len == 0 || len > size)
		return -1;
	memcpy(room, passphrase, (size_t) len);
	return len;
}

/* The client's certificate, and after it those of its issuers. */
static void
show_text(SSL_CTX * ctx, const char *certificates, const char *key, const char *passphrase)
{
	BIO		   *bio = BIO_new_mem_buf(certificates, -1);
	X509	   *one = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	EVP_PKEY   *private = NULL;

	if (one != NULL)
		(void) SSL_CTX_use_certificate(ctx, one);
	X509_free(one);
	/* the context takes these over */
	while (bio != NULL && (one = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
		if (SSL_CTX_add_extra_chain_cert(ctx, one) != 1)
			X509_free(one);
	BIO_free(bio);
	bio = BIO_new_mem_buf(key, -1);
	if (bio != NULL)
		private = PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, (void *) passphrase);
	if (private != NULL)
		(void) SSL_CTX_use_PrivateKey(ctx, private);
	EVP_PKEY_free(private);
	BIO_free(bio);
	ERR_clear_error();
}

static void
set_client(SSL_CTX * ctx, const BurrowKafkaClient *c, const char *key, const char *passphrase)
{
	char	   *certificates = value_of(c, "ssl.certificate.pem");
	char	   *certificate_file = value_of(c, "ssl.certificate.location");
	char	   *key_file = value_of(c, "ssl.key.location");

	if (certificates != NULL && key != NULL)
		show_text(ctx, certificates, key, passphrase);
	else if (certificate_file != NULL && key_file != NULL)
	{
		SSL_CTX_set_default_passwd_cb(ctx, give_passphrase);
		SSL_CTX_set_default_passwd_cb_userdata(ctx, (void *) passphrase);
		(void) SSL_CTX_use_certificate_chain_file(ctx, certificate_file);
		(void) SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM);
		SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
	}
	free(certificates);
	free(certificate_file);
	free(key_file);
	ERR_clear_error();
}

static bool
verifies(const BurrowKafkaClient *c)
{
	return !burrow_kafka_tls_is(c, "enable.ssl.certificate.verification", "false");
}

static bool
verifies_names(const BurrowKafkaClient *c)
{
	return verifies(c) && burrow_kafka_tls_is(c, "ssl.endpoint.identification.algorithm", "https");
}

/* Who is to be there: for the other side, which may have several certificates, and to compare with. */
static bool
set_host(SSL * ssl, const BurrowKafkaClient *c, const char *host)
{
	bool		is_address = false;

	if (verifies_names(c))
		is_address = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
	ERR_clear_error();
	if (!is_address && verifies_names(c) && SSL_set1_host(ssl, host) != 1)
		return false;
	return is_address || strchr(host, ':') != NULL || strspn(host, "0123456789.") == strlen(host) ||
		SSL_set_tlsext_host_name(ssl, host) == 1;
}

SSL *
burrow_kafka_tls_new(const BurrowKafkaClient *c, const char *host, const char *key, const char *passphrase, int sock,
					 char *text, size_t room)
{
	SSL_CTX    *ctx = SSL_CTX_new(TLS_client_method());
	SSL		   *ssl = NULL;

	if (ctx != NULL)
	{
		set_trust(ctx, c);
		set_client(ctx, c, key, passphrase);
		SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
		ssl = SSL_new(ctx);
		SSL_CTX_free(ctx);		/* ssl keeps it */
	}
	if (ssl != NULL && set_host(ssl, c, host) && SSL_set_fd(ssl, sock) == 1)
		return ssl;
	snprintf(text, room, "TLS could not be set up: %s", burrow_kafka_tls_reason());
	SSL_free(ssl);
	return NULL;
}

void
burrow_kafka_tls_free(SSL * ssl)
{
	SSL_free(ssl);
	ERR_clear_error();
}

const char *
burrow_kafka_tls_reason(void)
{
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	return reason != NULL ? reason : "it was closed";
}

/* ---- how it went ---- */

static void
print_name(X509_NAME * name, char *text, size_t room)
{
	BIO		   *bio = BIO_new(BIO_s_mem());
	int			len = 0;

	if (bio != NULL && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0)
		len = BIO_read(bio, text, (int) room - 1);
	text[len > 0 ? len : 0] = '\0';
	BIO_free(bio);
}

static void
print_verdict(const BurrowKafkaClient *c, const char *host, int error, char *text, size_t room)
{
	if (error != X509_V_OK)
		snprintf(text, room, "refused: %s", X509_verify_cert_error_string(error));
	else if (!verifies(c))
		snprintf(text, room, "which is not verified");
	else if (!verifies_names(c))
		snprintf(text, room, "which is trusted, and whose name is not verified");
	else
		snprintf(text, room, "which is trusted, and for the name %s", host);
}

void
burrow_kafka_tls_describe(const BurrowKafkaClient *c, SSL * ssl, const char *host, BurrowKafkaHandshake *result)
{
	X509	   *certificate = SSL_get_peer_certificate(ssl);
	X509	   *own = SSL_get_certificate(ssl);
	char		subject[160];
	char		issuer[160];
	char		until[64];
	char		verdict[256];

	if (own != NULL)
		print_name(X509_get_subject_name(own), result->client, sizeof(result->client));
	result->certificate_error = verifies(c) ? (int) SSL_get_verify_result(ssl) : X509_V_OK;
	if (certificate == NULL)
	{
		snprintf(result->tls_text, sizeof(result->tls_text), "%s, without a certificate", SSL_get_version(ssl));
		return;
	}
	print_name(X509_get_subject_name(certificate), subject, sizeof(subject));
	print_name(X509_get_issuer_name(certificate), issuer, sizeof(issuer));
	burrow_kafka_print_certificate_time(X509_get0_notAfter(certificate), until, sizeof(until));
	print_verdict(c, host, result->certificate_error, verdict, sizeof(verdict));
	snprintf(result->tls_text, sizeof(result->tls_text), "%s, certificate of %s by %s, valid until %s, %s",
			 SSL_get_version(ssl), subject, issuer, until, verdict);
	X509_free(certificate);
}
