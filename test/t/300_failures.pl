# Messages that fail: retries with backoff, permanent errors, what on_failure does,
# errors in a row, a handler that is missing, a worker that is killed by its message,
# handler_timeout.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);

# What the handler does is what the message says: "ok", "fail", "fail N" (the first N
# attempts), or an SQLSTATE.
$node->sql(<<'SQL');
CREATE TABLE got (id bigserial, topic text, "offset" bigint, key text, value text, attempt int);
-- Outside the transaction that will be rolled back: lines of a file.  Not every server has dblink.
CREATE VIEW tried AS SELECT f[1] AS topic, f[2]::bigint AS "offset", f[3]::int AS attempt, f[4]::timestamptz AS at
    FROM regexp_split_to_table(pg_read_file('tried', 0, 10000000, true), E'\n') line, string_to_array(line, E'\t') f WHERE line <> '';
CREATE FUNCTION note(topic text, "offset" bigint, attempt int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('COPY (SELECT %L, %s, %s, %L) TO PROGRAM ''cat >>tried''', topic, "offset", attempt, clock_timestamp());
END $$;
CREATE FUNCTION h(topic text, "offset" bigint, key text, value text, attempt int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF value LIKE 'fail %' AND attempt > split_part(value, ' ', 2)::int OR value = 'ok' THEN
        INSERT INTO got (topic, "offset", key, value, attempt) VALUES (topic, "offset", key, value, attempt);
        RETURN;
    END IF;
    PERFORM note(topic, "offset", attempt);
    CASE
        WHEN value LIKE 'fail%' THEN RAISE EXCEPTION 'cannot take "%"', value USING DETAIL = 'a detail', HINT = 'a hint';
        WHEN value = 'reject' THEN PERFORM burrow.reject('not for us');
        WHEN value = 'sleep' THEN PERFORM pg_sleep(60);
        WHEN value = 'terminate' THEN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(60);
        ELSE RAISE EXCEPTION 'error %', value USING ERRCODE = value;
    END CASE;
END $$;
SQL

sub topic
{
	my ($name, @values) = @_;
	my $n = 0;
	$kafka->create_topic($name, 1);
	$kafka->produce($name, map { /^(.*):(.*)$/ ? { key => $1, value => $2 } : { key => 'key ' . $n++, value => $_ } } @values);
	return;
}

sub subscribe
{
	my ($name, $options) = @_;
	$node->sql(qq{SELECT burrow.subscribe('$name', 'h', commit_interval => '100 ms', kafka => '{"session.timeout.ms": 6000}', $options)});
	return;
}

sub done
{
	my ($name) = @_;
	$kafka->wait_until_committed($node->group_of($name), $name, diagnose => sub { $node->diagnostics });
	$node->sql("SELECT burrow.pause('$name')");    # lets go of its processes
	return;
}

sub tried
{
	my ($name, $offset) = @_;
	return $node->sql("SELECT string_agg(attempt::text, ' ' ORDER BY at) FROM tried WHERE topic = '$name' AND \"offset\" = $offset");
}

#
# Retries: attempts count from 1, only what the order requires waits, permanent errors
# are not retried, and what is used up is a dead letter.
#
topic('retries', 'a:ok', 'a:fail 2', 'a:ok', 'b:fail', 'b:ok', 'c:22012', 'd:reject', 'e:23503', (map { "f$_:ok" } 1 .. 50));
subscribe('retries', q{workers => 2, on_failure => 'dead_letter', max_retries => 2, retry_backoff => '50 ms'});
done('retries');
is($node->sql(q{SELECT count(*), count(DISTINCT "offset") FROM got WHERE topic = 'retries'}), '54|54', 'the good ones are handled once');
is($node->sql(q{SELECT string_agg("offset" || ':' || attempt, ' ' ORDER BY id) FROM got WHERE key = 'a'}), '0:1 1:3 2:1', 'in order, behind the retries');
is(tried('retries', 1), '1 2', 'two attempts failed');
is(tried('retries', 3), '1 2 3', 'max_retries attempts after the first');
is(tried('retries', 5), '1', 'a permanent error is not retried');
is(tried('retries', 6), '1', 'nor one that was rejected');
is(tried('retries', 7), '1 2 3', '23503 is none');
is($node->sql(q{SELECT string_agg("offset" || ' ' || attempts || ' ' || sqlstate || ' ' || message, ', ' ORDER BY "offset") FROM burrow.dead_letters}),
	'3 3 P0001 cannot take "fail", 5 1 22012 error 22012, 6 1 BR001 message was rejected: not for us, 7 3 23503 error 23503', 'the dead letters');
is($node->sql(q{SELECT subscription, topic, partition, convert_from(key, 'UTF8'), convert_from(value, 'UTF8'), headers, detail, hint, first_failed_at < last_failed_at,
	context LIKE '%handling message from topic "retries" partition 0 offset 3 for subscription "retries"' FROM burrow.dead_letters WHERE "offset" = 3}),
	'retries|retries|0|b|fail|{}|a detail|a hint|t|t', 'with all that is known');
is($node->sql(q{SELECT messages_processed, messages_failed, messages_retried, messages_dead_lettered, messages_skipped FROM burrow.stats WHERE subscription = 'retries'}),
	'54|10|6|4|0', 'and counted');

#
# Backoff: never early, and not much later than its jitter.
#
my %strategy = (exponential => [40, 80, 120, 120], linear => [40, 80, 120, 120], constant => [40, 40, 40, 40]);
for my $name (sort keys %strategy)
{
	topic($name, ('fail') x 100);
	subscribe($name, qq{workers => 8, min_workers => 8, on_failure => 'dead_letter', max_retries => 4, max_consecutive_errors => 1000,
		retry_strategy => '$name', retry_backoff => '40 ms', retry_backoff_max => '120 ms'});
	done($name);
	my $expected = join(',', @{ $strategy{$name} });
	is($node->sql(qq{
		SELECT count(*), count(*) FILTER (WHERE t.wait < p.ms) FROM (
			SELECT attempt, 1000 * extract(epoch FROM at - lag(at) OVER (PARTITION BY "offset" ORDER BY attempt)) AS wait
			FROM tried WHERE topic = '$name') t
		JOIN unnest('{$expected}'::int[]) WITH ORDINALITY AS p (ms, n) ON p.n = t.attempt - 1}), '400|0', "$name: none of 400 retries is early");
}

#
# Skipped, and counted.
#
topic('skipping', 'x:ok', 'x:fail', 'x:ok');
subscribe('skipping', q{on_failure => 'skip', max_retries => 0});
my $position = $node->log_position;
done('skipping');
is($node->sql(q{SELECT string_agg("offset"::text, ' ' ORDER BY id) FROM got WHERE topic = 'skipping'}), '0 2', 'the message is skipped');
is($node->sql(q{SELECT messages_skipped, messages_dead_lettered FROM burrow.stats WHERE subscription = 'skipping'}), '1|0', 'and counted');
like($node->log_since(0), qr/LOG:  subscription "skipping" skips topic "skipping" partition 0 offset 1 after 1 attempts/, 'and logged');

#
# E E S E E E with a limit of 3: halts after the last, which is not resolved.
#
topic('row', 'fail', 'fail', 'ok', 'fail', 'fail', 'fail', 'ok');
subscribe('row', q{workers => 1, batch_size => 1, on_failure => 'dead_letter', max_retries => 0, max_consecutive_errors => 3, ordering => 'partition'});
$node->wait_for_state('row', 'halted');
is($node->sql(q{SELECT string_agg("offset"::text, ' ' ORDER BY at) FROM tried WHERE topic = 'row'}), '0 1 3 4 5', 'the third in a row halts, and not the second');
is($node->sql(q{SELECT error_offset, error_message FROM burrow.subscriptions WHERE subscription = 'row'}), '5|3 failed attempts in a row, the last one: cannot take "fail"', 'the error says so');
is($kafka->committed($node->group_of('row'), 'row')->{0}, 5, 'the offset is at the message that is not resolved');
$node->sql(q{SELECT burrow.alter('row', max_consecutive_errors => 10); SELECT burrow.resume('row')});
done('row');
is($node->sql(q{SELECT string_agg("offset"::text, ' ' ORDER BY "offset") FROM got WHERE topic = 'row'}), '2 6', 'resumed, the good ones are handled');
is($node->sql(q{SELECT string_agg("offset"::text, ' ' ORDER BY "offset") FROM burrow.dead_letters WHERE subscription = 'row'}), '0 1 3 4 5', 'and none of the others is missing');

#
# What is the handler's fault halts, and makes no dead letters; so does damaged data.
#
$node->sql(q{CREATE FUNCTION other(value text) RETURNS void LANGUAGE sql AS ''});
$kafka->create_topic('unfit', 1);
$node->sql(q{SELECT burrow.subscribe('unfit', 'other', on_failure => 'dead_letter')});
$node->wait_for_state('unfit', 'running');
$node->sql('DROP FUNCTION other');
$kafka->produce('unfit', { value => 'x' });
$node->wait_for_state('unfit', 'halted');
is($node->sql(q{SELECT error_sqlstate FROM burrow.subscriptions WHERE subscription = 'unfit'}), '42883', 'a handler that is missing halts');
topic('damaged', 'XX001');
subscribe('damaged', q{on_failure => 'dead_letter'});
$node->wait_for_state('damaged', 'halted');
is($node->sql(q{SELECT count(*) FROM burrow.dead_letters WHERE subscription IN ('unfit', 'damaged')}), '0', 'no dead letters of those');

#
# A message that kills its worker is charged for it, and it alone.
#
topic('killer', 'a:ok', 'b:terminate', (map { "c$_:ok" } 1 .. 20), 'b:ok');
subscribe('killer', q{workers => 2, on_failure => 'dead_letter', max_retries => 2, retry_backoff => '10 ms'});
done('killer');
is(tried('killer', 1), '1 2 3', 'it has its attempts');
is($node->sql(q{SELECT "offset", attempts, sqlstate, message FROM burrow.dead_letters WHERE subscription = 'killer'}),
	'1|3|BR002|worker process ended while it was handling the message', 'and is a dead letter');
is($node->sql(q{SELECT count(*), max(attempt) FROM got WHERE topic = 'killer'}), '22|1', 'the others are handled at their first attempt');

#
# handler_timeout cancels, and the message is retried; the others of its chunk are handled.
#
topic('timeout', (map { "a$_:ok" } 1 .. 10), 'b:sleep', (map { "c$_:ok" } 1 .. 10), 'b:ok');
subscribe('timeout', q{workers => 1, on_failure => 'dead_letter', max_retries => 1, retry_backoff => '10 ms', handler_timeout => '200 ms'});
done('timeout');
is(tried('timeout', 10), '1 2', 'cancelled and tried again');
is($node->sql(q{SELECT "offset", attempts, sqlstate, message FROM burrow.dead_letters WHERE subscription = 'timeout'}),
	'10|2|57014|handler was cancelled after 200 ms', 'and a dead letter');
like($node->sql(q{SELECT extract(epoch FROM last_failed_at - first_failed_at) FROM burrow.dead_letters WHERE subscription = 'timeout'}), qr/^0\.[2-9]/, 'in time');
is($node->sql(q{SELECT count(*), count(DISTINCT "offset") FROM got WHERE topic = 'timeout'}), '21|21', 'the others are handled once');

# pg_cancel_backend does the same to the message
topic('cancelled', 'a:sleep', 'b:ok');
subscribe('cancelled', q{workers => 2, on_failure => 'dead_letter', max_retries => 1, retry_backoff => '10 ms'});
for my $attempt (1, 2)
{
	$node->wait_for("attempt $attempt", "SELECT count(*) = $attempt FROM tried WHERE topic = 'cancelled'");
	$node->sql(q{SELECT pg_cancel_backend(pid) FROM burrow.workers WHERE subscription = 'cancelled' AND "offset" = 0});
}
done('cancelled');
is($node->sql(q{SELECT "offset", attempts, sqlstate FROM burrow.dead_letters WHERE subscription = 'cancelled'}), '0|2|57014', 'cancelled twice: a dead letter');

$node->stop;
done_testing();
