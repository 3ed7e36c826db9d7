/*
 * pem.c
 *	  Certificates and keys that were given as text: are they what they should be?
 *
 * rd_kafka_new() would find out some of it, but a backend must not call it; and it would say little of
 * why.  So the texts are read here by the library that librdkafka itself reads them with.  It is given
 * no name of a file, and nothing of it is kept.
 *
 * What cannot work is an error.  What will not work for long, or only with some brokers, is a warning:
 * the broker decides.
 *
 * Runs in: backends that check properties.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "kafka/certificate.h"
#include "kafka/internal.h"

/* From this version of librdkafka's on, a client shows those who have signed its certificate, too. */
#define VERSION_SENDS_CHAIN	0x02080000

/* More than a bundle of all the world's authorities has. */
#define CERTIFICATES_MAX	4096

/* A text: a bundle of all the world's authorities has a quarter of it. */
#define TEXT_MAX		((size_t) 1024 * 1024)

/*
 * Steps of work, iterations mostly, that all encrypted keys of a text may ask for together: seconds, a
 * quarter of a minute on a busy machine, in which the backend cannot be cancelled.  The tools' own choices are from 2,048 to a few hundred thousand.
 */
#define WORK_MAX		10000000
#define NUMBER_TEXT(number)	NUMBER_TEXT_OF(number)
#define NUMBER_TEXT_OF(number)	#number

/* What is checked, and where the reasons go. */
typedef struct Check
{
	const BurrowKafkaConf *conf;
	const char *name;			/* the property of which it is said */
	char	   *error;
	const char *hint;			/* what else than usual could be done about the error; NULL:
								 * nothing */
	char	   *warning;
	const char *warned;			/* the property that the warning is about */
} Check;

static bool
refuse(const Check *check, const char *reason)
{
	snprintf(check->error, BURROW_KAFKA_TEXT_MAX, "%s", reason);
	return false;
}

/* The first stays: one that is said later may follow from it. */
static void
__attribute__((format(printf, 2, 3)))
warn(Check *check, const char *format,...)
{
	va_list		arguments;

	if (check->warning[0] != '\0')
		return;
	check->warned = check->name;
	va_start(arguments, format);
	vsnprintf(check->warning, BURROW_KAFKA_TEXT_MAX, format, arguments);
	va_end(arguments);
}

/* The value, as it is; NULL: it has none, or out of memory.  The caller's to give to forget(). */
static char *
value_of(const BurrowKafkaConf *conf, const char *name)
{
	size_t		size = 0;
	char	   *value;

	if (rd_kafka_conf_get(conf->rk, name, NULL, &size) != RD_KAFKA_CONF_OK || size <= 1)
		return NULL;
	value = malloc(size);
	if (value != NULL && rd_kafka_conf_get(conf->rk, name, value, &size) != RD_KAFKA_CONF_OK)
	{
		free(value);
		value = NULL;
	}
	return value;
}

static void
forget(char *value)
{
	if (value != NULL)
		OPENSSL_cleanse(value, strlen(value));
	free(value);
}

static bool
given(const BurrowKafkaConf *conf, const char *name)
{
	char	   *value = value_of(conf, name);
	bool		is_given = value != NULL;

	forget(value);
	return is_given;
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

/* ---- certificates ---- */

/* All of a text; NULL: the reason was told. */
static STACK_OF(X509) *
read_certificates(const Check *check, const char *text)
{
	STACK_OF(X509) * all = sk_X509_new_null();
	BIO		   *bio = BIO_new_mem_buf(text, -1);
	X509	   *one = NULL;
	bool		ended;

	ERR_clear_error();
	while (all != NULL && bio != NULL && sk_X509_num(all) < CERTIFICATES_MAX &&
		   (one = PEM_read_bio_X509(bio, NULL, give_passphrase, NULL)) != NULL)
		if (sk_X509_push(all, one) == 0)
			X509_free(one);
	ended = one == NULL && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
	ERR_clear_error();
	BIO_free(bio);
	if (all != NULL && ended && sk_X509_num(all) > 0)
		return all;

	if (strstr(text, "-----BEGIN ") == NULL)
		(void) refuse(check, "it is not in PEM format: there is no line \"-----BEGIN ...-----\"");
	else if (strstr(text, "CERTIFICATE-----") == NULL)
		(void) refuse(check, "there is no certificate in it");
	else if (all == NULL || sk_X509_num(all) == 0)
		(void) refuse(check, "the certificate is damaged");
	else if (one != NULL)
		(void) refuse(check, "there are too many certificates in it");
	else
		snprintf(check->error, BURROW_KAFKA_TEXT_MAX, "certificate %d in it is damaged", sk_X509_num(all) + 1);
	sk_X509_pop_free(all, X509_free);
	return NULL;
}

static bool
is_over(const X509 * certificate)
{
	return X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0;
}

/* The first of them that is no longer valid, or not yet, counted from 0; -1: none. */
static int
find_invalid(STACK_OF(X509) * all)
{
	for (int i = 0; i < sk_X509_num(all); i++)
		if (is_over(sk_X509_value(all, i)) || X509_cmp_current_time(X509_get0_notBefore(sk_X509_value(all, i))) > 0)
			return i;
	return -1;
}

static void
warn_invalid(Check *check, STACK_OF(X509) * all, int i)
{
	const		X509 *certificate = sk_X509_value(all, i);
	bool		over = is_over(certificate);
	char		when[64];
	char		which[32] = "the certificate";

	burrow_kafka_print_certificate_time(over ? X509_get0_notAfter(certificate) : X509_get0_notBefore(certificate), when, sizeof(when));
	if (sk_X509_num(all) > 1)
		snprintf(which, sizeof(which), "certificate %d in it", i + 1);
	if (over)
		warn(check, "%s has expired: it was valid until %s", which, when);
	else
		warn(check, "%s is not valid yet: it will be from %s", which, when);
}

/* Of authorities one that is valid is enough: a bundle may well have some that are not. */
static bool
check_authorities(Check *check, const char *text)
{
	STACK_OF(X509) * all = read_certificates(check, text);
	int			invalid = 0;

	if (all == NULL)
		return false;
	if (strstr(text, " PRIVATE KEY-----") != NULL)
	{
		sk_X509_pop_free(all, X509_free);
		check->hint = "Give certificates alone; a key belongs into a user mapping, as \"ssl_key_pem\".";
		return refuse(check, "there is a private key in it, and everybody can read a server's options");
	}
	while (invalid < sk_X509_num(all) && is_over(sk_X509_value(all, invalid)))
		invalid++;
	if (invalid == sk_X509_num(all))
		warn_invalid(check, all, 0);
	sk_X509_pop_free(all, X509_free);
	return true;
}

/* ---- what it takes to open a key ---- */

/* A count out of a key; INT64_MAX: none that somebody means. */
static int64_t
count_of(const ASN1_INTEGER * number)
{
	int64_t		count;

	return number != NULL && ASN1_INTEGER_get_int64(&count, number) == 1 && count > 0 ? count : INT64_MAX;
}

/* a * b, or INT64_MAX */
static int64_t
times(int64_t a, int64_t b)
{
	return a > INT64_MAX / b ? INT64_MAX : a * b;
}

/* Of PBES2: what makes the cipher's key of the passphrase; -1: it is not known. */
static int64_t
work_of_pbes2(const ASN1_TYPE * parameter)
{
	PBE2PARAM  *both = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBE2PARAM), parameter);
	int64_t		work = -1;

	if (both != NULL && OBJ_obj2nid(both->keyfunc->algorithm) == NID_id_pbkdf2)
	{
		PBKDF2PARAM *kdf = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBKDF2PARAM), both->keyfunc->parameter);

		work = kdf != NULL ? count_of(kdf->iter) : -1;
		PBKDF2PARAM_free(kdf);
	}
#ifndef OPENSSL_NO_SCRYPT
	else if (both != NULL && OBJ_obj2nid(both->keyfunc->algorithm) == NID_id_scrypt)
	{
		SCRYPT_PARAMS *kdf = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(SCRYPT_PARAMS), both->keyfunc->parameter);

		if (kdf != NULL)
			work = times(times(count_of(kdf->costParameter), count_of(kdf->blockSize)), count_of(kdf->parallelizationParameter));
		SCRYPT_PARAMS_free(kdf);
	}
#endif
	PBE2PARAM_free(both);
	return work;
}

/* Steps of work to decrypt it; 0: it is no encrypted key; -1: the way is not known. */
static int64_t
work_of(const unsigned char *der, long len)
{
	X509_SIG   *sealed = d2i_X509_SIG(NULL, &der, len);
	const		X509_ALGOR *way;
	PBEPARAM   *older;
	int64_t		work = -1;

	if (sealed == NULL)
		return 0;
	X509_SIG_get0(sealed, &way, NULL);
	if (OBJ_obj2nid(way->algorithm) == NID_pbes2)
		work = work_of_pbes2(way->parameter);
	else if ((older = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBEPARAM), way->parameter)) != NULL)
	{
		work = count_of(older->iter);
		PBEPARAM_free(older);
	}
	X509_SIG_free(sealed);
	return work;
}

/*
 * May it be given to OpenSSL, which does as many steps as the text says?  Whatever a block calls itself, because
 * OpenSSL goes by what it holds, too; and opened, if it is encrypted as a whole in the old way, which
 * takes one step and may have the other within.
 */
static bool
check_work(Check *check, const char *text, char *passphrase)
{
	BIO		   *bio = BIO_new_mem_buf(text, -1);
	int64_t		total = 0;
	bool		known = true;
	bool		ended;
	char	   *label;
	char	   *header;
	unsigned char *der;
	long		len;

	ERR_clear_error();
	while (bio != NULL && known && total <= WORK_MAX && PEM_read_bio(bio, &label, &header, &der, &len) == 1)
	{
		EVP_CIPHER_INFO cipher;
		int64_t		work = 0;

		if (PEM_get_EVP_CIPHER_INFO(header, &cipher) == 1 && PEM_do_header(&cipher, der, &len, give_passphrase, passphrase) == 1)
			work = work_of(der, len);
		known = work >= 0;
		total = work > WORK_MAX ? work : total + work;
		OPENSSL_free(label);
		OPENSSL_free(header);
		OPENSSL_clear_free(der, (size_t) len);
		ERR_clear_error();
	}
	ended = bio != NULL && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
	ERR_clear_error();
	BIO_free(bio);
	if (!known)
		return refuse(check, "the key is encrypted in a way that is not known");
	if (total > WORK_MAX)
	{
		check->hint = "Encrypt the key with fewer iterations: \"openssl pkcs8 -topk8\" has the option -iter.";
		return refuse(check, "opening the key takes too much work: at most " NUMBER_TEXT(WORK_MAX) " iterations are allowed");
	}
	/* behind it could be what was not looked at */
	return ended || refuse(check, "the private key is damaged");
}

/* ---- a client's certificate and its key ---- */

/* NULL: the reason was told. */
static EVP_PKEY *
read_key(Check *check, const char *text)
{
	char	   *passphrase = value_of(check->conf, "ssl.key.password");
	BIO		   *bio = BIO_new_mem_buf(text, -1);
	EVP_PKEY   *key = NULL;
	bool		is_encrypted = strstr(text, "ENCRYPTED") != NULL;
	bool		fine = check_work(check, text, passphrase);

	if (fine && bio != NULL)
		key = PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, passphrase);
	BIO_free(bio);
	ERR_clear_error();
	if (fine && key == NULL)
	{
		if (strstr(text, "-----BEGIN ") == NULL)
			(void) refuse(check, "it is not in PEM format: there is no line \"-----BEGIN ...-----\"");
		else if (strstr(text, "PRIVATE KEY-----") == NULL)
			(void) refuse(check, "there is no private key in it");
		else if (is_encrypted && passphrase == NULL)
			(void) refuse(check, "the key is encrypted, and no passphrase is given");
		else if (is_encrypted)
			(void) refuse(check, "the passphrase does not open the key");
		else
			(void) refuse(check, "the private key is damaged");
	}
	forget(passphrase);
	return key;
}

/* Is each the issuer of the one before, as librdkafka sends them? */
static bool
in_order(STACK_OF(X509) * chain)
{
	for (int i = 0; i + 1 < sk_X509_num(chain); i++)
		if (X509_NAME_cmp(X509_get_issuer_name(sk_X509_value(chain, i)),
						  X509_get_subject_name(sk_X509_value(chain, i + 1))) != 0)
			return false;
	return true;
}

/* Does the key belong to one that is not the first? */
static bool
is_of_later(STACK_OF(X509) * chain, EVP_PKEY * key)
{
	for (int i = 1; i < sk_X509_num(chain); i++)
		if (X509_check_private_key(sk_X509_value(chain, i), key) == 1)
			return true;
	return false;
}

static bool
check_chain(Check *check, STACK_OF(X509) * chain, EVP_PKEY * key)
{
	bool		fits = key == NULL || X509_check_private_key(sk_X509_value(chain, 0), key) == 1;
	int			invalid = find_invalid(chain);

	if (!fits && is_of_later(chain, key))
		return refuse(check, "the certificates are in the wrong order: the first must be the client's, and each of the others that of the issuer of the one before");
	if (!fits)
		return refuse(check, "the private key does not fit the certificate");
	if (!in_order(chain))
		return refuse(check, "the certificates are in the wrong order: each after the first must be that of the issuer of the one before");
	if (invalid >= 0)
		warn_invalid(check, chain, invalid);
	else if (sk_X509_num(chain) > 1 && rd_kafka_version() < VERSION_SENDS_CHAIN)
		warn(check, "librdkafka %s shows brokers the first certificate alone: they must know its issuer themselves",
			 rd_kafka_version_str());
	return true;
}

/* Either may be in a file that a superuser has named: then nothing is known of it. */
static bool
check_client(Check *check, const char *certificate, const char *key_text)
{
	EVP_PKEY   *key = NULL;

	STACK_OF(X509) * chain = NULL;
	bool		fine = true;

	if (key_text != NULL)
	{
		check->name = "ssl.key.pem";
		key = read_key(check, key_text);
		fine = key != NULL;
		if (fine && certificate == NULL && !given(check->conf, "ssl.certificate.location"))
			fine = refuse(check, "there is no certificate for the key");
	}
	if (fine && certificate != NULL)
	{
		check->name = "ssl.certificate.pem";
		chain = read_certificates(check, certificate);
		fine = chain != NULL;
		if (fine && key_text == NULL && !given(check->conf, "ssl.key.location"))
			fine = refuse(check, "there is no private key for the certificate");
		fine = fine && check_chain(check, chain, key);
	}
	ERR_clear_error();
	sk_X509_pop_free(chain, X509_free);
	EVP_PKEY_free(key);
	return fine;
}

/* ---- all that a configuration has ---- */

/* A text as it was copied: what comes to it on its way is told by its name, where OpenSSL finds it damaged. */
static bool
check_text(Check *check, const char *name, const char *text)
{
	const char *begin = text != NULL ? strstr(text, "-----BEGIN ") : NULL;
	const char *end;

	check->name = name;
	if (text != NULL && strlen(text) > TEXT_MAX)
		return refuse(check, "it is longer than 1 MB");
	if (begin == NULL)
		return true;
	if (strstr(begin, "-----\\n") != NULL)
		return refuse(check, "its line ends are written as \\n, which means one in E'...' only");
	end = strchr(begin, '\n');
	if (end == NULL)
		return refuse(check, "it is one line: its line ends are missing");
	/* librdkafka has taken away what is before the first */
	if (end[1] == ' ' || end[1] == '\t')
		return refuse(check, "its lines are indented");
	return true;
}

bool
burrow_kafka_conf_check_pem(const BurrowKafkaConf *conf, const char **name, char *error, const char **hint, char *warning)
{
	static const char *const authorities[] = {"ssl.ca.pem", "https.ca.pem"};
	Check		check = {.conf = conf, .error = error, .warning = warning};
	char	   *certificate = value_of(conf, "ssl.certificate.pem");
	char	   *key = value_of(conf, "ssl.key.pem");
	bool		fine = true;

	warning[0] = '\0';
	for (size_t i = 0; i < sizeof(authorities) / sizeof(authorities[0]) && fine; i++)
	{
		char	   *text = value_of(conf, authorities[i]);

		if (text == NULL)
			continue;
		fine = check_text(&check, authorities[i], text) && check_authorities(&check, text);
		forget(text);
	}
	fine = fine && check_text(&check, "ssl.certificate.pem", certificate) && check_text(&check, "ssl.key.pem", key) &&
		check_client(&check, certificate, key);
	forget(certificate);
	forget(key);
	*hint = check.hint;
	*name = fine && check.warned != NULL ? check.warned : check.name;
	return fine;
}
