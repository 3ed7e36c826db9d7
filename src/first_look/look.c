/*
 * look.c
 *	  What a process is asked to look at in a Kafka cluster, as it travels there.
 *
 * Runs in: backends, and processes of a first look at a cluster.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "libpq/pqformat.h"
#include "port/pg_bswap.h"

#include "first_look/look.h"
#include "runtime/answer.h"

void
burrow_look_write(StringInfo request, const BurrowLook *look)
{
	StringInfoData body;

	initStringInfo(&body);
	pq_sendint32(&body, look->kind);
	pq_sendint32(&body, look->n);
	pq_sendint32(&body, look->subid);
	pq_sendint32(&body, look->server_sum);
	burrow_answer_put_text(&body, look->server);
	burrow_answer_put_text(&body, look->topic);
	burrow_answer_put_text(&body, look->start_from);
	initStringInfo(request);
	pq_sendint32(request, body.len);
	pq_sendbytes(request, body.data, body.len);
}

static const char *
get_text(StringInfo body)
{
	int32		len = (int32) pq_getmsgint(body, 4);

	return len < 0 ? NULL : pnstrdup(pq_getmsgbytes(body, len), len);
}

void
burrow_look_read(const char *request, BurrowLook *look)
{
	StringInfoData body;
	uint32		len;

	memcpy(&len, request, sizeof(len));
	initStringInfo(&body);
	appendBinaryStringInfo(&body, request + sizeof(len), (int) pg_ntoh32(len));
	look->kind = (BurrowLookKind) pq_getmsgint(&body, 4);
	look->n = (int32) pq_getmsgint(&body, 4);
	look->subid = (int32) pq_getmsgint(&body, 4);
	look->server_sum = pq_getmsgint(&body, 4);
	look->server = get_text(&body);
	look->topic = get_text(&body);
	look->start_from = get_text(&body);
}

uint32
burrow_look_server_sum(const BurrowServer *server)
{
	uint32		sum = 0;

	for (int i = 0; i < server->nproperties; i++)
	{
		const BurrowKafkaProperty *p = &server->properties[i];

		sum = hash_combine(sum, hash_bytes((const unsigned char *) p->name, (int) strlen(p->name)));
		sum = hash_combine(sum, hash_bytes((const unsigned char *) p->value, (int) strlen(p->value)));
	}
	return sum;
}
