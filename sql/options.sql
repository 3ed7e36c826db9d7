-- The option table in C, the defaults in SQL and what is stored agree.

SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS burrow;
RESET client_min_messages;

SELECT name, type, default_value, allowed, description FROM burrow.options();

-- The arguments of both functions, in the order of the table.
SELECT f.proname, string_agg(a.name, ' ' ORDER BY a.n) AS not_in_the_table
FROM pg_proc f, unnest(proargnames) WITH ORDINALITY AS a (name, n)
WHERE f.oid IN ('burrow.subscribe'::regproc, 'burrow.alter'::regproc)
  AND a.name NOT IN (SELECT name FROM burrow.options())
GROUP BY f.proname
ORDER BY f.proname;

SELECT f.proname, o.name AS differs
FROM (SELECT *, row_number() OVER () AS n FROM burrow.options()) o
  CROSS JOIN pg_proc f
  LEFT JOIN LATERAL unnest(f.proargnames, f.proargtypes::oid[]) WITH ORDINALITY AS a (name, type, n) ON a.n = o.n + 3
WHERE f.oid = 'burrow.subscribe'::regproc
  AND (a.name IS DISTINCT FROM o.name OR format_type(a.type, NULL) IS DISTINCT FROM o.type);

-- Their defaults.
CREATE FUNCTION defaults_that_differ(function regproc, expected boolean) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
  o record;
  n int;
  sql_default text;
  same boolean;
BEGIN
  FOR o IN SELECT * FROM burrow.options() LOOP
    SELECT a.n INTO STRICT n
    FROM pg_proc f, unnest(f.proargnames) WITH ORDINALITY AS a (name, n)
    WHERE f.oid = function AND a.name = o.name;
    sql_default := pg_get_function_arg_default(function, n);
    EXECUTE format('SELECT (%s)::text IS NOT DISTINCT FROM %L::%s::text',
      sql_default, CASE WHEN expected THEN o.default_value END, o.type) INTO same;
    IF same IS DISTINCT FROM true THEN
      RETURN NEXT o.name || ': ' || coalesce(sql_default, '-') || ' in SQL, ' || coalesce(o.default_value, '-') || ' in C';
    END IF;
  END LOOP;
END $$;
SELECT defaults_that_differ('burrow.subscribe', true);
SELECT defaults_that_differ('burrow.alter', false);

-- The columns of burrow.subscriptions: every option is shown.
SELECT o.name AS not_shown
FROM burrow.options() o
WHERE o.name NOT IN (SELECT attname FROM pg_attribute WHERE attrelid = 'burrow.subscriptions'::regclass AND attnum > 0)
ORDER BY 1;

-- Each value is stored in one form, whichever way it is written.
CREATE FUNCTION on_message(value text) RETURNS void LANGUAGE sql AS '';
SELECT burrow.subscribe('defaults', 'on_message', enabled => false);
SELECT burrow.subscribe('values', 'on_message', enabled => false,
  consumer_group => 'a-group', ordering => 'unordered', workers => 8, min_workers => 8,
  batch_size => 1, batch_time => '0.0025 s', max_inflight => 5000, max_inflight_bytes => 1048576,
  queue_memory => 2097152, "window" => 100000000, commit_interval => '120000 ms', commit_batch_size => 1,
  shutdown_timeout => '1:00', synchronous_commit => 'remote_apply',
  kafka => '{"session.timeout.ms":  "12000", "check.crcs": true, "client.id": "x=y"}');
SELECT name, o FROM burrow.subscription, unnest(options) WITH ORDINALITY AS u (o, n) WHERE name IN ('defaults', 'values') ORDER BY name, n;

-- NULL stands for the default.
SELECT burrow.subscribe('nulls', 'on_message', enabled => false, workers => NULL, ordering => NULL, kafka => NULL, commit_interval => NULL);
SELECT a.options = b.options AS same FROM burrow.subscription a, burrow.subscription b WHERE a.name = 'defaults' AND b.name = 'nulls';

-- Sizes are numbers of bytes or have units, and the view has the number of bytes.
CREATE FUNCTION stored_size(size burrow.byte_size) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  shown text;
BEGIN
  PERFORM burrow.alter('defaults', queue_memory => size, max_inflight_bytes => size);
  SELECT concat_ws(', ', s.queue_memory, s.max_inflight_bytes, (SELECT o FROM unnest(t.options) o WHERE o LIKE 'queue%'))
  INTO STRICT shown FROM burrow.subscriptions s JOIN burrow.subscription t ON t.name = s.subscription WHERE subscription = 'defaults';
  RETURN shown;
END $$;
SELECT stored_size('32 MB'), stored_size('1GB'), stored_size('1.5 gb'), stored_size('1048577'), stored_size('  3072kB ');
SELECT stored_size(2097152), stored_size(2097152::bigint), stored_size('3 MB'::text), stored_size(4194304.0), stored_size(pg_size_bytes('5 MB'));
PREPARE size_is AS SELECT stored_size($1);
EXECUTE size_is('6 MB');
EXECUTE size_is(7340032);
DEALLOCATE size_is;
SELECT stored_size('64 MB');

-- start_from means the same in every session.
CREATE FUNCTION stored_start(start_from text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM burrow.subscribe('start', 'public.on_message', enabled => false, start_from => $1);
  SELECT s.start_from INTO STRICT start_from FROM burrow.subscriptions s WHERE subscription = 'start';
  PERFORM burrow.unsubscribe('start');
  RETURN start_from;
END $$;
SET TimeZone = 'America/New_York';
SET DateStyle = 'German, DMY';
SELECT stored_start('earliest'), stored_start('latest'), stored_start('1.2.2024 12:00'), stored_start('2024-02-01 12:00:00.123456 Asia/Tokyo'), stored_start('epoch');
SELECT stored_start(' { "7":42,"0" : 9223372036854775807 } '), stored_start('{"2147483647": 0}');
RESET TimeZone;
RESET DateStyle;

-- max_inflight follows workers and batch_size until it is given.
SELECT max_inflight FROM burrow.subscriptions WHERE subscription = 'defaults';
SELECT burrow.alter('defaults', workers => 10, batch_size => 1000);
SELECT max_inflight FROM burrow.subscriptions WHERE subscription = 'defaults';
SELECT burrow.alter('defaults', max_inflight => 3000);
SELECT max_inflight FROM burrow.subscriptions WHERE subscription = 'defaults';

-- Secrets are not shown.
SELECT burrow.subscribe('secret', 'on_message', enabled => false, kafka => '{"ssl.keystore.password": "geheim", "client.id": "x"}');
SELECT kafka FROM burrow.subscriptions WHERE subscription = 'secret';

SELECT burrow.unsubscribe(subscription) FROM burrow.subscriptions;
DROP FUNCTION on_message, defaults_that_differ, stored_start, stored_size;
