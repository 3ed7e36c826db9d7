/*
 * metrics.c
 *	  All metrics as the text that Prometheus reads.
 *
 * What is counted is the table of shmem/counters.h; what is measured is the table
 * `gauges` below.  To add a metric is to add a row.  Labels are few and bounded: database and
 * subscription, and what a row names.
 *
 * Names follow Prometheus's rules: base units, their name at the end, _total on counters.
 *
 * The two formats differ in little.  OpenMetrics names a family of counters without _total, knows
 * units and an end mark.
 *
 * Runs in: backends and the exporter.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "burrow.h"
#include "guc.h"
#include "metrics/metrics.h"
#include "metrics/snapshot.h"
#include "shmem/registry.h"

#define PREFIX	"pgburrow_"

typedef struct Writer
{
	StringInfo	out;
	bool		openmetrics;
	const BurrowSnapshot *snapshot;
	bool	   *shown;			/* by subscription: may be seen */
	char	  **labels;			/* by subscription: database="...",subscription="..." */
} Writer;

typedef BurrowSubscriptionSnapshot Sub;
typedef BurrowPartitionSnapshot Part;

/* ---- text ---- */

/* A label's value: UTF-8, with what would end it escaped. */
static void
put_escaped(StringInfo out, const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
	{
		if (*p == '\\' || *p == '"')
			appendStringInfoChar(out, '\\');
		if (*p == '\n')
			appendStringInfoString(out, "\\n");
		else
			appendStringInfoChar(out, *p);
	}
}

static void
put_label(StringInfo out, const char *name, const char *value)
{
	appendStringInfo(out, "%s=\"", name);
	put_escaped(out, value);
	appendStringInfoChar(out, '"');
}

/* suffix: what OpenMetrics does not count as the family's name. */
static void
put_family(Writer *w, const char *name, const char *suffix, const char *unit, const char *type, const char *help)
{
	if (w->openmetrics)
		suffix = "";
	else if (strcmp(type, "info") == 0)
		type = "gauge";
	appendStringInfo(w->out, "# HELP " PREFIX "%s%s %s.\n", name, suffix, help);
	appendStringInfo(w->out, "# TYPE " PREFIX "%s%s %s\n", name, suffix, type);
	if (w->openmetrics && unit[0] != '\0')
		appendStringInfo(w->out, "# UNIT " PREFIX "%s %s\n", name, unit);
}

/* Up to the value; more: further labels, "" for none. */
static void
put_series(Writer *w, const char *name, const char *suffix, const Sub *s, const char *more)
{
	appendStringInfo(w->out, PREFIX "%s%s{%s%s%s} ", name, suffix, w->labels[s - w->snapshot->subscriptions],
					 more[0] != '\0' ? "," : "", more);
}

static void
put_integer(Writer *w, int64 value)
{
	appendStringInfo(w->out, INT64_FORMAT "\n", value);
}

/* Exact: a counter of seconds must not go back by rounding. */
static void
put_seconds(Writer *w, int64 us)
{
	uint64		size = us < 0 ? -(uint64) us : (uint64) us;

	appendStringInfo(w->out, "%s" UINT64_FORMAT ".%06d\n", us < 0 ? "-" : "", size / USECS_PER_SEC, (int) (size % USECS_PER_SEC));
}

static const Sub *
next_shown(const Writer *w, const Sub *s)
{
	const Sub  *end = w->snapshot->subscriptions + w->snapshot->nsubscriptions;

	for (s = s == NULL ? w->snapshot->subscriptions : s + 1; s < end; s++)
	{
		if (w->shown[s - w->snapshot->subscriptions])
			return s;
	}
	return NULL;
}

/* ---- counters ---- */

static const struct Counter
{
	const char *metric;			/* NULL: shown otherwise */
	const char *unit;
	const char *labels;
	const char *help;
}			counters[BURROW_NCOUNTERS] = {
#define X(field, metric, unit, labels, description) {metric, unit, labels, description},
	BURROW_COUNTERS(X)
#undef X
};

static bool
is_first_of_metric(int number)
{
	for (int i = 0; i < number; i++)
	{
		if (counters[i].metric != NULL && strcmp(counters[i].metric, counters[number].metric) == 0)
			return false;
	}
	return true;
}

/* A family's samples stand together, also those of fields that do not. */
static void
put_counters(Writer *w)
{
	for (int i = 0; i < BURROW_NCOUNTERS; i++)
	{
		const char *metric = counters[i].metric;

		if (metric == NULL || !is_first_of_metric(i))
			continue;
		put_family(w, metric, "_total", counters[i].unit, "counter", counters[i].help);
		for (const Sub *s = next_shown(w, NULL); s != NULL; s = next_shown(w, s))
		{
			for (int j = i; j < BURROW_NCOUNTERS; j++)
			{
				if (counters[j].metric == NULL || strcmp(counters[j].metric, metric) != 0)
					continue;
				put_series(w, metric, "_total", s, counters[j].labels);
				/* what is counted in microseconds is shown in seconds */
				if (strcmp(counters[i].unit, "seconds") == 0)
					put_seconds(w, (int64) s->counters[j]);
				else
					put_integer(w, (int64) s->counters[j]);
			}
		}
	}
}

/* Classes that have had no failure are left out: there are many, and few occur. */
static void
put_failures(Writer *w)
{
	put_family(w, "handler_failures", "_total", "", "counter", "Attempts that ended with an error, by class of its SQLSTATE");
	for (const Sub *s = next_shown(w, NULL); s != NULL; s = next_shown(w, s))
	{
		for (int i = 0; i < BURROW_SQLSTATE_CLASSES; i++)
		{
			char		label[32];

			if (s->failures[i] == 0)
				continue;
			snprintf(label, sizeof(label), "sqlstate_class=\"%s\"", burrow_sqlstate_class_name(i));
			put_series(w, "handler_failures", "_total", s, label);
			put_integer(w, (int64) s->failures[i]);
		}
	}
	put_family(w, "dead_letters", "_total", "", "counter", "Messages that became dead letters because their attempts were used up");
	for (const Sub *s = next_shown(w, NULL); s != NULL; s = next_shown(w, s))
	{
		put_series(w, "dead_letters", "_total", s, "");
		put_integer(w, (int64) s->counters[BURROW_COUNTER_messages_dead_lettered]);
	}
	put_family(w, "restarts", "_total", "", "counter", "Ends of consumers that should have gone on, and were started again");
	for (const Sub *s = next_shown(w, NULL); s != NULL; s = next_shown(w, s))
	{
		put_series(w, "restarts", "_total", s, "");
		put_integer(w, (int64) s->restarts);
	}
}

/* ---- gauges ---- */

/* Each writes the samples of one subscription; none where the value is not known. */

static void
put_state(Writer *w, const char *name, const Sub *s)
{
	for (int i = 0; i <= BURROW_DISABLED; i++)
	{
		char		label[32];

		snprintf(label, sizeof(label), "state=\"%s\"", burrow_state_names[i]);
		put_series(w, name, "", s, label);
		put_integer(w, (int) s->state == i);
	}
}

static void
put_workers(Writer *w, const char *name, const Sub *s)
{
	for (int i = 0; i < BURROW_NWORKER_STATES; i++)
	{
		char		label[32];

		snprintf(label, sizeof(label), "state=\"%s\"", burrow_worker_state_names[i]);
		put_series(w, name, "", s, label);
		put_integer(w, s->workers[i]);
	}
}

static void
put_lag_seconds(Writer *w, const char *name, const Sub *s)
{
	if (!s->lag.time_known)
		return;
	put_series(w, name, "", s, "");
	put_seconds(w, s->lag.time_us);
}

static void
put_pending_age(Writer *w, const char *name, const Sub *s)
{
	put_series(w, name, "", s, "");
	put_seconds(w, s->oldest_pending_since == 0 ? 0 : Max(w->snapshot->at - s->oldest_pending_since, 0));
}

/* 0: not known */
static void
put_time(Writer *w, const char *name, const Sub *s, TimestampTz at)
{
	if (at == 0)
		return;
	put_series(w, name, "", s, "");
	put_seconds(w, at + (int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY);
}

static void
put_last_message(Writer *w, const char *name, const Sub *s)
{
	put_time(w, name, s, s->last_message_at);
}

static void
put_last_progress(Writer *w, const char *name, const Sub *s)
{
	put_time(w, name, s, s->last_progress_at);
}

static void
put_last_commit(Writer *w, const char *name, const Sub *s)
{
	put_time(w, name, s, s->last_commit_at);
}

static void
put_lag(Writer *w, const char *name, const Sub *s)
{
	if (!s->lag.known)
		return;
	put_series(w, name, "", s, "");
	put_integer(w, s->lag.messages);
}

static void
put_letters_pending(Writer *w, const char *name, const Sub *s)
{
	if (s->letters_pending < 0)
		return;
	put_series(w, name, "", s, "");
	put_integer(w, s->letters_pending);
}

#define INTEGER(name, field) \
static void \
name(Writer *w, const char *metric, const Sub *s) \
{ \
	put_series(w, metric, "", s, ""); \
	put_integer(w, (int64) s->field); \
}
INTEGER(put_connected, connected)
INTEGER(put_jobs_queued, jobs_queued)
INTEGER(put_inflight, inflight)
INTEGER(put_inflight_bytes, inflight_bytes)
INTEGER(put_partitions, partitions)
INTEGER(put_retries_waiting, retries_waiting)
INTEGER(put_taken, taken)
INTEGER(put_workers_wanted, workers_wanted)
INTEGER(put_parked_keys, parked_keys)

static const struct Gauge
{
	const char *name;
	const char *unit;
	const char *help;
	void		(*put) (Writer *w, const char *name, const Sub *s);
}			gauges[] = {
	{"subscription_state", "", "1 for the state that the subscription is in", put_state},
	{"kafka_connected", "", "1: the consumer runs, and Kafka answers it", put_connected},
	{"partitions", "", "Partitions that are assigned to the subscription in this server", put_partitions},
	{"consumer_lag_messages", "messages", "Offsets from the committed one to the end of the partition, over all partitions", put_lag},
	{"consumer_lag_seconds", "seconds", "Age of the oldest message that is not done; of one that was not taken from Kafka yet, the time since when it is known to be there", put_lag_seconds},
	{"last_message_timestamp_seconds", "seconds", "Kafka's timestamp of the newest message that is done", put_last_message},
	{"last_progress_timestamp_seconds", "seconds", "Time of the last transaction that handled a message", put_last_progress},
	{"last_commit_timestamp_seconds", "seconds", "Time when Kafka last acknowledged a commit", put_last_commit},
	{"pending_messages", "messages", "Messages taken from Kafka and not done", put_taken},
	{"queued_messages", "messages", "Messages that could run, or wait behind others", put_jobs_queued},
	{"queued_bytes", "bytes", "Bytes of all messages taken from Kafka and not done", put_inflight_bytes},
	{"in_flight_messages", "messages", "Messages in workers' hands", put_inflight},
	{"waiting_retries", "", "Messages that wait for their next attempt", put_retries_waiting},
	{"oldest_pending_age_seconds", "seconds", "Time since the oldest message that is not done was taken from Kafka; 0: there is none", put_pending_age},
	{"dead_letters_pending", "", "Rows of burrow.dead_letters, when the consumer last counted them", put_letters_pending},
	{"parked_keys", "", "Keys whose messages wait behind a dead letter", put_parked_keys},
	{"workers", "", "Worker processes by state", put_workers},
	{"wanted_workers", "", "Workers that the pool would like to have now", put_workers_wanted},
};

static void
put_gauges(Writer *w)
{
	for (int i = 0; i < lengthof(gauges); i++)
	{
		put_family(w, gauges[i].name, "", gauges[i].unit, "gauge", gauges[i].help);
		for (const Sub *s = next_shown(w, NULL); s != NULL; s = next_shown(w, s))
			gauges[i].put(w, gauges[i].name, s);
	}
}

/* ---- histograms ---- */

static const struct Histogram
{
	const char *name;
	const char *help;
	size_t		offset;
}			histograms[] = {
	{"handler_duration_seconds", "Time of the handler's calls that succeeded", offsetof(Sub, handler_time)},
	{"message_latency_seconds", "Time from a message's timestamp to the commit of its transaction", offsetof(Sub, end_to_end_time)},
	{"kafka_commit_duration_seconds", "Time from sending offsets to Kafka to its acknowledgement", offsetof(Sub, kafka_commit_time)},
};

/* n bounds; cumulative: up to each, and all. */
static void
put_buckets(Writer *w, const char *name, const Sub *s, int n, const char *(*bound) (unsigned number), const uint64_t *cumulative)
{
	for (int i = 0; i <= n; i++)
	{
		char		label[32];

		snprintf(label, sizeof(label), "le=\"%s\"", i < n ? bound(i) : "+Inf");
		put_series(w, name, "_bucket", s, label);
		put_integer(w, (int64) cumulative[i]);
	}
	put_series(w, name, "_count", s, "");
	put_integer(w, (int64) cumulative[n]);
	put_series(w, name, "_sum", s, "");
}

static void
put_histogram(Writer *w, const char *name, const Sub *s, const BurrowHistogram *h)
{
	uint64_t	cumulative[BURROW_HISTOGRAM_NBOUNDS + 1];

	burrow_histogram_cumulative(h, cumulative);
	put_buckets(w, name, s, BURROW_HISTOGRAM_NBOUNDS, burrow_histogram_bound, cumulative);
	appendStringInfo(w->out, "%.6f\n", burrow_histogram_sum(h));
}

static void
put_transaction_messages(Writer *w)
{
	static const char *const name = "transaction_messages";

	put_family(w, name, "", "messages", "histogram", "Messages of a transaction that was committed");
	for (const Sub *s = next_shown(w, NULL); s != NULL; s = next_shown(w, s))
	{
		uint64_t	cumulative[BURROW_SIZES_NBOUNDS + 1];

		burrow_sizes_cumulative(&s->transaction_messages, cumulative);
		put_buckets(w, name, s, BURROW_SIZES_NBOUNDS, burrow_sizes_bound, cumulative);
		put_integer(w, (int64) burrow_sizes_sum(&s->transaction_messages));
	}
}

static void
put_histograms(Writer *w)
{
	for (int i = 0; i < lengthof(histograms); i++)
	{
		put_family(w, histograms[i].name, "", "seconds", "histogram", histograms[i].help);
		for (const Sub *s = next_shown(w, NULL); s != NULL; s = next_shown(w, s))
			put_histogram(w, histograms[i].name, s, (const BurrowHistogram *) ((const char *) s + histograms[i].offset));
	}
	put_transaction_messages(w);
}

/* ---- partitions ---- */

static int64
partition_lag(const Part *p)
{
	return p->committed < 0 || p->end < 0 ? -1 : burrow_snapshot_lag(p->committed, p->end);
}

static int64
partition_processed(const Part *p)
{
	return p->processed;
}

static int64
partition_committed(const Part *p)
{
	return p->committed;
}

static int64
partition_end(const Part *p)
{
	return p->end;
}

static const struct PartitionGauge
{
	const char *name;
	const char *unit;
	const char *help;
	int64		(*value) (const Part *p);	/* below 0: not known */
}			partition_gauges[] = {
	{"partition_lag_messages", "messages", "Offsets from the committed one to the end of the partition", partition_lag},
	{"partition_processed_offset", "", "All messages before this offset are done", partition_processed},
	{"partition_committed_offset", "", "Offset that Kafka acknowledged as committed", partition_committed},
	{"partition_log_end_offset", "", "End of the partition as far as it can be read", partition_end},
};

static void
put_partition_gauges(Writer *w)
{
	const BurrowSnapshot *snapshot = w->snapshot;

	for (int i = 0; i < lengthof(partition_gauges); i++)
	{
		put_family(w, partition_gauges[i].name, "", partition_gauges[i].unit, "gauge", partition_gauges[i].help);
		for (const Part *p = snapshot->partitions; p < snapshot->partitions + snapshot->npartitions; p++)
		{
			StringInfoData labels;
			int64		value = partition_gauges[i].value(p);

			if (!w->shown[p->subscription] || value < 0)
				continue;
			initStringInfo(&labels);
			put_label(&labels, "topic", p->topic);
			appendStringInfo(&labels, ",partition=\"%d\"", p->partition);
			put_series(w, partition_gauges[i].name, "", &snapshot->subscriptions[p->subscription], labels.data);
			put_integer(w, value);
			pfree(labels.data);
		}
	}
}

/* ---- all ---- */

static void
put_server(Writer *w)
{
	put_family(w, "build", "_info", "", "info", "Versions of Burrow, PostgreSQL and librdkafka; the last is known once a consumer has run");
	appendStringInfoString(w->out, PREFIX "build_info{");
	put_label(w->out, "version", BURROW_VERSION);
	appendStringInfoChar(w->out, ',');
	put_label(w->out, "postgresql", PG_VERSION);
	appendStringInfoChar(w->out, ',');
	put_label(w->out, "librdkafka", w->snapshot->librdkafka);
	appendStringInfoString(w->out, "} 1\n");

	put_family(w, "shared_memory_bytes", "", "bytes", "gauge", "Burrow's part of PostgreSQL's main shared memory");
	appendStringInfo(w->out, PREFIX "shared_memory_bytes %zu\n", burrow_registry_shmem_size());
}

static void
put_info(Writer *w)
{
	put_family(w, "subscription", "_info", "", "info", "What a subscription is");
	for (const Sub *s = next_shown(w, NULL); s != NULL; s = next_shown(w, s))
	{
		StringInfoData label;

		initStringInfo(&label);
		put_label(&label, "consumer_group", s->labels.consumer_group);
		put_series(w, "subscription", "_info", s, label.data);
		appendStringInfoString(w->out, "1\n");
		pfree(label.data);
	}
}

static void
set_up(Writer *w, const BurrowMetricsRequest *request)
{
	const BurrowSnapshot *snapshot = w->snapshot;

	w->shown = palloc(sizeof(bool) * Max(snapshot->nsubscriptions, 1));
	w->labels = palloc(sizeof(char *) * Max(snapshot->nsubscriptions, 1));
	for (int i = 0; i < snapshot->nsubscriptions; i++)
	{
		const Sub  *s = &snapshot->subscriptions[i];
		StringInfoData label;

		initStringInfo(&label);
		put_label(&label, "database", s->labels.database);
		appendStringInfoChar(&label, ',');
		put_label(&label, "subscription", s->labels.subscription);
		w->labels[i] = label.data;
		w->shown[i] = request->may_see == NULL || request->may_see(s->owner);
	}
}

void
burrow_metrics_write(StringInfo out, const BurrowMetricsRequest *request)
{
	MemoryContext old = CurrentMemoryContext;
	MemoryContext cxt = AllocSetContextCreate(old, "burrow metrics", ALLOCSET_DEFAULT_SIZES);
	Writer		w = {.out = out, .openmetrics = request->openmetrics};

	MemoryContextSwitchTo(cxt);
	w.snapshot = burrow_snapshot_take(request->dboid, request->partitions ? BURROW_SNAPSHOT_PARTITIONS : 0);
	set_up(&w, request);
	put_server(&w);
	put_info(&w);
	put_counters(&w);
	put_failures(&w);
	put_gauges(&w);
	put_histograms(&w);
	if (request->partitions)
		put_partition_gauges(&w);
	if (request->openmetrics)
		appendStringInfoString(out, "# EOF\n");
	MemoryContextSwitchTo(old);
	MemoryContextDelete(cxt);
}
