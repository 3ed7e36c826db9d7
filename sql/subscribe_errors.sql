-- Everything that can be wrong with subscribe: each complaint names the option, the
-- value and what is allowed.

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
CREATE FUNCTION refused(options text) RETURNS SETOF text LANGUAGE sql AS $$
  SELECT refusal('SELECT burrow.subscribe(''orders'', ''on_message'', enabled => false, ' || options || ')');
$$;
CREATE FUNCTION on_message(value jsonb) RETURNS void LANGUAGE sql AS '';
\pset format unaligned
\pset tuples_only on

-- topic
SELECT refusal($$SELECT burrow.subscribe(NULL, 'on_message')$$);
SELECT refusal($$SELECT burrow.subscribe('', 'on_message')$$);
SELECT refusal($$SELECT burrow.subscribe('.', 'on_message')$$);
SELECT refusal($$SELECT burrow.subscribe('..', 'on_message')$$);
SELECT refusal($$SELECT burrow.subscribe('two words', 'on_message')$$);
SELECT refusal($$SELECT burrow.subscribe('a/b', 'on_message')$$);
SELECT refusal($$SELECT burrow.subscribe('größe', 'on_message')$$);
SELECT refusal($$SELECT burrow.subscribe(repeat('t', 250), 'on_message', 'short')$$);
SELECT refusal($$SELECT burrow.subscribe('^(orders', 'on_message')$$);
SELECT refusal($$SELECT burrow.subscribe('^[a', 'on_message')$$);
SELECT refusal($$SELECT burrow.subscribe('^a{1,255}', 'on_message')$$);
SELECT refusal($$SELECT burrow.subscribe('^a b', 'on_message')$$);
SELECT refusal($$SELECT burrow.subscribe('^(a|b+)+$', 'on_message')$$);
SELECT refusal($$SELECT burrow.subscribe('^(a)\1$', 'on_message')$$);
SELECT refusal($$SELECT burrow.subscribe('^((((((a))))))$', 'on_message')$$);
SELECT refusal($$SELECT burrow.subscribe('^' || repeat('t', 249), 'on_message', 'short')$$);

-- handler; its own errors are in handler.sql
SELECT refusal($$SELECT burrow.subscribe('orders', NULL)$$);
SELECT refusal($$SELECT burrow.subscribe('orders', 'no_such_function')$$);
SELECT refusal($$SELECT burrow.subscribe('orders', '')$$);

-- subscription
SELECT refused($$subscription => ''$$);
SELECT refused($$subscription => E'a\nb'$$);
SELECT refused($$subscription => repeat('n', 250)$$);
SELECT burrow.subscribe('orders', 'on_message', 'taken', enabled => false);
SELECT refused($$subscription => 'taken'$$);
SELECT burrow.unsubscribe('taken');

-- consumer_group
SELECT refused($$consumer_group => ''$$);
SELECT refused($$consumer_group => 'two words'$$);
SELECT refused($$consumer_group => repeat('g', 250)$$);

-- words
SELECT refused($$ordering => 'keys'$$);
SELECT refused($$ordering => ''$$);
SELECT refused($$ordering => 'KEY'$$);
SELECT refused($$ordering => 'random'$$);
SELECT refused($$ordering => repeat('x', 300)$$);
SELECT refused($$delivery => 'at_most_once'$$);
SELECT refused($$delivery => 'exactly-once'$$);
SELECT refused($$retry_strategy => 'quadratic'$$);
SELECT refused($$on_failure => 'dead-letter'$$);
SELECT refused($$on_gap => 'skipp'$$);
SELECT refused($$synchronous_commit => 'true'$$);

-- numbers: too small, negative, too large, huge
SELECT refused($$workers => 0$$);
SELECT refused($$workers => -1$$);
SELECT refused($$workers => 1025$$);
SELECT refused($$workers => 99999999999$$);
SELECT refused($$min_workers => 0$$);
SELECT refused($$min_workers => 1025$$);
SELECT refused($$batch_size => 0$$);
SELECT refused($$batch_size => -9223372036854775808$$);
SELECT refused($$batch_size => 100001$$);
SELECT refused($$max_inflight => 0$$);
SELECT refused($$max_inflight => 10000001$$);
SELECT refused($$max_inflight_bytes => 0$$);
SELECT refused($$max_inflight_bytes => 65535$$);
SELECT refused($$max_inflight_bytes => 9223372036854775807$$);
SELECT refused($$queue_memory => 1048575$$);
SELECT refused($$queue_memory => 68719476737$$);
SELECT refused($$queue_memory => '1023 kB'$$);
SELECT refused($$queue_memory => '65 GB'$$);
SELECT refused($$queue_memory => '-64 MB'$$);
SELECT refused($$queue_memory => '64 MiB'$$);
SELECT refused($$queue_memory => ''$$);
SELECT refused($$queue_memory => 'much'::text$$);
SELECT refused($$queue_memory => '1e300 MB'$$);
SELECT refused($$queue_memory => 1e300$$);
SELECT refused($$queue_memory => 99999999999999999999$$);
SELECT refused($$queue_memory => 'NaN'::numeric$$);
SELECT refused($$"window" => 0$$);
SELECT refused($$"window" => 100000001$$);
SELECT refused($$commit_batch_size => 0$$);
SELECT refused($$commit_batch_size => 100000001$$);
SELECT refused($$max_retries => -1$$);
SELECT refused($$max_retries => 1000001$$);
SELECT refused($$max_consecutive_errors => 0$$);

-- times
SELECT refused($$batch_time => '0'$$);
SELECT refused($$batch_time => '-1 ms'$$);
SELECT refused($$batch_time => '61 s'$$);
SELECT refused($$batch_time => '1 month -30 days'$$);
SELECT refused($$commit_interval => '0.1 ms'$$);
SELECT refused($$commit_interval => '25 hours'$$);
SELECT refused($$commit_interval => '1 year'$$);
SELECT refused($$commit_interval => '2000000000 days'$$);
SELECT refused($$shutdown_timeout => '0'$$);
SELECT refused($$shutdown_timeout => '61 min'$$);
SELECT refused($$retry_backoff => '-1 s'$$);
SELECT refused($$retry_backoff_max => '0'$$);
SELECT refused($$handler_timeout => '0'$$);

-- options that have to fit each other
SELECT refused($$min_workers => 5$$);
SELECT refused($$workers => 2, min_workers => 3$$);
SELECT refused($$max_inflight => 99$$);
SELECT refused($$max_inflight => 3, batch_size => 1$$);
SELECT refused($$retry_backoff => '2 min'$$);
SELECT refused($$retry_backoff_max => '99 ms'$$);

-- start_from
SELECT refused($$start_from => ''$$);
SELECT refused($$start_from => 'earlyest'$$);
SELECT refused($$start_from => 'newest'$$);
SELECT refused($$start_from => 'yesteryear'$$);
SELECT refused($$start_from => '2024-13-01'$$);
SELECT refused($$start_from => '1969-12-31 23:59:59 UTC'$$);
SELECT refused($$start_from => 'infinity'$$);
SELECT refused($$start_from => '42'$$);
SELECT refused($$start_from => '{}'$$);
SELECT refused($$start_from => '{"0": 42'$$);
SELECT refused($$start_from => '{"0": -1}'$$);
SELECT refused($$start_from => '{"0": 1.5}'$$);
SELECT refused($$start_from => '{"0": "42"}'$$);
SELECT refused($$start_from => '{"0": null}'$$);
SELECT refused($$start_from => '{"0": [1]}'$$);
SELECT refused($$start_from => '{"0": 9223372036854775808}'$$);
SELECT refused($$start_from => '{"-1": 1}'$$);
SELECT refused($$start_from => '{"x": 1}'$$);
SELECT refused($$start_from => '{"2147483648": 1}'$$);

-- permanent_errors, dead_letter_topic, dead_letter_headers, server
SELECT refused($$permanent_errors => '{22,2}'$$);
SELECT refused($$permanent_errors => '{22P0x!}'$$);
SELECT refused($$permanent_errors => '{00000}'$$);
SELECT refused($$permanent_errors => '{22,NULL}'$$);
SELECT refused($$dead_letter_topic => 'two words'$$);
SELECT refused($$dead_letter_topic => '^dead'$$);
SELECT refused($$dead_letter_topic => '__consumer_offsets', on_failure => 'dead_letter'$$);
SELECT refused($$dead_letter_topic => 'dead'$$);
SELECT refused($$dead_letter_topic => 'dead', on_failure => 'skip'$$);
SELECT refused($$dead_letter_headers => ''$$);
SELECT refused($$dead_letter_headers => 'connect,Spring'$$);
SELECT refused($$dead_letter_headers => 'connect,'$$);
SELECT refused($$dead_letter_topic => 'orders', on_failure => 'dead_letter'$$);
SELECT refusal($$SELECT burrow.subscribe('^ord', 'on_message', dead_letter_topic => 'orders.dead', on_failure => 'dead_letter')$$);

-- park_key
SELECT refused($$park_key => true$$);
SELECT refused($$park_key => true, on_failure => 'skip'$$);
SELECT refused($$park_key => true, on_failure => 'dead_letter', ordering => 'partition'$$);
SELECT refused($$park_key => true, on_failure => 'dead_letter', ordering => 'unordered'$$);

-- server; more in servers.sql
SELECT refused($$server => 'kafka'$$);

-- kafka
SELECT refused($$kafka => '[]'$$);
SELECT refused($$kafka => '"session.timeout.ms=6000"'$$);
SELECT refused($$kafka => 'null'$$);
SELECT refused($$kafka => '{"session.timeout.ms": null}'$$);
SELECT refused($$kafka => '{"session.timeout.ms": {"a": 1}}'$$);
SELECT refused($$kafka => '{"session.timeout.ms": [6000]}'$$);
SELECT refused($$kafka => '{"sesion.timeout.ms": 6000}'$$);
SELECT refused($$kafka => '{"": 6000}'$$);
SELECT refused($$kafka => '{"no.such.property.at.all": 1}'$$);
SELECT refused($$kafka => '{"session.timeout.ms": "soon"}'$$);
SELECT refused($$kafka => '{"client.id": "__admin_client"}'$$);
SELECT refused($$kafka => '{"topic.blacklist": "^old[.],^(a+)+$"}'$$);
SELECT refused($$kafka => '{"topic.blacklist": "^old,,new"}'$$);
SELECT refused($$kafka => '{"session.timeout.ms": -1}'$$);
SELECT refused($$kafka => '{"isolation.level": "read_some"}'$$);
SELECT refused($$kafka => '{"session.timeout.ms": 300000, "max.poll.interval.ms": 200000}'$$);
SELECT refused($$kafka => '{"receive.message.max.bytes": 200000000}'$$);
-- Burrow's own, and what is not safe
SELECT refused($$kafka => '{"group.id": "x"}'$$);
SELECT refused($$kafka => '{"enable.auto.commit": true}'$$);
SELECT refused($$kafka => '{"auto.offset.reset": "earliest"}'$$);
SELECT refused($$kafka => '{"plugin.library.paths": "/tmp/x.so"}'$$);
SELECT refused($$kafka => '{"test.mock.num.brokers": 3}'$$);
-- the connection's
SELECT refused($$kafka => '{"bootstrap.servers": "elsewhere:9092"}'$$);
SELECT refused($$kafka => '{"security.protocol": "ssl"}'$$);
SELECT refused($$kafka => '{"sasl.username": "u", "sasl.password": "not to be seen"}'$$);

-- An argument that does not exist, and one of another type, are refused by the parser.
SELECT refused($$worker => 4$$);
SELECT refused($$workers => 1.5$$);

-- Nothing is left.
SELECT count(*) FROM burrow.subscriptions;

DROP FUNCTION on_message, refusal, refused;
