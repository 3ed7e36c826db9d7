-- The columns of the views, and what they show of subscriptions that do not run.  What
-- they show of running ones is in the TAP tests, with a broker.

SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS burrow;
RESET client_min_messages;

SELECT c.relname AS view, a.attname AS column, format_type(a.atttypid, a.atttypmod) AS type
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'burrow'::regnamespace AND c.relkind = 'v' AND a.attnum > 0
ORDER BY c.relname, a.attnum;

CREATE FUNCTION on_message(value jsonb) RETURNS void LANGUAGE sql AS '';
SELECT burrow.subscribe('orders', 'on_message', enabled => false);
SELECT subscription, state, topic, handler, consumer_pid, last_error, error_topic, error_partition, error_offset FROM burrow.subscriptions;
SELECT subscription, messages_processed, messages_failed, messages_retried, messages_dead_lettered, offsets_committed,
  workers, workers_active, workers_wanted, short_of_workers, jobs_queued, inflight, inflight_bytes, lag, lag_seconds,
  handler_ms_p50, end_to_end_ms_p99
FROM burrow.stats;
SELECT * FROM burrow.partitions;
SELECT * FROM burrow.workers;
SELECT burrow.seek('orders', 'orders', 3, 42);
SELECT subscription, topic, partition, "offset", "time" AT TIME ZONE 'UTC' AS "time" FROM burrow.pending_seeks;
SELECT burrow.seek('orders', '2024-01-01 00:00:00Z');
SELECT subscription, topic, partition, "offset", "time" AT TIME ZONE 'UTC' AS "time" FROM burrow.pending_seeks;

-- The state: what the catalog wants while there is no consumer, and what the consumer says while there is one.
SELECT w.status, p.pid IS NOT NULL AS consumer, s.state AS slot,
  burrow._state(w.status, i.system_identifier, d.oid, s.state, p.pid) AS here,
  burrow._state(w.status, i.system_identifier + 1, d.oid, s.state, p.pid) AS copied
FROM (VALUES ('enabled'), ('paused'), ('halted'), ('disabled')) w (status),
  (VALUES (NULL), ('starting'), ('running'), ('retrying'), ('stalled'), ('paused'), ('halted'), ('disabled')) s (state),
  (VALUES (NULL), (1)) p (pid),
  pg_control_system() i, pg_database d
WHERE d.datname = current_database() AND NOT (s.state IS NULL AND p.pid IS NOT NULL)
ORDER BY p.pid NULLS FIRST, w.status, s.state NULLS FIRST;
SELECT burrow._state('nonsense', 1, 1, 'running', NULL), burrow._state('enabled', 1, 1, 'nonsense', NULL), burrow._state(NULL, 1, 1, NULL, NULL);

-- A subscription that runs has its name in pg_stat_activity; here there is no broker to run with.
SELECT burrow.alter('orders', enabled => true);
DO $$
BEGIN
  FOR i IN 1 .. 300 LOOP
    PERFORM FROM burrow.subscriptions WHERE consumer_pid IS NOT NULL AND state = 'retrying' AND last_error IS NOT NULL;
    IF FOUND THEN
      RETURN;
    END IF;
    PERFORM pg_sleep(0.1);
  END LOOP;
  RAISE 'the consumer does not say that it cannot reach the broker: %', (SELECT s FROM burrow.subscriptions s);
END $$;
SELECT s.state, a.backend_type, a.datname = current_database() AS here FROM burrow.subscriptions s JOIN pg_stat_activity a ON a.pid = s.consumer_pid;
SELECT subscription, workers_active, inflight, lag FROM burrow.stats;
SELECT burrow.unsubscribe('orders');
DROP FUNCTION on_message;
