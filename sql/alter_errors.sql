-- Everything that can be wrong with alter, pause, resume, seek, unsubscribe and
-- wait_until_caught_up.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS burrow;
RESET client_min_messages;

-- What a statement is refused with.
CREATE FUNCTION refusal(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  state text; message text; detail text; hint text;
BEGIN
  BEGIN
    EXECUTE statement;
    RAISE 'not refused' USING errcode = 'XX999';
  EXCEPTION WHEN others THEN
    GET STACKED DIAGNOSTICS state = returned_sqlstate, message = message_text, detail = pg_exception_detail, hint = pg_exception_hint;
  END;
  RETURN NEXT state || ' ' || message;
  IF detail <> '' THEN
    RETURN NEXT '   detail: ' || regexp_replace(detail, 'librdkafka [0-9.]*[0-9]', 'librdkafka n');
  END IF;
  IF hint <> '' THEN
    RETURN NEXT '   hint: ' || hint;
  END IF;
END $$;
\pset format unaligned
\pset tuples_only on

CREATE FUNCTION on_message(value jsonb) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION refused_alter(options text) RETURNS SETOF text LANGUAGE sql AS $$
  SELECT refusal('SELECT burrow.alter(''orders'', ' || options || ')');
$$;
SELECT burrow.subscribe('orders', 'on_message', enabled => false, workers => 4, min_workers => 2, max_inflight => 1000);

-- no such subscription
SELECT refusal($$SELECT burrow.alter('order', workers => 2)$$);
SELECT refusal($$SELECT burrow.pause('Orders')$$);
SELECT refusal($$SELECT burrow.resume('something else')$$);
SELECT refusal($$SELECT burrow.unsubscribe('')$$);
SELECT refusal($$SELECT burrow.wait_until_caught_up('orderss')$$);
SELECT refusal($$SELECT burrow.pause(repeat('o', 1000))$$);
SELECT refusal($$SELECT burrow.alter(NULL, workers => 2)$$);
-- NULL is no name
SELECT burrow.pause(NULL), burrow.resume(NULL), burrow.unsubscribe(NULL), burrow.wait_until_caught_up(NULL);

-- each option is checked as in subscribe
SELECT refused_alter($$topic => 'two words'$$);
SELECT refused_alter($$handler => 'no_such_function'$$);
SELECT refused_alter($$workers => 0$$);
SELECT refused_alter($$workers => 99999999999$$);
SELECT refused_alter($$ordering => 'keys'$$);
SELECT refused_alter($$consumer_group => ''$$);
SELECT refused_alter($$start_from => 'newest'$$);
SELECT refused_alter($$commit_interval => '-1 s'$$);
SELECT refused_alter($$delivery => 'twice'$$);
SELECT refused_alter($$kafka => '{"sesion.timeout.ms": 6000}'$$);
SELECT refused_alter($$kafka => '{"group.id": "x"}'$$);

-- and together with those that are not changed
SELECT refused_alter($$workers => 1$$);
SELECT refused_alter($$min_workers => 5$$);
SELECT refused_alter($$batch_size => 1001$$);
SELECT refused_alter($$workers => 8, max_inflight => 7, batch_size => 1$$);
SELECT burrow.alter('orders', on_failure => 'dead_letter', dead_letter_topic => 'dead');
SELECT refused_alter($$on_failure => 'halt'$$);
SELECT refused_alter($$topic => '^dea'$$);
SELECT refused_alter($$topic => 'dead'$$);
SELECT burrow.alter('orders', on_failure => 'halt', dead_letter_topic => '');
SELECT dead_letter_topic IS NULL FROM burrow.subscriptions;
-- dead_letter_headers: each once, in the order of the table
SELECT burrow.alter('orders', dead_letter_headers => 'kafka, connect,kafka');
SELECT dead_letter_headers FROM burrow.subscriptions;

-- nothing has changed
SELECT workers, min_workers, max_inflight, batch_size, topic FROM burrow.subscriptions;

-- wait_until_caught_up
SELECT refusal($$SELECT burrow.wait_until_caught_up('orders')$$);
SELECT refusal($$SELECT burrow.wait_until_caught_up('orders', '-1 s')$$);
SELECT refusal($$SELECT burrow.wait_until_caught_up('orders', '1 month')$$);
SELECT refusal($$SELECT burrow.wait_until_caught_up('orders', '2 days')$$);
BEGIN;
SELECT burrow.alter('orders', workers => 5);
SELECT burrow.wait_until_caught_up('orders');
ROLLBACK;
BEGIN;
SELECT burrow.subscribe('new', 'on_message');
SELECT burrow.wait_until_caught_up('new');
ROLLBACK;
UPDATE burrow.subscription SET status = 'paused';
SELECT refusal($$SELECT burrow.wait_until_caught_up('orders')$$);
UPDATE burrow.subscription SET status = 'halted';
SELECT refusal($$SELECT burrow.wait_until_caught_up('orders')$$);
-- no broker answers: the time is over
UPDATE burrow.subscription SET status = 'disabled';
SELECT burrow.alter('orders', enabled => true);
SELECT burrow.wait_until_caught_up('orders', '100 ms');
SELECT burrow.wait_until_caught_up('orders', '0');
SELECT burrow.alter('orders', enabled => false);

-- seek
SELECT refusal($$SELECT burrow.seek('order', 'orders', 0, 0)$$);
SELECT refusal($$SELECT burrow.seek('order', now())$$);
SELECT refusal($$SELECT burrow.seek('orders', 'order', 0, 0)$$);
SELECT refusal($$SELECT burrow.seek('orders', 'orders', -1, 0)$$);
SELECT refusal($$SELECT burrow.seek('orders', 'orders', 0, -2)$$);
SELECT refusal($$SELECT burrow.seek(NULL, 'orders', 0, 0)$$);
SELECT refusal($$SELECT burrow.seek('orders', NULL, 0, 0)$$);
SELECT refusal($$SELECT burrow.seek('orders', 'orders', NULL, 0)$$);
SELECT refusal($$SELECT burrow.seek('orders', 'orders', 0, NULL)$$);
SELECT refusal($$SELECT burrow.seek('orders', NULL)$$);
SELECT refusal($$SELECT burrow.seek('orders', '1969-12-31 23:59:59.9 UTC')$$);
-- what is pending: the last one for each partition; one for all replaces them
SELECT burrow.seek('orders', 'orders', 0, 5), burrow.seek('orders', 'orders', 0, 6), burrow.seek('orders', 'orders', 1, 7);
SELECT topic, partition, "offset" FROM burrow.pending_seek ORDER BY partition;
SELECT burrow.seek('orders', '1970-01-01 00:00:00 UTC');
SELECT seek_time AT TIME ZONE 'UTC', (SELECT count(*) FROM burrow.pending_seek) FROM burrow.subscription;
SELECT burrow.seek('orders', '-infinity');
SELECT burrow.seek('orders', 'orders', 1, 8);
SELECT seek_time, (SELECT count(*) FROM burrow.pending_seek) FROM burrow.subscription;
-- of another topic they say nothing
SELECT burrow.alter('orders', topic => '^(or|bor)ders$');
SELECT count(*) FROM burrow.pending_seek;
SELECT refusal($$SELECT burrow.seek('orders', 'order', 0, 0)$$);
SELECT refusal($$SELECT burrow.seek('orders', '^orders', 0, 0)$$);
SELECT burrow.seek('orders', 'borders', 0, 0);
-- a seek ends a halt, and nothing else
UPDATE burrow.subscription SET status = 'halted', error_message = 'a gap', error_at = now();
SELECT burrow.seek('orders', 'orders', 0, 9);
SELECT status, error_message, error_at FROM burrow.subscription;
UPDATE burrow.subscription SET status = 'paused';
SELECT burrow.seek('orders', 'orders', 0, 9);
SELECT status FROM burrow.subscription;
BEGIN;
SELECT burrow.seek('orders', 'orders', 0, 0);
SELECT burrow.wait_until_caught_up('orders');
ROLLBACK;
SELECT burrow.alter('orders', topic => 'orders', enabled => false);

-- transactions that cannot do it
BEGIN READ ONLY;
SELECT burrow.seek('orders', 'orders', 0, 0);
ROLLBACK;
BEGIN READ ONLY;
SELECT burrow.subscribe('new', 'on_message');
ROLLBACK;
BEGIN READ ONLY;
SELECT burrow.unsubscribe('orders');
ROLLBACK;
BEGIN;
SELECT burrow.subscribe('new', 'on_message');
PREPARE TRANSACTION 'burrow';
SELECT count(*) FROM pg_prepared_xacts;

-- the extension is of another version than the library
BEGIN;
UPDATE pg_extension SET extversion = '0.0.1' WHERE extname = 'burrow';
SELECT burrow.resume('orders');
ROLLBACK;

-- the owner is gone
UPDATE burrow.subscription SET owner = burrow._role_of(1);
SELECT refusal($$SELECT burrow.resume('orders')$$);
SELECT burrow.unsubscribe('orders');

DROP FUNCTION on_message, refusal, refused_alter;
