/*
 * burrow.sql
 *	  Every SQL object of Burrow, as it is now.  `make` copies this file to
 *	  burrow--<version>.sql; a release adds burrow--<old>--<new>.sql beside it.
 *
 * Everything is in schema burrow, which CREATE EXTENSION makes.  What users call
 * is not executable by PUBLIC; what the views need is, and tells a role no more
 * than the views do: functions in a view are called as the user of the view.
 */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION burrow" to load this file. \quit

GRANT USAGE ON SCHEMA burrow TO PUBLIC;

-- ---------------------------------------------------------------- messages

CREATE TYPE burrow.header AS (
	name text,
	value bytea
);
COMMENT ON TYPE burrow.header IS 'a header of a Kafka message';

CREATE TYPE burrow.message AS (
	topic text,
	partition int,
	"offset" bigint,
	key bytea,
	value bytea,
	headers burrow.header[],
	"timestamp" timestamptz,
	attempt int
);
COMMENT ON TYPE burrow.message IS 'a Kafka message, as a handler gets it';

-- ---------------------------------------------------------------- tables

CREATE SEQUENCE burrow.subscription_subid_seq AS int;
COMMENT ON SEQUENCE burrow.subscription_subid_seq IS 'numbers of subscriptions';

-- No foreign keys to system catalogs: a role or function may be dropped while a
-- subscription names it, and the subscription then says so in its state.
CREATE TABLE burrow.subscription (
	subid int PRIMARY KEY DEFAULT pg_catalog.nextval('burrow.subscription_subid_seq'),
	name text NOT NULL UNIQUE,
	owner regrole NOT NULL,
	system_identifier bigint NOT NULL,
	dboid oid NOT NULL,
	topic text NOT NULL,
	handler text NOT NULL,
	handler_owner regrole NOT NULL,
	consumer_group text NOT NULL,
	uuid uuid NOT NULL,
	cluster_id text,
	status text NOT NULL CHECK (status IN ('enabled', 'paused', 'halted', 'disabled')),
	options text[] NOT NULL,
	seek_time timestamptz,
	error_topic text,
	error_partition int,
	error_offset bigint,
	error_sqlstate text,
	error_message text,
	error_detail text,
	error_hint text,
	error_context text,
	error_at timestamptz
);
ALTER SEQUENCE burrow.subscription_subid_seq OWNED BY burrow.subscription.subid;
COMMENT ON TABLE burrow.subscription IS 'subscriptions of this database; changed by Burrow''s functions only';
COMMENT ON COLUMN burrow.subscription.owner IS 'role that the handler runs as';
COMMENT ON COLUMN burrow.subscription.system_identifier IS 'server where the subscription runs: a copy elsewhere does not start by itself';
COMMENT ON COLUMN burrow.subscription.dboid IS 'database where the subscription runs';
COMMENT ON COLUMN burrow.subscription.topic IS 'topic, or a regular expression that begins with ^';
COMMENT ON COLUMN burrow.subscription.handler IS 'schema-qualified signature of the function that is called';
COMMENT ON COLUMN burrow.subscription.handler_owner IS 'owner of the handler when it was looked up';
COMMENT ON COLUMN burrow.subscription.uuid IS 'tells in Kafka''s commits which subscription made them';
COMMENT ON COLUMN burrow.subscription.cluster_id IS 'Kafka''s id of the cluster whose offsets the positions are; NULL: not known yet';
COMMENT ON COLUMN burrow.subscription.status IS 'what is wanted; the state is in burrow.subscriptions';
COMMENT ON COLUMN burrow.subscription.options IS 'all options, as name=value; see burrow.options()';
COMMENT ON COLUMN burrow.subscription.seek_time IS 'time that all partitions are to be moved to by burrow.seek(); NULL: it was done';
COMMENT ON COLUMN burrow.subscription.error_at IS 'when the error halted the subscription that the other error_ columns describe';

-- Rows are updated all the time and never indexed anew: room for HOT updates.
CREATE TABLE burrow.progress (
	subid int NOT NULL REFERENCES burrow.subscription ON DELETE CASCADE,
	topic text NOT NULL,
	partition int NOT NULL,
	lane int NOT NULL,
	low bigint NOT NULL,
	done bytea NOT NULL DEFAULT '',
	seen_offset bigint,
	seen_time timestamptz,
	PRIMARY KEY (subid, topic, partition, lane)
) WITH (fillfactor = 20);
COMMENT ON TABLE burrow.progress IS 'how far each partition is handled; changed by Burrow only';
COMMENT ON COLUMN burrow.progress.lane IS 'number of the worker that writes the row; -1: the consumer';
COMMENT ON COLUMN burrow.progress.low IS 'all messages below this offset are handled';
COMMENT ON COLUMN burrow.progress.done IS 'runs of offsets that are handled beyond low, encoded; see burrow.offset_runs()';
COMMENT ON COLUMN burrow.progress.seen_offset IS 'a message that was read';
COMMENT ON COLUMN burrow.progress.seen_time IS 'and its timestamp: another one tells that the topic was made anew';

CREATE TABLE burrow.pending_seek (
	subid int NOT NULL REFERENCES burrow.subscription ON DELETE CASCADE,
	topic text NOT NULL,
	partition int NOT NULL,
	"offset" bigint NOT NULL,
	PRIMARY KEY (subid, topic, partition)
);
COMMENT ON TABLE burrow.pending_seek IS 'where partitions are to be moved by burrow.seek(); a row goes away when it was done';
COMMENT ON COLUMN burrow.pending_seek."offset" IS 'next offset to be handled';

CREATE TABLE burrow.dead_letter (
	subid int NOT NULL REFERENCES burrow.subscription ON DELETE CASCADE,
	topic text NOT NULL,
	partition int NOT NULL,
	"offset" bigint NOT NULL,
	key bytea,
	value bytea,
	headers burrow.header[] NOT NULL,
	"timestamp" timestamptz,
	attempts int NOT NULL,
	sqlstate text,
	message text,
	detail text,
	hint text,
	context text,
	first_failed_at timestamptz NOT NULL,
	last_failed_at timestamptz NOT NULL,
	retry_asked_at timestamptz,
	produced_at timestamptz,
	PRIMARY KEY (subid, topic, partition, "offset")
);

-- A function and not a column, so that a restore on another machine brings it up to date.
CREATE FUNCTION burrow._key_order(key bytea) RETURNS bigint
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'burrow_sql_key_order';
COMMENT ON FUNCTION burrow._key_order IS 'for internal use: the number that stands for a message''s key';

CREATE INDEX dead_letter_key ON burrow.dead_letter (subid, topic, partition, burrow._key_order(key), "offset")
	WHERE key IS NOT NULL;
CREATE INDEX dead_letter_retry ON burrow.dead_letter (subid) WHERE retry_asked_at IS NOT NULL;
CREATE INDEX dead_letter_unproduced ON burrow.dead_letter (subid, topic, partition, "offset")
	WHERE produced_at IS NULL AND sqlstate IS NOT NULL;
COMMENT ON TABLE burrow.dead_letter IS 'messages whose attempts are used up; changed by Burrow only';
COMMENT ON INDEX burrow.dead_letter_key IS 'dead letters of a key, in their order';
COMMENT ON INDEX burrow.dead_letter_retry IS 'dead letters that are to be tried again';
COMMENT ON INDEX burrow.dead_letter_unproduced IS 'dead letters that are not known to be in the dead-letter topic';
COMMENT ON COLUMN burrow.dead_letter.attempts IS 'how often the handler was called for the message';
COMMENT ON COLUMN burrow.dead_letter.sqlstate IS 'of the last error; NULL: the message was parked, and not handled yet';
COMMENT ON COLUMN burrow.dead_letter.first_failed_at IS 'when it failed first, or was parked';
COMMENT ON COLUMN burrow.dead_letter.last_failed_at IS 'when it failed last, or was parked';
COMMENT ON COLUMN burrow.dead_letter.retry_asked_at IS 'when burrow.retry_dead_letters() was called for it; NULL: not, or it has failed since';
COMMENT ON COLUMN burrow.dead_letter.produced_at IS 'when it was known to be in the dead-letter topic; NULL: not, or there is none';

SELECT pg_catalog.pg_extension_config_dump('burrow.subscription', '');
SELECT pg_catalog.pg_extension_config_dump('burrow.subscription_subid_seq', '');
SELECT pg_catalog.pg_extension_config_dump('burrow.progress', '');
SELECT pg_catalog.pg_extension_config_dump('burrow.pending_seek', '');
SELECT pg_catalog.pg_extension_config_dump('burrow.dead_letter', '');

-- ---------------------------------------------------------------- subscriptions

-- The defaults are those of the one option table in C; see burrow.options().
CREATE FUNCTION burrow.subscribe(
	topic text,
	handler text,
	subscription text DEFAULT NULL,
	server name DEFAULT NULL,
	consumer_group text DEFAULT NULL,
	start_from text DEFAULT 'earliest',
	delivery text DEFAULT 'exactly_once',
	ordering text DEFAULT 'key',
	workers bigint DEFAULT 4,
	min_workers bigint DEFAULT 1,
	batch_size bigint DEFAULT 100,
	batch_time interval DEFAULT '10 ms',
	max_inflight bigint DEFAULT NULL,
	max_inflight_bytes bigint DEFAULT 67108864,
	queue_memory bigint DEFAULT 67108864,
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
	park_key boolean DEFAULT false,
	on_gap text DEFAULT 'halt',
	max_consecutive_errors bigint DEFAULT 10,
	handler_timeout interval DEFAULT NULL,
	shutdown_timeout interval DEFAULT '30 s',
	synchronous_commit text DEFAULT 'off',
	enabled boolean DEFAULT true,
	kafka jsonb DEFAULT '{}'
) RETURNS text
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'burrow_sql_subscribe';
COMMENT ON FUNCTION burrow.subscribe IS 'have a function called for each message of a Kafka topic; returns the name of the subscription';

CREATE FUNCTION burrow.alter(
	subscription text,
	topic text DEFAULT NULL,
	handler text DEFAULT NULL,
	server name DEFAULT NULL,
	consumer_group text DEFAULT NULL,
	start_from text DEFAULT NULL,
	delivery text DEFAULT NULL,
	ordering text DEFAULT NULL,
	workers bigint DEFAULT NULL,
	min_workers bigint DEFAULT NULL,
	batch_size bigint DEFAULT NULL,
	batch_time interval DEFAULT NULL,
	max_inflight bigint DEFAULT NULL,
	max_inflight_bytes bigint DEFAULT NULL,
	queue_memory bigint DEFAULT NULL,
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
	park_key boolean DEFAULT NULL,
	on_gap text DEFAULT NULL,
	max_consecutive_errors bigint DEFAULT NULL,
	handler_timeout interval DEFAULT NULL,
	shutdown_timeout interval DEFAULT NULL,
	synchronous_commit text DEFAULT NULL,
	enabled boolean DEFAULT NULL,
	kafka jsonb DEFAULT NULL
) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'burrow_sql_alter';
COMMENT ON FUNCTION burrow.alter IS 'change options of a subscription; what is NULL is left as it is';

CREATE FUNCTION burrow.unsubscribe(subscription text) RETURNS void
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'burrow_sql_unsubscribe';
COMMENT ON FUNCTION burrow.unsubscribe IS 'end a subscription and forget its progress';

CREATE FUNCTION burrow.pause(subscription text) RETURNS void
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'burrow_sql_pause';
COMMENT ON FUNCTION burrow.pause IS 'stop a subscription until burrow.resume()';

CREATE FUNCTION burrow.resume(subscription text) RETURNS void
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'burrow_sql_resume';
COMMENT ON FUNCTION burrow.resume IS 'have a paused, halted, disabled or copied subscription go on';

CREATE FUNCTION burrow.seek(subscription text, topic text, partition int, "offset" bigint) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'burrow_sql_seek';
COMMENT ON FUNCTION burrow.seek(text, text, int, bigint) IS 'have a partition go on at an offset; ends a halt, too';

CREATE FUNCTION burrow.seek(subscription text, "time" timestamptz) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'burrow_sql_seek_time';
COMMENT ON FUNCTION burrow.seek(text, timestamptz) IS 'have all partitions go on at their first message from this time on; ends a halt, too';

CREATE FUNCTION burrow.wait_until_caught_up(
	subscription text,
	timeout interval DEFAULT '1 min'
) RETURNS boolean
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'burrow_sql_wait_until_caught_up';
COMMENT ON FUNCTION burrow.wait_until_caught_up IS 'wait until all messages that are in the topic now are handled and committed; false: the time was over';

CREATE FUNCTION burrow.dry_run(
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

CREATE FUNCTION burrow.retry_dead_letters(
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

CREATE FUNCTION burrow.discard_dead_letters(
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

CREATE FUNCTION burrow.reject(reason text) RETURNS void
LANGUAGE C VOLATILE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'burrow_sql_reject';
COMMENT ON FUNCTION burrow.reject IS 'for handlers: fail for good, because another attempt would not help';

CREATE FUNCTION burrow.offset_runs(done bytea, low bigint DEFAULT 0) RETURNS int8multirange
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'burrow_sql_offset_runs';
COMMENT ON FUNCTION burrow.offset_runs IS 'what the column done of burrow.progress says: offsets that are handled beyond low; without low, distances from it';

CREATE FUNCTION burrow.options(
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
CREATE FUNCTION burrow._is_loaded() RETURNS boolean
LANGUAGE C STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'burrow_sql_is_loaded';
COMMENT ON FUNCTION burrow._is_loaded IS 'for internal use: true, or an error if the library was not preloaded';

CREATE FUNCTION burrow._subscription_slots(
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
	OUT stats_reset timestamptz,
	OUT workers_wanted int,
	OUT short_of_workers boolean,
	OUT jobs_queued bigint,
	OUT inflight bigint,
	OUT inflight_bytes bigint,
	OUT unconfirmed_since timestamptz,
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
	OUT chunks bigint,
	OUT offsets_committed bigint,
	OUT commits bigint,
	OUT commits_failed bigint,
	OUT rebalances bigint
) RETURNS SETOF record
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 10
AS 'MODULE_PATHNAME', 'burrow_sql_subscription_slots';
COMMENT ON FUNCTION burrow._subscription_slots IS 'for internal use: what shared memory knows of subscriptions';

CREATE FUNCTION burrow._partition_slots(
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
	OUT window_full boolean
) RETURNS SETOF record
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 100
AS 'MODULE_PATHNAME', 'burrow_sql_partition_slots';
COMMENT ON FUNCTION burrow._partition_slots IS 'for internal use: what shared memory knows of partitions';

CREATE FUNCTION burrow._worker_slots(
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

CREATE FUNCTION burrow._state(
	status text,
	system_identifier bigint,
	dboid oid,
	slot_state text,
	consumer_pid int
) RETURNS text
LANGUAGE C STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'burrow_sql_state';
COMMENT ON FUNCTION burrow._state IS 'for internal use: the state that burrow.subscriptions shows';

CREATE FUNCTION burrow._options(
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
	OUT park_key boolean,
	OUT on_gap text,
	OUT max_consecutive_errors int,
	OUT handler_timeout interval,
	OUT shutdown_timeout interval,
	OUT synchronous_commit text,
	OUT kafka jsonb
) RETURNS record
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'burrow_sql_option_columns';
COMMENT ON FUNCTION burrow._options IS 'for internal use: stored options as columns, without secrets';

-- ---------------------------------------------------------------- views

CREATE VIEW burrow.subscriptions WITH (security_barrier) AS
SELECT s.name AS subscription,
	burrow._state(s.status, s.system_identifier, s.dboid, r.state, r.consumer_pid) AS state,
	s.topic,
	s.handler,
	s.consumer_group,
	s.owner,
	r.consumer_pid,
	coalesce(s.error_message, r.last_error) AS last_error,
	CASE WHEN s.error_message IS NULL THEN r.last_error_at ELSE s.error_at END AS last_error_at,
	s.error_topic,
	s.error_partition,
	s.error_offset,
	s.error_sqlstate,
	s.error_message,
	CASE WHEN pg_catalog.pg_has_role(s.owner, 'USAGE') THEN s.error_detail END AS error_detail,
	s.error_hint,
	CASE WHEN pg_catalog.pg_has_role(s.owner, 'USAGE') THEN s.error_context END AS error_context,
	s.uuid,
	s.cluster_id,
	o.*
FROM burrow.subscription s
	LEFT JOIN burrow._subscription_slots() r ON r.subid = s.subid
	CROSS JOIN LATERAL burrow._options(s.options) o
WHERE burrow._is_loaded()
	AND (pg_catalog.pg_has_role(s.owner, 'USAGE') OR pg_catalog.pg_has_role('pg_monitor', 'USAGE'));
COMMENT ON VIEW burrow.subscriptions IS 'subscriptions of this database: state, last error and options';

CREATE VIEW burrow.partitions WITH (security_barrier) AS
SELECT s.name AS subscription,
	p.topic,
	p.partition,
	p.epoch,
	p.committed,
	p.processed,
	p.end_offset,
	CASE WHEN p.end_offset < p.committed THEN 0 ELSE p.end_offset - p.committed END AS lag,
	p.inflight,
	p.oldest_pending,
	p.oldest_pending_since,
	pg_catalog.clock_timestamp() - p.oldest_pending_since AS oldest_pending_age,
	p.window_full,
	p.last_message_at,
	p.end_checked_at
FROM burrow.subscription s
	JOIN burrow._partition_slots() p ON p.subid = s.subid
WHERE burrow._is_loaded()
	AND (pg_catalog.pg_has_role(s.owner, 'USAGE') OR pg_catalog.pg_has_role('pg_monitor', 'USAGE'));
COMMENT ON VIEW burrow.partitions IS 'partitions that this server consumes now; offsets are those of the next message to read';

CREATE VIEW burrow.workers WITH (security_barrier) AS
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
	AND (pg_catalog.pg_has_role(s.owner, 'USAGE') OR pg_catalog.pg_has_role('pg_monitor', 'USAGE'));
COMMENT ON VIEW burrow.workers IS 'worker processes and the messages in their hands';

CREATE VIEW burrow.stats WITH (security_barrier) AS
SELECT s.name AS subscription,
	coalesce(r.messages_processed, 0) AS messages_processed,
	coalesce(r.messages_failed, 0) AS messages_failed,
	coalesce(r.messages_retried, 0) AS messages_retried,
	coalesce(r.messages_dead_lettered, 0) AS messages_dead_lettered,
	coalesce(r.messages_parked, 0) AS messages_parked,
	coalesce(r.messages_skipped, 0) AS messages_skipped,
	coalesce(r.offsets_skipped, 0) AS offsets_skipped,
	coalesce(r.offsets_committed, 0) AS offsets_committed,
	coalesce(w.workers, 0) AS workers,
	coalesce(w.workers_active, 0) AS workers_active,
	coalesce(r.workers_wanted, 0) AS workers_wanted,
	coalesce(r.short_of_workers, false) AS short_of_workers,
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
	coalesce(r.commits, 0) AS commits,
	coalesce(r.commits_failed, 0) AS commits_failed,
	coalesce(r.rebalances, 0) AS rebalances,
	r.stats_reset
FROM burrow.subscription s
	LEFT JOIN burrow._subscription_slots() r ON r.subid = s.subid
	LEFT JOIN (
		SELECT q.subid,
			pg_catalog.sum(q.lag)::bigint AS lag,
			pg_catalog.max(CASE
				WHEN q.lag = 0 OR q.age < 0 THEN 0
				ELSE q.age
			END) AS lag_seconds
		FROM (
			SELECT v.subid,
				CASE WHEN v.end_offset < v.committed THEN 0 ELSE v.end_offset - v.committed END AS lag,
				pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - v.last_message_at) AS age
			FROM burrow._partition_slots() v
		) q
		GROUP BY q.subid
	) p ON p.subid = s.subid
	LEFT JOIN (
		SELECT v.subid,
			pg_catalog.count(*) AS workers,
			pg_catalog.count(*) FILTER (WHERE v.state = 'running') AS workers_active
		FROM burrow._worker_slots() v
		GROUP BY v.subid
	) w ON w.subid = s.subid
WHERE burrow._is_loaded()
	AND (pg_catalog.pg_has_role(s.owner, 'USAGE') OR pg_catalog.pg_has_role('pg_monitor', 'USAGE'));
COMMENT ON VIEW burrow.stats IS 'what each subscription did since its statistics were reset, and what it does now';

-- Contents of messages are for the owner alone.
CREATE VIEW burrow.dead_letters WITH (security_barrier) AS
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
WHERE pg_catalog.pg_has_role(s.owner, 'USAGE');
COMMENT ON VIEW burrow.dead_letters IS 'messages that the handler could not take, with their last error, and those parked behind them';

-- ---------------------------------------------------------------- why does it not move?

CREATE FUNCTION burrow._visible_subid(subscription text) RETURNS int
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'burrow_sql_visible_subid';
COMMENT ON FUNCTION burrow._visible_subid IS 'for internal use: number of a subscription; an error if there is none of this name';

-- It reads the views, so it tells a role no more than they do.
CREATE FUNCTION burrow.why_stuck(
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
			r.retry_since, r.retry_at, r.wait_until, r.unconfirmed_since, r.last_error_sqlstate
		FROM asked
			CROSS JOIN burrow.subscriptions s
			LEFT JOIN burrow._subscription_slots() r ON r.subid = asked.subid
		WHERE s.subscription = $1
	), hand AS MATERIALIZED (
		SELECT w.*, pg_blocking_pids(w.pid) AS blockers
		FROM asked CROSS JOIN burrow.workers w
		WHERE w.subscription = $1 AND w.state = 'running'
	)
	SELECT format('the subscription is %s', s.state), CASE WHEN s.error_message IS NOT NULL THEN s.last_error_at END, s.error_topic, s.error_partition, s.error_offset,
		NULL::int, s.error_message, format('SELECT burrow.resume(%L);', s.subscription)
	FROM sub s WHERE s.state IN ('halted', 'paused', 'disabled')
	UNION ALL
	-- whatever the plan is, this asks whether there is such a subscription
	SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM asked a WHERE a.subid IS NULL
	UNION ALL
	SELECT 'the server is not well: every message fails', coalesce(s.retry_since, s.last_error_at), NULL, NULL, NULL,
		NULL, s.last_error, format('SELECT last_error FROM burrow.subscriptions WHERE subscription = %L;', s.subscription)
	FROM sub s WHERE s.wait_until IS NOT NULL
	UNION ALL
	SELECT k.cause, s.last_error_at, NULL, NULL, NULL, s.consumer_pid, s.last_error, k.next_statement
	FROM sub s CROSS JOIN LATERAL (
		SELECT * FROM (VALUES
			('28', 'Kafka refuses the client: authentication or authorization',
				format('SELECT current_setting(''burrow.bootstrap_servers''), topic, consumer_group, last_error FROM burrow.subscriptions WHERE subscription = %L;', s.subscription)),
			('08', 'Kafka does not answer', 'SHOW burrow.bootstrap_servers;'),
			('', 'the subscription waits for something in this database',
				format('SELECT last_error FROM burrow.subscriptions WHERE subscription = %L;', s.subscription))
		) v (class, cause, next_statement)
		WHERE starts_with(s.last_error_sqlstate, v.class) ORDER BY v.class DESC LIMIT 1
	) k
	WHERE s.state = 'retrying' AND s.wait_until IS NULL
	UNION ALL
	SELECT 'no worker slot is free', NULL, NULL, NULL, NULL,
		NULL, NULL, 'SHOW max_worker_processes;'
	FROM sub s JOIN burrow.stats t ON t.subscription = s.subscription WHERE t.short_of_workers AND t.jobs_queued > 0
	UNION ALL
	SELECT format('the handler waits for a lock that process %s holds', b.pid), h.since, h.topic, h.partition, h."offset",
		b.pid, NULL, format('SELECT * FROM pg_stat_activity WHERE pid = %s;', b.pid)
	FROM hand h CROSS JOIN unnest(h.blockers) b (pid)
	UNION ALL
	SELECT 'the handler has been running for long', h.since, h.topic, h.partition, h."offset",
		h.pid, NULL, format('SELECT pg_cancel_backend(%s);', h.pid)
	FROM hand h WHERE h.blockers = '{}' AND clock_timestamp() - h.since > interval '5 s'
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
		NULL, s.last_error, format('SELECT last_error FROM burrow.subscriptions WHERE subscription = %L;', s.subscription)
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
	burrow.dry_run,
	burrow.retry_dead_letters,
	burrow.discard_dead_letters,
	burrow.offset_runs
FROM PUBLIC;

GRANT SELECT ON
	burrow.subscriptions,
	burrow.partitions,
	burrow.workers,
	burrow.stats,
	burrow.dead_letters
TO PUBLIC;
