/*
 * status_page.c
 *	  The page for people: what all subscriptions do now, as one HTML document.
 *
 * All is in the document, style and script as well (status_page_parts.c), and it is complete as the server sends
 * it.  The script only fetches it again and puts what has changed in the place of what is there: an
 * element with the attribute data-part stands for one of the same in the new document.
 *
 * It says what members of pg_monitor may see in the views: no key, no value, and of errors the class of the SQLSTATE
 * alone, because a handler's message may quote a message's contents.
 *
 * A table has a limit of rows, and what is in trouble comes first: a page of thousands of rows helps nobody.
 *
 * Runs in: the exporter.
 * Locking: what the snapshot takes.
 */
#include "postgres.h"

#include "access/xlog.h"

#include "burrow.h"
#include "exporter/health.h"
#include "exporter/history_graph.h"
#include "exporter/html.h"
#include "exporter/status_page.h"
#include "exporter/status_page_parts.h"
#include "metrics/snapshot.h"

#define MAX_ROWS	200			/* of a table */
#define STEPS		60			/* of the history: ten minutes */

typedef BurrowSubscriptionSnapshot Sub;
typedef BurrowPartitionSnapshot Part;
typedef BurrowWorkerSnapshot Worker;

typedef struct Column
{
	const char *label;
	bool		number;
} Column;

typedef struct Page
{
	StringInfo	out;
	const BurrowSnapshot *snapshot;
	const Column *columns;		/* of the table that is being written */
	int			ncolumns;
	int			column;			/* of the next cell */
} Page;

/* ---- tables ---- */

static void
begin_table(Page *p, const char *id, const char *caption, const Column *columns, int ncolumns)
{
	p->columns = columns;
	p->ncolumns = ncolumns;
	p->column = 0;
	appendStringInfo(p->out, "<table id=\"%s\"><caption><h2>%s</h2></caption>\n<thead><tr>", id, caption);
	for (int i = 0; i < ncolumns; i++)
		appendStringInfo(p->out, "<th scope=\"col\"%s>%s</th>", columns[i].number ? " class=\"n\"" : "", columns[i].label);
	appendStringInfo(p->out, "</tr></thead>\n<tbody data-part=\"%s\">\n", id);
}

static void
end_table(Page *p, int total)
{
	if (total == 0)
		appendStringInfo(p->out, "<tr><td class=\"all\" colspan=\"%d\">none</td></tr>\n", p->ncolumns);
	if (total > MAX_ROWS)
		appendStringInfo(p->out, "<tr><td class=\"all\" colspan=\"%d\">and %d more</td></tr>\n", p->ncolumns, total - MAX_ROWS);
	appendStringInfoString(p->out, "</tbody></table>\n");
}

/* Where a telephone shows a row as a list, the label stands before the value.  The first cell is the row's name. */
static void
begin_cell(Page *p)
{
	const Column *column = &p->columns[p->column];

	if (p->column == 0)
		appendStringInfoString(p->out, "<tr><th scope=\"row\"");
	else
		appendStringInfoString(p->out, "<td");
	appendStringInfo(p->out, " data-label=\"%s\"%s>", column->label, column->number ? " class=\"n\"" : "");
}

static void
end_cell(Page *p)
{
	appendStringInfoString(p->out, p->column == 0 ? "</th>" : "</td>");
	if (++p->column < p->ncolumns)
		return;
	p->column = 0;
	appendStringInfoString(p->out, "</tr>\n");
}

static void
put_count(Page *p, int64 count)
{
	begin_cell(p);
	burrow_html_count(p->out, count);
	end_cell(p);
}

/* below 0: not known */
static void
put_offset(Page *p, int64 offset)
{
	begin_cell(p);
	if (offset >= 0)
		appendStringInfo(p->out, INT64_FORMAT, offset);
	end_cell(p);
}

/* 0: there is none */
static void
put_age(Page *p, TimestampTz since)
{
	begin_cell(p);
	if (since != 0)
		burrow_html_age(p->out, since, p->snapshot->at);
	end_cell(p);
}

static void
put_subscription(Page *p, const Sub *s)
{
	begin_cell(p);
	burrow_html_name(p->out, s->labels.subscription);
	appendStringInfoString(p->out, " <small>in ");
	burrow_html_name(p->out, s->labels.database);
	appendStringInfoString(p->out, "</small>");
	end_cell(p);
}

/* "class 23" */
static void
append_class(Page *p, const char *sqlstate)
{
	appendStringInfo(p->out, "class %s", burrow_sqlstate_class_name(burrow_sqlstate_class(sqlstate)));
}

/* As burrow.stats shows it. */
static int64
counted(const Sub *s, BurrowCounter counter)
{
	return (int64) (s->counters[counter] - s->stats_base[counter]);
}

/* ---- subscriptions ---- */

static void
append_retries(Page *p, const Sub *s)
{
	const BurrowRetryInfo *r = &s->retries;

	appendStringInfoString(p->out, "<li>");
	burrow_html_count(p->out, (int64) r->n);
	appendStringInfo(p->out, r->n == 1 ? " message waits for its retry: " : " messages wait for their retry, the first of them: ");
	burrow_html_name(p->out, r->topic);
	appendStringInfo(p->out, " partition %d offset " INT64_FORMAT ", attempt %u", r->partition, r->offset, r->attempt);
	if (r->at > p->snapshot->at)
	{
		appendStringInfoString(p->out, " in ");
		burrow_html_duration(p->out, (double) (r->at - p->snapshot->at) / USECS_PER_SEC);
	}
	appendStringInfoString(p->out, "; failed first ");
	burrow_html_age(p->out, r->since, p->snapshot->at);
	appendStringInfoString(p->out, " ago</li>");
}

/* Why it is not as it should be: all that its consumer has met, in the words of burrow.why_stuck(). */
static void
append_reasons(Page *p, const Sub *s)
{
	appendStringInfoString(p->out, " <ul>");
	if (s->state == BURROW_HALTED && s->error_at != 0)
	{
		appendStringInfoString(p->out, "<li>error of ");
		append_class(p, s->error_sqlstate);
		appendStringInfoString(p->out, ", ");
		burrow_html_age(p->out, s->error_at, p->snapshot->at);
		appendStringInfoString(p->out, " ago</li>");
	}
	if (s->retries_waiting > 0)
		append_retries(p, s);
	for (int kind = 0; kind < BURROW_NTROUBLES; kind++)
	{
		const BurrowTroubleSnapshot *trouble = &s->troubles[kind];

		if (trouble->since == 0 || (kind == BURROW_TROUBLE_RETRY && s->retries_waiting > 0))
			continue;
		appendStringInfo(p->out, "<li>%s (",
						 trouble->cause != BURROW_CAUSE_NO_ANSWER ? burrow_kafka_cause_words(trouble->cause) :
						 burrow_trouble_kinds[kind].words);
		append_class(p, trouble->sqlstate);
		appendStringInfoString(p->out, "), for ");
		burrow_html_age(p->out, trouble->since, p->snapshot->at);
		appendStringInfoString(p->out, "</li>");
	}
	appendStringInfoString(p->out, "</ul>");
}

static void
put_state(Page *p, const Sub *s)
{
	begin_cell(p);
	appendStringInfo(p->out, "<span class=\"state %s\">%s</span>", burrow_state_names[s->state], burrow_state_names[s->state]);
	/* what a consumer has met before it was stopped is over */
	if (s->state != BURROW_PAUSED && s->state != BURROW_DISABLED)
		append_reasons(p, s);
	end_cell(p);
}

static void
put_workers_of(Page *p, const Sub *s)
{
	static const char *const short_of[] = {
		[BURROW_SHORT_OF_NOTHING] = "",
		[BURROW_SHORT_OF_SLOTS] = "burrow.max_workers",
		[BURROW_SHORT_OF_PROCESSES] = "max_worker_processes",
		[BURROW_SHORT_OF_MEMORY] = "dynamic shared memory",
		[BURROW_SHORT_OF_ROLE] = "burrow.max_workers_per_role",
		[BURROW_SHORT_OF_SHARE] = "others have some of its share",
	};
	int			busy = s->workers[BURROW_WORKER_IS_RUNNING] + s->workers[BURROW_WORKER_IS_COMMITTING];
	int			workers = s->workers[BURROW_WORKER_IS_STARTING] + s->workers[BURROW_WORKER_IS_IDLE] + busy;

	begin_cell(p);
	appendStringInfo(p->out, "%d, %d busy", workers, busy);
	if (s->attached && s->shortage != BURROW_SHORT_OF_NOTHING)
		appendStringInfo(p->out, " <ul><li>%d wanted: %s</li></ul>", s->workers_wanted, short_of[s->shortage]);
	end_cell(p);
}

/* The rate is that of the last step that is known; one that has just ended may not be there yet. */
static void
put_rate(Page *p, const BurrowHistoryStep * steps)
{
	const		BurrowHistoryStep *last = &steps[steps[STEPS - 1].known ? STEPS - 1 : STEPS - 2];
	double		rates[STEPS];

	for (int i = 0; i < STEPS; i++)
		rates[i] = steps[i].known ? burrow_history_done(&steps[i]) / ((double) BURROW_HISTORY_STEP_US / USECS_PER_SEC) : -1;
	begin_cell(p);
	if (last->known)
		appendStringInfo(p->out, "%.1f/s", rates[last - steps]);
	burrow_history_graph_write(p->out, "Messages a second in the last ten minutes", rates, STEPS);
	end_cell(p);
}

static void
put_lag(Page *p, const Sub *s, const BurrowHistoryStep * steps)
{
	double		lags[STEPS];

	for (int i = 0; i < STEPS; i++)
		lags[i] = steps[i].known ? (double) steps[i].lag : -1;
	begin_cell(p);
	if (s->lag.known)
		burrow_html_count(p->out, s->lag.messages);
	burrow_history_graph_write(p->out, "Lag in the last ten minutes", lags, STEPS);
	end_cell(p);
}

static void
put_subscription_row(Page *p, const Sub *s)
{
	BurrowHistoryStep steps[STEPS];

	burrow_snapshot_history(p->snapshot, s - p->snapshot->subscriptions, STEPS, steps);
	put_subscription(p, s);
	put_state(p, s);
	put_rate(p, steps);
	put_lag(p, s, steps);
	begin_cell(p);
	if (s->lag.time_known)
		burrow_html_duration(p->out, (double) s->lag.time_us / USECS_PER_SEC);
	end_cell(p);
	put_age(p, s->oldest_pending_since);
	put_count(p, (int64) s->taken);
	put_workers_of(p, s);
	put_count(p, counted(s, BURROW_COUNTER_messages_processed));
}

/* What needs somebody comes first. */
static int
rank(const Sub *s)
{
	static const int ranks[] = {
		[BURROW_HALTED] = 0,
		[BURROW_RETRYING] = 1,
		[BURROW_STALLED] = 1,
		[BURROW_STARTING] = 2,
		[BURROW_RUNNING] = 3,
		[BURROW_PAUSED] = 4,
		[BURROW_DISABLED] = 5,
	};

	return ranks[s->state];
}

static int
compare_subscriptions(const void *a, const void *b)
{
	const Sub  *x = *(const Sub *const *) a;
	const Sub  *y = *(const Sub *const *) b;
	int			order = strcmp(x->labels.database, y->labels.database);

	if (rank(x) != rank(y))
		return rank(x) - rank(y);
	return order != 0 ? order : strcmp(x->labels.subscription, y->labels.subscription);
}

static const Sub **
sort_subscriptions(const BurrowSnapshot *snapshot)
{
	const Sub **sorted = palloc(sizeof(Sub *) * Max(snapshot->nsubscriptions, 1));

	for (int i = 0; i < snapshot->nsubscriptions; i++)
		sorted[i] = &snapshot->subscriptions[i];
	qsort(sorted, snapshot->nsubscriptions, sizeof(Sub *), compare_subscriptions);
	return sorted;
}

static void
put_subscriptions(Page *p, const Sub **sorted)
{
	static const Column columns[] = {
		{"Subscription"}, {"State"}, {"Rate", true}, {"Lag", true}, {"Behind", true}, {"Oldest pending", true}, {"Pending", true}, {"Workers", true},
		{"Handled", true}
	};
	int			n = p->snapshot->nsubscriptions;

	begin_table(p, "subscriptions", "Subscriptions", columns, lengthof(columns));
	for (int i = 0; i < Min(n, MAX_ROWS); i++)
		put_subscription_row(p, sorted[i]);
	end_table(p, n);
}

/* ---- errors ---- */

/* "23: 100, 40: 1"; a reset of the statistics does not know classes. */
static void
put_classes(Page *p, const Sub *s)
{
	const char *separator = "";

	begin_cell(p);
	for (int i = 0; i < BURROW_SQLSTATE_CLASSES; i++)
	{
		if (s->failures[i] == 0)
			continue;
		appendStringInfo(p->out, "%s%s: ", separator, burrow_sqlstate_class_name(i));
		burrow_html_count(p->out, (int64) s->failures[i]);
		separator = ", ";
	}
	end_cell(p);
}

static bool
has_errors(const Sub *s)
{
	return s->error_at != 0 || s->letters_pending > 0 || s->retries_waiting > 0 || s->restarts > 0 || counted(s, BURROW_COUNTER_messages_failed) > 0 ||
		counted(s, BURROW_COUNTER_messages_dead_lettered) > 0 || counted(s, BURROW_COUNTER_messages_parked) > 0 ||
		counted(s, BURROW_COUNTER_messages_skipped) > 0;
}

static void
put_errors_row(Page *p, const Sub *s)
{
	put_subscription(p, s);
	begin_cell(p);
	if (s->letters_pending >= 0)
		burrow_html_count(p->out, s->letters_pending);
	end_cell(p);
	put_count(p, counted(s, BURROW_COUNTER_messages_dead_lettered));
	put_count(p, counted(s, BURROW_COUNTER_messages_parked));
	put_count(p, counted(s, BURROW_COUNTER_messages_skipped));
	put_count(p, counted(s, BURROW_COUNTER_messages_failed));
	put_classes(p, s);
	put_count(p, (int64) s->retries_waiting);
	put_count(p, (int64) s->restarts);
	begin_cell(p);
	if (s->error_at != 0)
	{
		append_class(p, s->error_sqlstate);
		appendStringInfoString(p->out, ", ");
		burrow_html_age(p->out, s->error_at, p->snapshot->at);
		appendStringInfoString(p->out, " ago");
	}
	end_cell(p);
}

/* Of those that have had any. */
static void
put_errors(Page *p, const Sub **sorted)
{
	static const Column columns[] = {
		{"Subscription"}, {"Dead letters", true}, {"Became dead letters", true}, {"Parked", true}, {"Skipped", true},
		{"Failed attempts", true}, {"By class, since the start"}, {"Wait for retry", true},
		{"Restarts", true}, {"Last error"}
	};
	int			n = 0;

	begin_table(p, "errors", "Errors and dead letters", columns, lengthof(columns));
	for (int i = 0; i < p->snapshot->nsubscriptions; i++)
	{
		if (has_errors(sorted[i]) && n++ < MAX_ROWS)
			put_errors_row(p, sorted[i]);
	}
	end_table(p, n);
}

/* ---- partitions ---- */

static int64
partition_lag(const Part *part)
{
	return part->committed < 0 || part->end < 0 ? -1 : burrow_snapshot_lag(part->committed, part->end);
}

/* 0 comes last. */
static int
compare_since(TimestampTz a, TimestampTz b)
{
	if (a == b)
		return 0;
	return a != 0 && (b == 0 || a < b) ? -1 : 1;
}

static int
compare_partitions(const void *a, const void *b)
{
	const Part *x = a;
	const Part *y = b;
	int			order = compare_since(x->trouble_since, y->trouble_since);

	if (order == 0)
		order = compare_since(x->oldest_pending_since, y->oldest_pending_since);
	if (order == 0)
		order = partition_lag(x) == partition_lag(y) ? 0 : partition_lag(x) > partition_lag(y) ? -1 : 1;
	if (order == 0)
		order = strcmp(x->topic, y->topic);
	return order != 0 ? order : x->partition - y->partition;
}

static void
put_partition_state(Page *p, const Part *part)
{
	begin_cell(p);
	if (part->trouble_since != 0)
	{
		appendStringInfoString(p->out, "cannot be fetched (");
		append_class(p, part->trouble_sqlstate);
		appendStringInfoString(p->out, "), for ");
		burrow_html_age(p->out, part->trouble_since, p->snapshot->at);
	}
	else if (part->blocked_since != 0)
	{
		appendStringInfoString(p->out, "behind an open transaction, for ");
		burrow_html_age(p->out, part->blocked_since, p->snapshot->at);
	}
	else if (part->window_full)
		appendStringInfoString(p->out, "window full: no more are taken until the oldest is done");
	end_cell(p);
}

static void
put_partitions(Page *p)
{
	static const Column columns[] = {
		{"Partition"}, {"Subscription"}, {"Oldest offset", true}, {"Pending for", true}, {"Pending", true}, {"Done up to", true},
		{"Committed", true}, {"End", true}, {"Lag", true}, {"State"}
	};
	int			n = p->snapshot->npartitions;

	qsort(p->snapshot->partitions, n, sizeof(Part), compare_partitions);
	begin_table(p, "partitions", "Partitions", columns, lengthof(columns));
	for (const Part *part = p->snapshot->partitions; part < p->snapshot->partitions + Min(n, MAX_ROWS); part++)
	{
		begin_cell(p);
		burrow_html_name(p->out, part->topic);
		appendStringInfo(p->out, " %d", part->partition);
		end_cell(p);
		put_subscription(p, &p->snapshot->subscriptions[part->subscription]);
		put_offset(p, part->oldest_pending_since != 0 ? part->oldest_pending : -1);
		put_age(p, part->oldest_pending_since);
		put_count(p, (int64) part->taken);
		put_offset(p, part->processed);
		put_offset(p, part->committed);
		put_offset(p, part->end);
		begin_cell(p);
		if (partition_lag(part) >= 0)
			burrow_html_count(p->out, partition_lag(part));
		end_cell(p);
		put_partition_state(p, part);
	}
	end_table(p, n);
}

/* ---- workers ---- */

static int
compare_workers(const void *a, const void *b)
{
	const Worker *x = a;
	const Worker *y = b;
	int			order = compare_since(x->since, y->since);

	if (order == 0)
		order = x->subscription - y->subscription;
	return order != 0 ? order : x->lane - y->lane;
}

static void
put_workers(Page *p)
{
	static const Column columns[] = {
		{"Worker"}, {"Subscription"}, {"Process", true}, {"State"}, {"Message"}, {"For", true}, {"Handled", true}, {"Failed", true}
	};
	int			n = p->snapshot->nworkers;

	qsort(p->snapshot->workers, n, sizeof(Worker), compare_workers);
	begin_table(p, "workers", "Workers", columns, lengthof(columns));
	for (const Worker *w = p->snapshot->workers; w < p->snapshot->workers + Min(n, MAX_ROWS); w++)
	{
		put_count(p, w->lane);
		put_subscription(p, &p->snapshot->subscriptions[w->subscription]);
		put_offset(p, w->pid == 0 ? -1 : w->pid);
		begin_cell(p);
		appendStringInfoString(p->out, burrow_worker_state_names[w->state]);
		end_cell(p);
		begin_cell(p);
		if (w->state == BURROW_WORKER_IS_RUNNING && w->topic[0] != '\0')
		{
			burrow_html_name(p->out, w->topic);
			appendStringInfo(p->out, " %d offset " INT64_FORMAT, w->partition, w->offset);
		}
		end_cell(p);
		put_age(p, w->since);
		put_count(p, (int64) w->messages_processed);
		put_count(p, (int64) w->messages_failed);
	}
	end_table(p, n);
}

/* ---- the document ---- */

/* "3 subscriptions: 1 halted, 2 running" */
static void
append_summary(StringInfo out, const BurrowSnapshot *snapshot)
{
	static const BurrowState order[] = {BURROW_HALTED, BURROW_STALLED, BURROW_RETRYING, BURROW_STARTING, BURROW_RUNNING, BURROW_PAUSED, BURROW_DISABLED};
	const char *separator = ": ";

	appendStringInfo(out, "%d subscription%s", snapshot->nsubscriptions, snapshot->nsubscriptions == 1 ? "" : "s");
	for (int i = 0; i < lengthof(order); i++)
	{
		int			n = 0;

		for (const Sub *s = snapshot->subscriptions; s < snapshot->subscriptions + snapshot->nsubscriptions; s++)
			n += s->state == order[i];
		if (n == 0)
			continue;
		appendStringInfo(out, "%s%d %s", separator, n, burrow_state_names[order[i]]);
		separator = ", ";
	}
}

static void
append_head(Page *p, const char *nonce)
{
	appendStringInfoString(p->out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>");
	append_summary(p->out, p->snapshot);
	appendStringInfo(p->out, " - Burrow</title>\n"
					 "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
					 "<meta name=\"color-scheme\" content=\"light dark\">\n"
					 "<link rel=\"icon\" href=\"%s\">\n"
					 "<noscript><meta http-equiv=\"refresh\" content=\"10\"></noscript>\n"
					 "<style nonce=\"%s\">\n%s</style>\n</head>\n",
					 burrow_status_page_icon, nonce, burrow_status_page_style);
}

static void
append_header(Page *p)
{
	const char *trouble = burrow_health_trouble();

	/* what is read aloud when it changes is the summary alone, which changes rarely */
	appendStringInfoString(p->out, "<header>\n<h1>Burrow</h1>\n<p id=\"summary\" role=\"status\" data-part=\"summary\">");
	append_summary(p->out, p->snapshot);
	appendStringInfoChar(p->out, '.');
	if (RecoveryInProgress())
		appendStringInfoString(p->out, " <strong>The server is a standby, or recovers.</strong>");
	else if (trouble != NULL)
		appendStringInfo(p->out, " <strong>No consumer can be started: %s.</strong>", trouble);
	appendStringInfoString(p->out, "</p>\n<p id=\"updates\"><span data-part=\"at\">");
	burrow_html_time(p->out, p->snapshot->at);
	appendStringInfoString(p->out, "</span></p>\n"
						   "<nav aria-label=\"Tables\"><a href=\"#subscriptions\">Subscriptions</a> <a href=\"#errors\">Errors and dead letters</a> "
						   "<a href=\"#partitions\">Partitions</a> <a href=\"#workers\">Workers</a></nav>\n</header>\n");
}

static void
append_footer(Page *p, const char *nonce)
{
	appendStringInfo(p->out, "<footer>Burrow " BURROW_VERSION ", PostgreSQL " PG_VERSION "%s", p->snapshot->librdkafka[0] != '\0' ? ", librdkafka " : "");
	burrow_html_text(p->out, p->snapshot->librdkafka);
	appendStringInfo(p->out, "</footer>\n<script nonce=\"%s\">\n%s</script>\n</body>\n</html>\n", nonce, burrow_status_page_script);
}

void
burrow_status_page_write(StringInfo out, const char *nonce)
{
	Page		p = {.out = out};
	const Sub **sorted;

	p.snapshot = burrow_snapshot_take(InvalidOid, BURROW_SNAPSHOT_PARTITIONS | BURROW_SNAPSHOT_WORKERS);
	sorted = sort_subscriptions(p.snapshot);
	append_head(&p, nonce);
	appendStringInfoString(out, "<body>\n");
	append_header(&p);
	appendStringInfoString(out, "<main>\n");
	put_subscriptions(&p, sorted);
	put_errors(&p, sorted);
	put_partitions(&p);
	put_workers(&p);
	appendStringInfoString(out, "</main>\n");
	append_footer(&p, nonce);
}
