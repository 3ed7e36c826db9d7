/*
 * pages.c
 *	  What the exporter answers.
 *
 *		/				a page for people
 *		/metrics		all metrics, in the format that the client asks for
 *		/-/healthy		can consumers run in this server?
 *		/-/ready		do they?  ?subscription=NAME: does this one?  &database=NAME: of this database
 *
 * Runs in: the exporter, called by libmicrohttpd: an error ends here.
 * Locking: what the snapshot takes.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "common/base64.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/lwlock.h"
#include "utils/memutils.h"

#include "guc.h"
#include "exporter/health.h"
#include "exporter/pages.h"
#include "exporter/status_page.h"
#include "metrics/metrics.h"
#include "metrics/snapshot.h"
#include "shmem/groups.h"
#include "shmem/registry.h"

#define HTML			"text/html; charset=utf-8"
#define TEXT			"text/plain; charset=utf-8"
#define PROMETHEUS		"text/plain; version=0.0.4; charset=utf-8"
#define OPENMETRICS		"application/openmetrics-text; version=1.0.0; charset=utf-8"

#define OK				200
#define UNAUTHORIZED	401
#define NOT_FOUND		404
#define UNAVAILABLE		503

/* Of one answer. */
static MemoryContext page_cxt;

static const char *token;

void
burrow_pages_set_token(const char *text)
{
	token = text;
}

/* Takes the same time wherever the texts differ. */
static bool
is_same(const char *a, const char *b)
{
	size_t		len = strlen(b);
	unsigned char differs = strlen(a) != len;

	for (size_t i = 0; i < len; i++)
		differs |= a[Min(i, strlen(a))] ^ b[i];
	return differs == 0;
}

/* The password of "Basic <user:password in base64>"; NULL: there is none. */
static const char *
basic_password(const char *authorization)
{
	int			len = strlen(authorization) - 6;
	int			size;
	char	   *decoded;
	char	   *colon;

	if (pg_strncasecmp(authorization, "Basic ", 6) != 0)
		return NULL;
	size = pg_b64_dec_len(len);
	decoded = palloc(size + 1);
	/* its type is another from PostgreSQL 18 on */
	size = pg_b64_decode(authorization + 6, len, (void *) decoded, size);
	if (size < 0)
		return NULL;
	decoded[size] = '\0';
	colon = strchr(decoded, ':');
	return colon != NULL ? colon + 1 : NULL;
}

/* Browsers ask for a password, and send no bearer token: the token is the password, of whatever user. */
static bool
is_allowed(const BurrowHttpRequest *request)
{
	const char *given = request->authorization;

	if (token == NULL)
		return true;
	if (given == NULL)
		return false;
	given = pg_strncasecmp(given, "Bearer ", 7) == 0 ? given + 7 : basic_password(given);
	return given != NULL && is_same(given, token);
}

/*
 * Names that users choose are escaped; should one not be, the policy lets nothing run that does not know the nonce.
 */
static void
status_page(BurrowHttpAnswer *answer, StringInfo body)
{
	unsigned char bytes[16];
	char		nonce[2 * sizeof(bytes) + 1];

	if (!pg_strong_random(bytes, sizeof(bytes)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values")));
	for (int i = 0; i < sizeof(bytes); i++)
		snprintf(nonce + 2 * i, 3, "%02x", bytes[i]);
	answer->type = HTML;
	answer->policy = psprintf("default-src 'none'; style-src 'nonce-%s'; script-src 'nonce-%s'; connect-src 'self'; "
							  "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'", nonce, nonce);
	burrow_status_page_write(body, nonce);
}

static void
metrics(const BurrowHttpRequest *request, BurrowHttpAnswer *answer, StringInfo body)
{
	BurrowMetricsRequest wanted = {
		.dboid = InvalidOid,
		.openmetrics = request->accept != NULL && strstr(request->accept, "application/openmetrics-text") != NULL,
		.partitions = burrow_metrics_per_partition,
	};

	burrow_metrics_write(body, &wanted);
	answer->type = wanted.openmetrics ? OPENMETRICS : PROMETHEUS;
}

static void
healthy(BurrowHttpAnswer *answer, StringInfo body)
{
	const char *trouble = burrow_health_trouble();

	if (trouble != NULL)
		answer->status = UNAVAILABLE;
	appendStringInfo(body, "%s\n", trouble != NULL ? trouble : "ok");
}

/*
 * One that somebody has stopped is not waited for, unless it is asked for by name.  Text is UTF-8, as in the
 * labels.
 */
static void
ready(const BurrowHttpRequest *request, BurrowHttpAnswer *answer, StringInfo body)
{
	const char *subscription = request->parameter(request, "subscription");
	const char *database = request->parameter(request, "database");
	const BurrowSnapshot *snapshot = burrow_snapshot_take(InvalidOid, 0);
	Oid			unknown;
	int			n = 0;

	if (RecoveryInProgress())
	{
		answer->status = UNAVAILABLE;
		appendStringInfoString(body, "the server is a standby, or recovers\n");
		return;
	}
	/* there may be subscriptions that are not here yet */
	if (subscription == NULL && !burrow_groups_are_known(&unknown))
	{
		answer->status = UNAVAILABLE;
		appendStringInfoString(body, "the launcher has not looked at all databases yet\n");
	}
	for (int i = 0; i < snapshot->nsubscriptions; i++)
	{
		const BurrowSubscriptionSnapshot *s = &snapshot->subscriptions[i];

		if ((subscription != NULL && strcmp(subscription, s->labels.subscription) != 0) ||
			(database != NULL && strcmp(database, s->labels.database) != 0))
			continue;
		n++;
		if (s->state == BURROW_RUNNING ||
			(subscription == NULL && (s->state == BURROW_PAUSED || s->state == BURROW_DISABLED)))
			continue;
		answer->status = UNAVAILABLE;
		appendStringInfo(body, "subscription \"%s\" of database \"%s\" is %s\n",
						 s->labels.subscription, s->labels.database, burrow_state_names[s->state]);
	}
	if (n == 0 && subscription != NULL)
	{
		answer->status = UNAVAILABLE;
		appendStringInfo(body, "there is no subscription \"%s\"\n", subscription);
	}
	if (answer->status == OK)
		appendStringInfoString(body, "ok\n");
}

static void
find_page(const BurrowHttpRequest *request, BurrowHttpAnswer *answer, StringInfo body)
{
	answer->status = OK;
	answer->type = TEXT;
	if (strcmp(request->path, "/-/healthy") == 0)
		healthy(answer, body);
	else if (!is_allowed(request))
	{
		answer->status = UNAUTHORIZED;
		answer->authenticate[0] = "Bearer realm=\"burrow\"";
		answer->authenticate[1] = "Basic realm=\"burrow: the password is the token\", charset=\"UTF-8\"";
		appendStringInfoString(body, "a bearer token is required, or the token as a password\n");
	}
	else if (strcmp(request->path, "/") == 0)
		status_page(answer, body);
	else if (strcmp(request->path, "/metrics") == 0)
		metrics(request, answer, body);
	else if (strcmp(request->path, "/-/ready") == 0)
		ready(request, answer, body);
	else
	{
		answer->status = NOT_FOUND;
		appendStringInfoString(body, "there are /, /metrics, /-/healthy and /-/ready\n");
	}
}

void
burrow_pages_answer(const BurrowHttpRequest *request, BurrowHttpAnswer *answer)
{
	MemoryContext old = CurrentMemoryContext;

	if (page_cxt == NULL)
		page_cxt = AllocSetContextCreate(TopMemoryContext, "burrow page", ALLOCSET_DEFAULT_SIZES);
	MemoryContextReset(page_cxt);
	PG_TRY();
	{
		StringInfoData body;

		MemoryContextSwitchTo(page_cxt);
		initStringInfo(&body);
		find_page(request, answer, &body);
		answer->body = body.data;
		answer->len = body.len;
		MemoryContextSwitchTo(old);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(old);
		HOLD_INTERRUPTS();
		LWLockReleaseAll();
		EmitErrorReport();
		FlushErrorState();
		RESUME_INTERRUPTS();
		answer->status = UNAVAILABLE;
		answer->type = TEXT;
		answer->body = "the answer could not be made; the server's log says why\n";
		answer->len = strlen(answer->body);
	}
	PG_END_TRY();
}
