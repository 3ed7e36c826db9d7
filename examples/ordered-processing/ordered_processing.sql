-- A state machine for each key: the steps of a shipment in their order, many shipments at the
-- same time.  The topic "shipments" has to be there (see README.md here).

\set ON_ERROR_STOP on
CREATE EXTENSION IF NOT EXISTS burrow;

CREATE TABLE shipments (id text PRIMARY KEY, status text, history text[], workers int[]);

CREATE FUNCTION on_shipment(key text, value jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    step text := value->>'step';
    wanted text := CASE step WHEN 'packed' THEN 'ordered' WHEN 'sent' THEN 'packed' WHEN 'delivered' THEN 'sent' END;
    known text;
BEGIN
    SELECT status INTO known FROM shipments WHERE id = key;
    IF known IS DISTINCT FROM wanted THEN
        RAISE EXCEPTION 'shipment % cannot be % after %', key, step, coalesce(known, 'nothing');
    END IF;
    PERFORM pg_sleep(0.002);        -- some work
    INSERT INTO shipments VALUES (key, step, ARRAY[step], ARRAY[pg_backend_pid()])
    ON CONFLICT (id) DO UPDATE SET status = EXCLUDED.status,
        history = shipments.history || EXCLUDED.history, workers = shipments.workers || EXCLUDED.workers;
END $$;

-- 'key' is the default; 'partition' is stricter, 'unordered' promises nothing
SELECT burrow.subscribe('shipments', 'on_shipment', ordering => 'key', workers => 8);

-- 200 shipments, each with four steps that have the same key
SELECT current_setting('burrow.bootstrap_servers') AS bootstrap \gset
\setenv BOOTSTRAP :bootstrap
SELECT format('shipment%s=%s', n, jsonb_build_object('step', step))
FROM unnest(ARRAY['ordered', 'packed', 'sent', 'delivered']) WITH ORDINALITY s (step, i), generate_series(1, 200) n
ORDER BY i, n \g (format=unaligned tuples_only=on) | kcat -P -b "$BOOTSTRAP" -t shipments -K =

SELECT burrow.wait_until_caught_up('shipments', '1 min');
SELECT history, count(*) FROM shipments GROUP BY history;
SELECT count(DISTINCT worker) AS "workers that took part" FROM shipments, unnest(workers) worker;
SELECT messages_processed, messages_failed FROM burrow.stats WHERE subscription = 'shipments';

-- what should have come of it
DO $$
BEGIN
    ASSERT (SELECT count(*) = 200 FROM shipments WHERE history = '{ordered,packed,sent,delivered}'), 'each has gone its way in order';
END $$;

-- to take it away again:
--   SELECT burrow.unsubscribe('shipments'); DROP FUNCTION on_shipment; DROP TABLE shipments;
