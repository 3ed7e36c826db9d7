/*
 * burrow.sql
 *	  Functions and views of Burrow, and who may use them, as they are now.
 *
 * `make` puts burrow_tables.sql before this file, which makes CREATE EXTENSION's script, and what is in update/
 * around it, which makes ALTER EXTENSION UPDATE's: so nothing here is written twice.  An update replaces what
 * is here, and what cannot be replaced, because its columns or arguments are others now, it drops before
 * (update/<version>.sql).  Columns of a view that come last can be replaced.
 *
 * What users call is not executable by PUBLIC; what the views need is, and tells a role no more
 * than the views do: functions in a view are called as the user of the view.
 */

-- ---------------------------------------------------------------- subscriptions

-- The defaults are those of the one option table in C; see burrow.options().
CREATE OR REPLACE FUNCTION burrow.subscribe(
	topic text,
	handler text,
	subscription text DEFAULT NULL,
	server name DEFAULT NULL,
	consumer_group text DEFAULT NULL,
	join_group boolean DEFAULT false,
	start_from text DEFAULT 'earliest',
	delivery text DEFAULT 'exactly_once',
	ordering text DEFAULT 'key',
	workers bigint DEFAULT 4,
	min_workers bigint DEFAULT 1,
	batch_size bigint DEFAULT 100,
	batch_time interval DEFAULT '10 ms',
	max_inflight bigint DEFAULT NULL,
	max_inflight_bytes burrow.byte_size DEFAULT '64 MB',
	queue_memory burrow.byte_size DEFAULT '64 MB',
	"window" bigint DEFAULT 100000,
	commit_interval interval DEFAULT '5 s',
	commit_batch_size bigint DEFAULT 1000,
	max_retries bigint DEFAULT 3,
	retry_strategy text DEFAULT 'exponential',
	retry_backoff interval DEFAULT '100 ms',
	retry_backoff_max interval DEFAULT '1 min',
	permanent_errors text[] DEFAULT '{22,23,42}',
	on_failure text DEFAULT 'halt',
	dead_letter_topic text DEFAULT NULL,
	dead_letter_headers text DEFAULT 'connect,spring',
	park_key boolean DEFAULT false,
	on_gap text DEFAULT 'halt',
	max_consecutive_errors bigint DEFAULT 10,
	handler_timeout interval DEFAULT NULL,
	shutdown_timeout interval DEFAULT '30 s',
	synchronous_commit text DEFAULT 'off',
	run_as_owner boolean DEFAULT false,
	enabled boolean DEFAULT true,
	kafka jsonb DEFAULT '{}'
) RETURNS text
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'burrow_sql_subscribe';
COMMENT ON FUNCTION burrow.subscribe IS 'have a function called for each message of a Kafka topic, or for many at once where it takes arrays; returns the name of the subscription';

CREATE OR REPLACE FUNCTION burrow.alter(
	subscription text,
	topic text DEFAULT NULL,
	handler text DEFAULT NULL,
	owner name DEFAULT NULL,
	server name DEFAULT NULL,
	consumer_group text DEFAULT NULL,
	join_group boolean DEFAULT NULL,
	start_from text DEFAULT NULL,
	delivery text DEFAULT NULL,
	ordering text DEFAULT NULL,
	workers bigint DEFAULT NULL,
	min_workers bigint DEFAULT NULL,
	batch_size bigint DEFAULT NULL,
	batch_time interval DEFAULT NULL,
	max_inflight bigint DEFAULT NULL,
	max_inflight_bytes burrow.byte_size DEFAULT NULL,
	queue_memory burrow.byte_size DEFAULT NULL,
	"window" bigint DEFAULT NULL,
	commit_interval interval DEFAULT NULL,
	commit_batch_size bigint DEFAULT NULL,
	max_retries bigint DEFAULT NULL,
	retry_strategy text DEFAULT NULL,
	retry_backoff interval DEFAULT NULL,
	retry_backoff_max interval DEFAULT NULL,
	permanent_errors text[] DEFAULT NULL,
	on_failure text DEFAULT NULL,
	dead_letter_topic text DEFAULT NULL,
	dead_letter_headers text DEFAULT NULL,
	park_key boolean DEFAULT NULL,
	on_gap text DEFAULT NULL,
	max_consecutive_errors bigint DEFAULT NULL,
	handler_timeout interval DEFAULT NULL,
	shutdown_timeout interval DEFAULT NULL,
	synchronous_commit text DEFAULT NULL,
	run_as_owner boolean DEFAULT NULL,
	enabled boolean DEFAULT NULL,
	kafka jsonb DEFAULT NULL
) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'burrow_sql_alter';
COMMENT ON FUNCTION burrow.alter IS 'change options of a subscription; what is NULL is left as it is';

CREATE OR REPLACE FUNCTION burrow.unsubscribe(subscription text) RETURNS void
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'burrow_sql_unsubscribe';
COMMENT ON FUNCTION burrow.unsubscribe IS 'end a subscription and forget its progress';

CREATE OR REPLACE FUNCTION burrow.pause(subscription text) RETURNS void
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'burrow_sql_pause';
COMMENT ON FUNCTION burrow.pause IS 'stop a subscription until burrow.resume()';

CREATE OR REPLACE FUNCTION burrow.resume(subscription text) RETURNS void
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'burrow_sql_resume';
COMMENT ON FUNCTION burrow.resume IS 'have a paused, halted, disabled or copied subscription go on';

CREATE OR REPLACE FUNCTION burrow.seek(subscription text, topic text, partition int, "offset" bigint) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'burrow_sql_seek';
COMMENT ON FUNCTION burrow.seek(text, text, int, bigint) IS 'have a partition go on at an offset; ends a halt, too';

CREATE OR REPLACE FUNCTION burrow.seek(subscription text, "time" timestamptz) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'burrow_sql_seek_time';
COMMENT ON FUNCTION burrow.seek(text, timestamptz) IS 'have all partitions go on at their first message from this time on; ends a halt, too';

CREATE OR REPLACE FUNCTION burrow.wait_until_caught_up(
	subscription text,
	timeout interval DEFAULT '1 min'
) RETURNS boolean
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'burrow_sql_wait_until_caught_up';
COMMENT ON FUNCTION burrow.wait_until_caught_up IS 'wait until all messages that are in the topic now are handled and committed; false: the time was over';

CREATE OR REPLACE FUNCTION burrow.dry_run(
	subscription text,
	n int DEFAULT 10,
	OUT topic text,
	OUT partition int,
	OUT "offset" bigint,
	OUT outcome text,
	OUT handler_ms double precision,
	OUT sqlstate text,
	OUT message text,
	OUT detail text,
	OUT hint text,
	OUT context text
) RETURNS SETOF record
LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10
AS 'MODULE_PATHNAME', 'burrow_sql_dry_run';
COMMENT ON FUNCTION burrow.dry_run IS 'call the handler for the next n messages, roll back what it does, and show what became of each; the subscription does not move';

CREATE OR REPLACE FUNCTION burrow.topics(
	server name DEFAULT NULL,
	OUT topic text,
	OUT partitions int,
	OUT messages bigint,
	OUT timestamp_type text,
	OUT subscriptions text[]
) RETURNS SETOF record
LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 100
AS 'MODULE_PATHNAME', 'burrow_sql_topics';
COMMENT ON FUNCTION burrow.topics IS 'the topics of a Kafka cluster, how many messages they hold, and which subscriptions consume them';

CREATE OR REPLACE FUNCTION burrow.check_connection(
	server name DEFAULT NULL,
	subscription text DEFAULT NULL,
	OUT step text,
	OUT subject text,
	OUT ok boolean,
	OUT reason text,
	OUT hint text
) RETURNS SETOF record
LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10
AS 'MODULE_PATHNAME', 'burrow_sql_check_connection';
COMMENT ON FUNCTION burrow.check_connection IS 'connect to a Kafka cluster step by step, and show what works and what does not, why, and what to do';

CREATE OR REPLACE FUNCTION burrow.peek(
	topic text,
	n int DEFAULT 10,
	start_from text DEFAULT 'earliest',
	server name DEFAULT NULL
) RETURNS SETOF burrow.message
LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10
AS 'MODULE_PATHNAME', 'burrow_sql_peek';
COMMENT ON FUNCTION burrow.peek IS 'n messages of a topic, read without a consumer group: nothing moves, and Kafka keeps no trace';

CREATE OR REPLACE FUNCTION burrow.retry_dead_letters(
	subscription text,
	topic text DEFAULT NULL,
	partition int DEFAULT NULL,
	from_offset bigint DEFAULT NULL,
	to_offset bigint DEFAULT NULL,
	sqlstate text DEFAULT NULL,
	older_than interval DEFAULT NULL
) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'burrow_sql_retry_dead_letters';
COMMENT ON FUNCTION burrow.retry_dead_letters IS 'have dead letters handled again by the workers of the subscription; those that succeed go away; returns their number';

CREATE OR REPLACE FUNCTION burrow.discard_dead_letters(
	subscription text,
	topic text DEFAULT NULL,
	partition int DEFAULT NULL,
	from_offset bigint DEFAULT NULL,
	to_offset bigint DEFAULT NULL,
	sqlstate text DEFAULT NULL,
	older_than interval DEFAULT NULL
) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'burrow_sql_discard_dead_letters';
COMMENT ON FUNCTION burrow.discard_dead_letters IS 'delete dead letters; returns their number';

CREATE OR REPLACE FUNCTION burrow.reject(reason text) RETURNS void
LANGUAGE C VOLATILE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'burrow_sql_reject';
COMMENT ON FUNCTION burrow.reject IS 'for handlers: fail for good, because another attempt would not help';

CREATE OR REPLACE FUNCTION burrow.offset_runs(done bytea, low bigint DEFAULT 0) RETURNS int8multirange
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'burrow_sql_offset_runs';
COMMENT ON FUNCTION burrow.offset_runs IS 'what the column done of burrow.progress says: offsets that are handled beyond low; without low, distances from it';

CREATE OR REPLACE FUNCTION burrow.options(
	OUT name text,
	OUT type text,
	OUT default_value text,
	OUT allowed text,
	OUT description text
) RETURNS SETOF record
LANGUAGE C STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'burrow_sql_options';
COMMENT ON FUNCTION burrow.options IS 'the options of burrow.subscribe() and burrow.alter()';

-- ---------------------------------------------------------------- behind the views

-- These read shared memory, and show a role the subscriptions that it owns, or
-- all of this database's to members of pg_monitor.

-- Asked before a view reads anything, because the planner may find that it needs none
-- of the functions below, and an empty view would hide that nothing can run.
CREATE OR REPLACE FUNCTION burrow._is_loaded() RETURNS boolean
LANGUAGE C STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'burrow_sql_is_loaded';
COMMENT ON FUNCTION burrow._is_loaded IS 'for internal use: true, or an error if the library was not preloaded';

CREATE OR REPLACE FUNCTION burrow._subscription_slots(
	OUT subid int,
	OUT state text,
	OUT consumer_pid int,
	OUT last_error text,
	OUT last_error_sqlstate text,
	OUT last_error_at timestamptz,
	OUT retries_waiting bigint,
	OUT retry_topic text,
	OUT retry_partition int,
	OUT retry_offset bigint,
	OUT retry_attempt int,
	OUT retry_since timestamptz,
	OUT retry_at timestamptz,
	OUT wait_until timestamptz,
	OUT partitions_stuck bigint,
	OUT stuck_topic text,
	OUT stuck_partition int,
	OUT stuck_since timestamptz,
	OUT stuck_error text,
	OUT stats_reset timestamptz,
	OUT workers_wanted int,
	OUT short_of text,
	OUT jobs_queued bigint,
	OUT inflight bigint,
	OUT inflight_bytes bigint,
	OUT unconfirmed_since timestamptz,
	OUT dead_letters_pending bigint,
	OUT parked_keys bigint,
	OUT handler_ms_p50 float8,
	OUT handler_ms_p95 float8,
	OUT handler_ms_p99 float8,
	OUT end_to_end_ms_p50 float8,
	OUT end_to_end_ms_p95 float8,
	OUT end_to_end_ms_p99 float8,
	-- the counters of src/shmem/counters.h, in its order
	OUT messages_received bigint,
	OUT bytes_received bigint,
	OUT messages_processed bigint,
	OUT messages_failed bigint,
	OUT messages_retried bigint,
	OUT messages_dead_lettered bigint,
	OUT messages_parked bigint,
	OUT messages_skipped bigint,
	OUT offsets_skipped bigint,
	OUT claims_refused bigint,
	OUT chunks bigint,
	OUT transactions bigint,
	OUT transactions_rolled_back bigint,
	OUT worker_busy_us bigint,
	OUT offsets_committed bigint,
	OUT commits bigint,
	OUT commits_failed bigint,
	OUT rebalances bigint,
	OUT clients_renewed bigint
) RETURNS SETOF record
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 10
AS 'MODULE_PATHNAME', 'burrow_sql_subscription_slots';
COMMENT ON FUNCTION burrow._subscription_slots IS 'for internal use: what shared memory knows of subscriptions';

-- One row for each kind of trouble that there is: src/shmem/trouble_kinds.h.
CREATE OR REPLACE FUNCTION burrow._troubles(
	OUT subid int,
	OUT kind text,
	OUT cause text,
	OUT since timestamptz,
	OUT sqlstate text,
	OUT error text,
	OUT next_statement text
) RETURNS SETOF record
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 10
AS 'MODULE_PATHNAME', 'burrow_sql_troubles';
COMMENT ON FUNCTION burrow._troubles IS 'for internal use: what subscriptions wait for, each kind by itself';

CREATE OR REPLACE FUNCTION burrow._partition_slots(
	OUT subid int,
	OUT topic text,
	OUT partition int,
	OUT epoch bigint,
	OUT committed bigint,
	OUT processed bigint,
	OUT end_offset bigint,
	OUT end_checked_at timestamptz,
	OUT inflight bigint,
	OUT oldest_pending bigint,
	OUT oldest_pending_since timestamptz,
	OUT last_message_at timestamptz,
	OUT lag_seconds float8,
	OUT window_full boolean,
	OUT high_watermark bigint,
	OUT blocked_since timestamptz,
	OUT trouble_since timestamptz,
	OUT trouble_offset bigint,
	OUT trouble_sqlstate text,
	OUT trouble text
) RETURNS SETOF record
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 100
AS 'MODULE_PATHNAME', 'burrow_sql_partition_slots';
COMMENT ON FUNCTION burrow._partition_slots IS 'for internal use: what shared memory knows of partitions';

CREATE OR REPLACE FUNCTION burrow._worker_slots(
	OUT subid int,
	OUT worker int,
	OUT pid int,
	OUT state text,
	OUT topic text,
	OUT partition int,
	OUT "offset" bigint,
	OUT since timestamptz,
	OUT messages_processed bigint,
	OUT messages_failed bigint
) RETURNS SETOF record
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 20
AS 'MODULE_PATHNAME', 'burrow_sql_worker_slots';
COMMENT ON FUNCTION burrow._worker_slots IS 'for internal use: what shared memory knows of workers';

-- The last hour, each ten seconds.  A row of NULLs: a gap.
CREATE OR REPLACE FUNCTION burrow._history(
	OUT subid int,
	OUT at timestamptz,
	OUT messages_processed bigint,
	OUT messages_failed bigint,
	OUT messages_dead_lettered bigint,
	OUT messages_parked bigint,
	OUT messages_skipped bigint,
	OUT messages_per_second float8,
	OUT lag bigint,
	OUT lag_seconds float8
) RETURNS SETOF record
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 1000
AS 'MODULE_PATHNAME', 'burrow_sql_history';
COMMENT ON FUNCTION burrow._history IS 'for internal use: what shared memory knows of the last hour';

CREATE OR REPLACE FUNCTION burrow._state(
	status text,
	system_identifier bigint,
	dboid oid,
	slot_state text,
	consumer_pid int
) RETURNS text
LANGUAGE C STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'burrow_sql_state';
COMMENT ON FUNCTION burrow._state IS 'for internal use: the state that burrow.subscriptions shows';

CREATE OR REPLACE FUNCTION burrow._options(
	options text[],
	OUT server name,
	OUT start_from text,
	OUT delivery text,
	OUT ordering text,
	OUT workers int,
	OUT min_workers int,
	OUT batch_size int,
	OUT batch_time interval,
	OUT max_inflight int,
	OUT max_inflight_bytes bigint,
	OUT queue_memory bigint,
	OUT "window" int,
	OUT commit_interval interval,
	OUT commit_batch_size int,
	OUT max_retries int,
	OUT retry_strategy text,
	OUT retry_backoff interval,
	OUT retry_backoff_max interval,
	OUT permanent_errors text[],
	OUT on_failure text,
	OUT dead_letter_topic text,
	OUT dead_letter_headers text,
	OUT park_key boolean,
	OUT on_gap text,
	OUT max_consecutive_errors int,
	OUT handler_timeout interval,
	OUT shutdown_timeout interval,
	OUT synchronous_commit text,
	OUT run_as_owner boolean,
	OUT kafka jsonb
) RETURNS record
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'burrow_sql_option_columns';
COMMENT ON FUNCTION burrow._options IS 'for internal use: stored options as columns, without secrets';

-- NULLs: nothing is in the way.
CREATE OR REPLACE FUNCTION burrow._start_trouble(OUT cause text, OUT since timestamptz, OUT next_statement text) RETURNS record
LANGUAGE C STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'burrow_sql_start_trouble';
COMMENT ON FUNCTION burrow._start_trouble IS 'for internal use: why no consumer can be started';

-- A row of NULLs: it may, or it is not for the caller to see.
CREATE OR REPLACE FUNCTION burrow._owner_trouble(subid int, OUT cause text, OUT next_statement text) RETURNS record
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'burrow_sql_owner_trouble';
COMMENT ON FUNCTION burrow._owner_trouble IS 'for internal use: why a subscription may not run with its owner''s rights';

-- NULL: this is no database of Citus's.
CREATE OR REPLACE FUNCTION burrow._citus_commit() RETURNS text
LANGUAGE C STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'burrow_sql_citus_commit';
COMMENT ON FUNCTION burrow._citus_commit IS 'for internal use: how handlers'' transactions commit on Citus''s other nodes';

-- ---------------------------------------------------------------- views

CREATE OR REPLACE VIEW burrow.subscriptions WITH (security_barrier) AS
SELECT s.name AS subscription,
	w.state,
	s.topic,
	s.handler,
	s.consumer_group,
	s.join_group,
	burrow._role_oid(s.owner)::regrole AS owner,
	r.consumer_pid,
	coalesce(e.no_owner, e.message, w.start_trouble, r.last_error) AS last_error,
	CASE
		WHEN e.no_owner IS NOT NULL THEN NULL
		WHEN s.error_message IS NOT NULL THEN s.error_at
		WHEN w.start_trouble IS NOT NULL THEN w.since
		ELSE r.last_error_at
	END AS last_error_at,
	s.error_topic,
	s.error_partition,
	s.error_offset,
	s.error_sqlstate,
	e.message AS error_message,
	CASE WHEN e.is_all THEN s.error_detail END AS error_detail,
	CASE WHEN e.is_all OR s.error_public_message IS NULL THEN s.error_hint END AS error_hint,
	CASE WHEN e.is_all THEN s.error_context END AS error_context,
	s.error_next_statement,
	s.uuid,
	s.cluster_id,
	burrow._citus_commit() AS citus_commit,
	o.*
FROM burrow.subscription s
	LEFT JOIN burrow._subscription_slots() r ON r.subid = s.subid
	CROSS JOIN burrow._start_trouble() t
	CROSS JOIN LATERAL (
		-- an error of the handler's may quote the message
		SELECT m.is_all, CASE WHEN m.is_all THEN s.error_message ELSE coalesce(s.error_public_message, s.error_message) END AS message,
			burrow._role_missing(s.owner) AS no_owner
		FROM pg_catalog.pg_has_role(burrow._role_oid(s.owner), 'USAGE') m (is_all)
	) e
	CROSS JOIN LATERAL (
		SELECT q.state,
			CASE WHEN q.state = 'retrying' AND r.consumer_pid IS NULL THEN t.cause END AS start_trouble,
			t.since
		FROM burrow._state(CASE WHEN e.no_owner IS NULL THEN s.status ELSE 'disabled' END, s.system_identifier, s.dboid, r.state, r.consumer_pid) q (state)
	) w
	CROSS JOIN LATERAL burrow._options(s.options) o
WHERE burrow._is_loaded()
	AND (pg_catalog.pg_has_role(burrow._role_oid(s.owner), 'USAGE') OR pg_catalog.pg_has_role('pg_monitor', 'USAGE'));
COMMENT ON VIEW burrow.subscriptions IS 'subscriptions of this database: state, last error and options';

CREATE OR REPLACE VIEW burrow.partitions WITH (security_barrier) AS
SELECT s.name AS subscription,
	p.topic,
	p.partition,
	p.epoch,
	p.committed,
	p.processed,
	p.end_offset,
	CASE WHEN p.end_offset < p.committed THEN 0 ELSE p.end_offset - p.committed END AS lag,
	p.lag_seconds,
	p.inflight,
	p.oldest_pending,
	p.oldest_pending_since,
	pg_catalog.clock_timestamp() - p.oldest_pending_since AS oldest_pending_age,
	p.window_full,
	p.last_message_at,
	p.end_checked_at,
	p.high_watermark,
	CASE WHEN p.blocked_since IS NULL THEN 0 ELSE p.high_watermark - p.end_offset END AS behind_transaction,
	p.blocked_since AS behind_transaction_since
FROM burrow.subscription s
	JOIN burrow._partition_slots() p ON p.subid = s.subid
WHERE burrow._is_loaded()
	AND (pg_catalog.pg_has_role(burrow._role_oid(s.owner), 'USAGE') OR pg_catalog.pg_has_role('pg_monitor', 'USAGE'));
COMMENT ON VIEW burrow.partitions IS 'partitions that this server consumes now; offsets are those of the next message to read';

CREATE OR REPLACE VIEW burrow.workers WITH (security_barrier) AS
SELECT s.name AS subscription,
	w.worker,
	w.pid,
	w.state,
	w.topic,
	w.partition,
	w."offset",
	w.since,
	w.messages_processed,
	w.messages_failed
FROM burrow.subscription s
	JOIN burrow._worker_slots() w ON w.subid = s.subid
WHERE burrow._is_loaded()
	AND (pg_catalog.pg_has_role(burrow._role_oid(s.owner), 'USAGE') OR pg_catalog.pg_has_role('pg_monitor', 'USAGE'));
COMMENT ON VIEW burrow.workers IS 'worker processes and the messages in their hands';

CREATE OR REPLACE VIEW burrow.stats WITH (security_barrier) AS
SELECT s.name AS subscription,
	coalesce(r.messages_processed, 0) AS messages_processed,
	coalesce(r.messages_failed, 0) AS messages_failed,
	coalesce(r.messages_retried, 0) AS messages_retried,
	coalesce(r.messages_dead_lettered, 0) AS messages_dead_lettered,
	coalesce(r.messages_parked, 0) AS messages_parked,
	coalesce(r.messages_skipped, 0) AS messages_skipped,
	coalesce(r.offsets_skipped, 0) AS offsets_skipped,
	coalesce(r.claims_refused, 0) AS claims_refused,
	coalesce(r.offsets_committed, 0) AS offsets_committed,
	coalesce(w.workers, 0) AS workers,
	coalesce(w.workers_active, 0) AS workers_active,
	coalesce(r.workers_wanted, 0) AS workers_wanted,
	r.short_of IS NOT NULL AS short_of_workers,
	coalesce(r.jobs_queued, 0) AS jobs_queued,
	coalesce(r.inflight, 0) AS inflight,
	coalesce(r.inflight_bytes, 0) AS inflight_bytes,
	p.lag,
	p.lag_seconds,
	r.handler_ms_p50,
	r.handler_ms_p95,
	r.handler_ms_p99,
	r.end_to_end_ms_p50,
	r.end_to_end_ms_p95,
	r.end_to_end_ms_p99,
	coalesce(r.messages_received, 0) AS messages_received,
	coalesce(r.bytes_received, 0) AS bytes_received,
	coalesce(r.chunks, 0) AS chunks,
	coalesce(r.transactions, 0) AS transactions,
	coalesce(r.transactions_rolled_back, 0) AS transactions_rolled_back,
	coalesce(r.worker_busy_us, 0) / 1e6::float8 AS worker_busy_seconds,
	coalesce(r.commits, 0) AS commits,
	coalesce(r.commits_failed, 0) AS commits_failed,
	coalesce(r.rebalances, 0) AS rebalances,
	r.dead_letters_pending,
	coalesce(r.parked_keys, 0) AS parked_keys,
	coalesce(r.clients_renewed, 0) AS clients_renewed,
	r.stats_reset
FROM burrow.subscription s
	LEFT JOIN burrow._subscription_slots() r ON r.subid = s.subid
	LEFT JOIN (
		SELECT q.subid,
			LEAST(pg_catalog.sum(q.lag), 9223372036854775807)::bigint AS lag,
			pg_catalog.max(q.lag_seconds) AS lag_seconds
		FROM (
			SELECT v.subid,
				CASE WHEN v.end_offset < v.committed THEN 0 ELSE v.end_offset - v.committed END AS lag,
				v.lag_seconds
			FROM burrow._partition_slots() v
		) q
		GROUP BY q.subid
	) p ON p.subid = s.subid
	LEFT JOIN (
		SELECT v.subid,
			pg_catalog.count(*) AS workers,
			pg_catalog.count(*) FILTER (WHERE v.state IN ('running', 'committing')) AS workers_active
		FROM burrow._worker_slots() v
		GROUP BY v.subid
	) w ON w.subid = s.subid
WHERE burrow._is_loaded()
	AND (pg_catalog.pg_has_role(burrow._role_oid(s.owner), 'USAGE') OR pg_catalog.pg_has_role('pg_monitor', 'USAGE'));
COMMENT ON VIEW burrow.stats IS 'what each subscription did since its statistics were reset, and what it does now';

CREATE OR REPLACE VIEW burrow.history WITH (security_barrier) AS
SELECT s.name AS subscription,
	h.at,
	h.messages_processed,
	h.messages_failed,
	h.messages_dead_lettered,
	h.messages_parked,
	h.messages_skipped,
	h.messages_per_second,
	h.lag,
	h.lag_seconds
FROM burrow.subscription s
	JOIN burrow._history() h ON h.subid = s.subid
WHERE burrow._is_loaded()
	AND (pg_catalog.pg_has_role(burrow._role_oid(s.owner), 'USAGE') OR pg_catalog.pg_has_role('pg_monitor', 'USAGE'));
COMMENT ON VIEW burrow.history IS 'what each subscription did in the last hour, in steps of ten seconds; NULLs are steps in which no consumer could say';

-- Contents of messages are for the owner alone.
CREATE OR REPLACE VIEW burrow.dead_letters WITH (security_barrier) AS
SELECT s.name AS subscription,
	d.topic,
	d.partition,
	d."offset",
	d.key,
	d.value,
	d.headers,
	d."timestamp",
	d.attempts,
	d.sqlstate,
	d.message,
	d.detail,
	d.hint,
	d.context,
	d.first_failed_at,
	d.last_failed_at,
	d.retry_asked_at,
	d.produced_at,
	d.sqlstate IS NULL AS parked,
	CASE WHEN d.sqlstate IS NULL THEN (
		SELECT b."offset"
		FROM burrow.dead_letter b
		WHERE b.subid = d.subid AND b.topic = d.topic AND b.partition = d.partition
			AND b.key IS NOT NULL AND burrow._key_order(b.key) = burrow._key_order(d.key) AND b."offset" < d."offset"
		ORDER BY b."offset"
		LIMIT 1
	) END AS parked_behind
FROM burrow.subscription s
	JOIN burrow.dead_letter d ON d.subid = s.subid
WHERE pg_catalog.pg_has_role(burrow._role_oid(s.owner), 'USAGE');
COMMENT ON VIEW burrow.dead_letters IS 'messages that the handler could not take, with their last error, and those parked behind them';

-- One by time means all partitions, and becomes their offsets when the consumer has asked Kafka for them.
CREATE OR REPLACE VIEW burrow.pending_seeks WITH (security_barrier) AS
SELECT s.name AS subscription,
	q.topic,
	q.partition,
	q."offset",
	q."time"
FROM burrow.subscription s
	CROSS JOIN LATERAL (
		SELECT p.topic, p.partition, p."offset", NULL::timestamptz AS "time" FROM burrow.pending_seek p WHERE p.subid = s.subid
		UNION ALL
		SELECT NULL, NULL, NULL, s.seek_time WHERE s.seek_time IS NOT NULL
	) q
WHERE pg_catalog.pg_has_role(burrow._role_oid(s.owner), 'USAGE') OR pg_catalog.pg_has_role('pg_monitor', 'USAGE');
COMMENT ON VIEW burrow.pending_seeks IS 'where partitions are to go on that burrow.seek() was called for, until the consumer has moved them';

-- Entries outlive the subscription, and are for those who owned it then.
CREATE OR REPLACE VIEW burrow.audit WITH (security_barrier) AS
SELECT a.at,
	a.subscription,
	a.action,
	a.role,
	a.session_role,
	a.details
FROM burrow.audit_entry a
WHERE pg_catalog.pg_has_role(a.owner, 'USAGE') OR pg_catalog.pg_has_role('pg_monitor', 'USAGE');
COMMENT ON VIEW burrow.audit IS 'who has subscribed, altered, paused, resumed, moved, given away, ended, or dealt with dead letters, when, and how';

CREATE OR REPLACE FUNCTION burrow.stats_reset(subscription text DEFAULT NULL) RETURNS void
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'burrow_sql_stats_reset';
COMMENT ON FUNCTION burrow.stats_reset IS 'have burrow.stats count anew, for a subscription, or for all of the caller''s; metrics and burrow.history go on';

CREATE OR REPLACE FUNCTION burrow.metrics(
	format text DEFAULT 'openmetrics',
	per_partition boolean DEFAULT NULL
) RETURNS text
LANGUAGE C VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'burrow_sql_metrics';
COMMENT ON FUNCTION burrow.metrics IS 'counters and gauges of the subscriptions that burrow.stats shows, as the text that Prometheus reads; format is openmetrics or prometheus';

-- ---------------------------------------------------------------- why does it not move?

CREATE OR REPLACE FUNCTION burrow._visible_subid(subscription text) RETURNS int
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'burrow_sql_visible_subid';
COMMENT ON FUNCTION burrow._visible_subid IS 'for internal use: number of a subscription; an error if there is none of this name';

-- What ends somebody's hold on a lock.  Locks come and go: in the first seconds it only shows who it is.
CREATE OR REPLACE FUNCTION burrow._end_blocker(pid int, since timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format(CASE
		WHEN $1 = 0 THEN 'SELECT gid, prepared, owner FROM pg_prepared_xacts ORDER BY prepared;'
		WHEN clock_timestamp() - $2 <= interval '5 s' THEN 'SELECT * FROM pg_stat_activity WHERE pid = %s;'
		WHEN a.state LIKE 'idle%%' THEN 'SELECT pg_terminate_backend(%s);'
		ELSE 'SELECT pg_cancel_backend(%s);'
	END, $1)
	FROM (SELECT) one LEFT JOIN pg_stat_activity a ON a.pid = $1
$$;
COMMENT ON FUNCTION burrow._end_blocker IS 'for internal use: the statement for a process that holds a lock';

-- It reads the views, so it tells a role no more than they do.  A statement goes by the cause: that
-- of a halt was written with it (catalog/subscription.c has the table), that of trouble comes with it from
-- burrow._troubles(), the others are with their causes here.
CREATE OR REPLACE FUNCTION burrow.why_stuck(
	subscription text,
	OUT cause text,
	OUT since timestamptz,
	OUT topic text,
	OUT partition int,
	OUT "offset" bigint,
	OUT pid int,
	OUT error text,
	OUT next_statement text
) RETURNS SETOF record
LANGUAGE sql VOLATILE PARALLEL RESTRICTED ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
	WITH asked AS MATERIALIZED (
		SELECT burrow._visible_subid($1) AS subid
	), sub AS MATERIALIZED (
		SELECT s.*, r.retries_waiting, r.retry_topic, r.retry_partition, r.retry_offset, r.retry_attempt,
			r.retry_since, r.retry_at, r.wait_until, r.unconfirmed_since, r.short_of,
			r.partitions_stuck, r.stuck_topic, r.stuck_partition, r.stuck_since, r.stuck_error
		FROM asked
			CROSS JOIN burrow.subscriptions s
			LEFT JOIN burrow._subscription_slots() r ON r.subid = asked.subid
		WHERE s.subscription = $1
	), hand AS MATERIALIZED (
		SELECT w.*, pg_blocking_pids(w.pid) AS blockers
		FROM asked CROSS JOIN burrow.workers w
		WHERE w.subscription = $1 AND w.state = 'running'
	), writing AS MATERIALIZED (
		-- handlers have returned, and what is left of their transactions waits: the progress, deferred constraints
		SELECT b.pid, min(coalesce(l.waitstart, clock_timestamp())) AS since
		FROM asked CROSS JOIN burrow.workers w JOIN pg_locks l ON l.pid = w.pid AND NOT l.granted
			CROSS JOIN unnest(pg_blocking_pids(w.pid)) b (pid)
		WHERE w.subscription = $1 AND w.state <> 'running'
		GROUP BY b.pid
	), rights AS MATERIALIZED (
		-- the owner lacks one that the workers need
		SELECT o.* FROM asked CROSS JOIN LATERAL burrow._owner_trouble(asked.subid) o WHERE o.cause IS NOT NULL
	), waits AS MATERIALIZED (
		SELECT t.* FROM asked JOIN burrow._troubles() t ON t.subid = asked.subid
	), lockers AS MATERIALIZED (
		-- who keeps the consumer from a table of Burrow's; a prepared transaction has no pid
		SELECT DISTINCT coalesce(l.pid, 0) AS pid, coalesce(a.xact_start, w.since) AS since, w.error,
			format('%s has locked the table burrow.%s', coalesce('process ' || l.pid, 'a prepared transaction'), c.relname) AS cause
		FROM (SELECT min(waits.since) AS since, min(waits.error) AS error FROM waits WHERE waits.sqlstate = '55P03') w
			CROSS JOIN pg_locks l JOIN pg_class c ON c.oid = l.relation LEFT JOIN pg_stat_activity a ON a.pid = l.pid
		WHERE w.since IS NOT NULL AND l.granted
			AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
			AND c.relnamespace = 'burrow'::regnamespace
			AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
	), unfetched AS MATERIALIZED (
		SELECT p.* FROM asked JOIN burrow._partition_slots() p ON p.subid = asked.subid AND p.trouble_since IS NOT NULL
	)
	SELECT format('the subscription is %s', s.state) || CASE
			WHEN s.state <> 'disabled' THEN ''
			WHEN NOT current_setting('burrow.enabled')::boolean THEN ': burrow.enabled is off'
			ELSE coalesce(': ' || o.cause, '')
		END,
		CASE WHEN s.error_message IS NOT NULL THEN s.last_error_at END, s.error_topic, s.error_partition, s.error_offset,
		NULL::int, s.error_message, CASE
			WHEN s.state = 'disabled' AND NOT current_setting('burrow.enabled')::boolean THEN 'ALTER SYSTEM SET burrow.enabled = on; SELECT pg_reload_conf();'
			WHEN s.state = 'disabled' AND o.cause IS NOT NULL THEN o.next_statement
			ELSE coalesce(s.error_next_statement, format('SELECT burrow.resume(%L);', s.subscription))
		END
	FROM sub s LEFT JOIN rights o ON true
	WHERE s.state IN ('halted', 'paused', 'disabled')
	UNION ALL
	-- whatever the plan is, this asks whether there is such a subscription
	SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM asked a WHERE a.subid IS NULL AND $1 IS NOT NULL
	UNION ALL
	-- what is missing is asked for at this moment, and not when the consumer asks again
	SELECT o.cause, coalesce(w.since, s.last_error_at), NULL, NULL, NULL, s.consumer_pid, coalesce(w.error, s.last_error), o.next_statement
	FROM sub s CROSS JOIN rights o LEFT JOIN waits w ON w.kind = 'rights' WHERE s.state NOT IN ('halted', 'paused', 'disabled')
	UNION ALL
	-- each kind of trouble by itself; whoever holds a lock that one waits for is below, and so are workers and retries
	SELECT w.cause, w.since, NULL, NULL, NULL, s.consumer_pid, w.error, w.next_statement
	FROM sub s CROSS JOIN waits w
	WHERE s.state NOT IN ('halted', 'paused', 'disabled') AND w.kind NOT IN ('rights', 'pool_memory', 'retry')
		AND NOT (w.sqlstate = '55P03' AND EXISTS (SELECT FROM lockers))
	UNION ALL
	-- an answer that is too large ends the connection; twice its size has room for what else comes with it
	SELECT CASE u.trouble_sqlstate WHEN '54000' THEN 'what comes next is larger than receive.message.max.bytes'
			WHEN '28000' THEN 'Kafka does not let the client read the topic' ELSE 'the partition cannot be fetched' END,
		u.trouble_since, u.topic, u.partition, u.trouble_offset, NULL, u.trouble,
		CASE WHEN z.size IS NOT NULL
			THEN format('SELECT burrow.alter(%L, kafka => %L);', s.subscription,
				coalesce(s.kafka::jsonb, '{}') || jsonb_build_object('receive.message.max.bytes', least(2 * z.size, 2147483647)))
			WHEN u.trouble_sqlstate = '28000' THEN format('SELECT topic, consumer_group, last_error FROM burrow.subscriptions WHERE subscription = %L;', s.subscription)
			ELSE format('SELECT * FROM burrow.partitions WHERE subscription = %L AND topic = %L AND partition = %s;', s.subscription, u.topic, u.partition) END
	FROM sub s CROSS JOIN unfetched u
		CROSS JOIN LATERAL (SELECT substring(u.trouble FROM 'response size ([0-9]+)')::bigint AS size) z
	UNION ALL
	SELECT l.cause, l.since, NULL, NULL, NULL, l.pid, l.error, burrow._end_blocker(l.pid, l.since)
	FROM lockers l
	UNION ALL
	SELECT CASE s.partitions_stuck WHEN 1 THEN 'the partition cannot be started, and others go on without it'
			ELSE format('%s partitions cannot be started, this one first, and others go on without them', s.partitions_stuck) END,
		s.stuck_since, s.stuck_topic, s.stuck_partition, NULL,
		NULL, s.stuck_error, format('SELECT * FROM burrow.partitions WHERE subscription = %L;', s.subscription)
	FROM sub s WHERE s.partitions_stuck > 0
	UNION ALL
	SELECT t.cause, t.since, NULL, NULL, NULL,
		NULL, NULL, t.next_statement
	FROM sub s CROSS JOIN burrow._start_trouble() t
	WHERE t.cause IS NOT NULL AND s.state = 'retrying' AND s.consumer_pid IS NULL
	UNION ALL
	SELECT k.cause, NULL, NULL, NULL, NULL,
		NULL, CASE WHEN s.short_of = 'memory' THEN (SELECT w.error FROM waits w WHERE w.kind = 'pool_memory') END, format(k.next_statement, greatest(8, 2 * current_setting(k.setting, true)::int))
	FROM sub s JOIN burrow.stats t ON t.subscription = s.subscription JOIN (VALUES
		('slots', 'no worker slot is free', 'burrow.max_workers',
			'ALTER SYSTEM SET burrow.max_workers = %s; -- and restart the server'),
		('processes', 'no worker slot is free', 'max_worker_processes',
			'ALTER SYSTEM SET max_worker_processes = %s; -- and restart the server'),
		('memory', 'no dynamic shared memory can be had for another worker', NULL,
			'SELECT name, setting FROM pg_settings WHERE name IN (''dynamic_shared_memory_type'', ''burrow.worker_queue_size'');'),
		('share', 'other subscriptions have workers that are its share', NULL,
			'SELECT pid, application_name, usename, query_start FROM pg_stat_activity WHERE backend_type = ''burrow worker'';'),
		('role', 'the subscriptions of its owner have as many workers as a role may have', 'burrow.max_workers_per_role',
			'ALTER SYSTEM SET burrow.max_workers_per_role = %s; SELECT pg_reload_conf();')
	) k (short_of, cause, setting, next_statement) ON k.short_of = s.short_of
	WHERE t.jobs_queued > 0
	UNION ALL
	SELECT format('the handler waits for a lock that %s holds', CASE WHEN b.pid = 0 THEN 'a prepared transaction' ELSE 'process ' || b.pid END),
		h.since, h.topic, h.partition, h."offset",
		b.pid, NULL, burrow._end_blocker(b.pid, h.since)
	FROM hand h CROSS JOIN unnest(h.blockers) b (pid)
	UNION ALL
	SELECT format('a worker''s transaction waits for a lock that %s holds', CASE WHEN g.pid = 0 THEN 'a prepared transaction' ELSE 'process ' || g.pid END),
		g.since, NULL, NULL, NULL,
		g.pid, NULL, burrow._end_blocker(g.pid, g.since)
	FROM writing g
	UNION ALL
	SELECT 'the handler has been running for long', h.since, h.topic, h.partition, h."offset",
		h.pid, NULL, format('SELECT pg_cancel_backend(%s);', h.pid)
	FROM hand h WHERE h.blockers = '{}' AND clock_timestamp() - h.since > interval '5 s'
	UNION ALL
	SELECT 'a worker''s transaction has been at its end for long: deferred triggers', w.since, w.topic, w.partition, NULL,
		w.pid, NULL, format('SELECT pg_cancel_backend(%s);', w.pid)
	FROM asked CROSS JOIN burrow.workers w LEFT JOIN pg_stat_activity a ON a.pid = w.pid
	WHERE w.subscription = $1 AND w.state = 'committing' AND clock_timestamp() - w.since > interval '5 s'
		AND pg_blocking_pids(w.pid) = '{}' AND a.wait_event IS DISTINCT FROM 'SyncRep'
	UNION ALL
	SELECT 'a worker''s commit waits for a synchronous standby to confirm it', a.xact_start, NULL, NULL, NULL,
		a.pid, NULL, 'SELECT application_name, state, sync_state, write_lsn, flush_lsn, replay_lsn FROM pg_stat_replication;'
	FROM asked CROSS JOIN burrow.workers w JOIN pg_stat_activity a ON a.pid = w.pid
	WHERE w.subscription = $1 AND a.wait_event = 'SyncRep' AND clock_timestamp() - a.xact_start > interval '1 s'
	UNION ALL
	SELECT 'Kafka''s offset waits for a synchronous standby to confirm what is done', s.unconfirmed_since, NULL, NULL, NULL,
		NULL, NULL, 'SELECT application_name, state, sync_state, write_lsn, flush_lsn, replay_lsn FROM pg_stat_replication;'
	FROM sub s WHERE clock_timestamp() - s.unconfirmed_since > interval '1 s'
	UNION ALL
	SELECT format('%s messages wait for their retry; the first of them for attempt %s at %s',
			s.retries_waiting, s.retry_attempt, s.retry_at),
		s.retry_since, s.retry_topic, s.retry_partition, s.retry_offset,
		NULL, coalesce((SELECT w.error FROM waits w WHERE w.kind = 'retry'), s.last_error), format('SELECT last_error FROM burrow.subscriptions WHERE subscription = %L;', s.subscription)
	FROM sub s WHERE s.retries_waiting > 0 AND s.wait_until IS NULL
	UNION ALL
	(SELECT format('%s messages are parked behind a dead letter of their key', count(*) OVER ()),
		d.first_failed_at, d.topic, d.partition, d.parked_behind,
		NULL, NULL, format('SELECT burrow.retry_dead_letters(%L);', d.subscription)
	FROM asked CROSS JOIN burrow.dead_letters d WHERE d.subscription = $1 AND d.parked
	ORDER BY d.first_failed_at
	LIMIT 1)
	UNION ALL
	SELECT 'the window is full behind a message that is not done', p.oldest_pending_since, p.topic, p.partition, p.oldest_pending,
		NULL, NULL, format('SELECT * FROM burrow.workers WHERE subscription = %L;', p.subscription)
	FROM asked CROSS JOIN burrow.partitions p WHERE p.subscription = $1 AND p.window_full
	UNION ALL
	-- it is Kafka's: the statement shows where; a moment is what every transaction takes
	SELECT format('%s offsets wait behind a producer''s transaction that is open', p.behind_transaction),
		p.behind_transaction_since, p.topic, p.partition, p.end_offset,
		NULL, NULL, format('SELECT topic, partition, end_offset, high_watermark, behind_transaction_since FROM burrow.partitions WHERE subscription = %L AND behind_transaction > 0;', p.subscription)
	FROM asked CROSS JOIN burrow.partitions p
	WHERE p.subscription = $1 AND clock_timestamp() - p.behind_transaction_since > interval '5 s'
$$;
COMMENT ON FUNCTION burrow.why_stuck IS 'what holds up a subscription, since when, and the statement to run next; no rows: nothing does';

-- ---------------------------------------------------------------- privileges

REVOKE ALL ON FUNCTION
	burrow.subscribe,
	burrow.alter,
	burrow.unsubscribe,
	burrow.pause,
	burrow.resume,
	burrow.seek(text, text, int, bigint),
	burrow.seek(text, timestamptz),
	burrow.wait_until_caught_up,
	burrow.stats_reset,
	burrow.dry_run,
	burrow.check_connection,
	burrow.peek,
	burrow.topics,
	burrow.retry_dead_letters,
	burrow.discard_dead_letters,
	burrow.offset_runs,
	burrow._guard,
	burrow._keep_owner,
	burrow._validator
FROM PUBLIC;

GRANT SELECT ON
	burrow.subscriptions,
	burrow.partitions,
	burrow.workers,
	burrow.stats,
	burrow.history,
	burrow.dead_letters,
	burrow.pending_seeks,
	burrow.audit
TO PUBLIC;
