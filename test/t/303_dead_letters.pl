# Dead letters: what is kept of a message, who may see it, trying again, discarding.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
CREATE TABLE got (id bigserial, "offset" bigint, key text, value bytea, headers jsonb, "timestamp" timestamptz, attempt int);
CREATE TABLE broken ();
CREATE FUNCTION h("offset" bigint, key text, value bytea, headers jsonb, "timestamp" timestamptz, attempt int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_class WHERE relname = 'broken') THEN
        RAISE EXCEPTION 'the handler is broken' USING ERRCODE = 'P4711';
    END IF;
    INSERT INTO got ("offset", key, value, headers, "timestamp", attempt) VALUES ("offset", key, value, headers, "timestamp", attempt);
END $$;
CREATE ROLE other LOGIN;
CREATE ROLE monitor LOGIN IN ROLE pg_monitor;
SQL

sub gone { return $node->wait_for('the dead letters to be gone', 'SELECT count(*) = 0 FROM burrow.dead_letters', timeout => 90) }

$kafka->create_topic('letters', 2);
$kafka->produce('letters',
	{ partition => 0, key => 'a', value => '{"n": 1}', timestamp => 1700000000123, headers => [['trace', 'x'], ['trace', 'y']] },
	{ partition => 0, key => 'a', value => undef },
	{ partition => 0, value => 'no key' },
	{ partition => 1, key => 'b', value => '' });
$node->sql(q{SELECT burrow.subscribe('letters', 'h', on_failure => 'dead_letter', max_retries => 0, max_consecutive_errors => 1000000, commit_interval => '100 ms')});
my $group = $node->group_of('letters');
$kafka->wait_until_committed($group, 'letters', diagnose => sub { $node->diagnostics });
is($node->sql(q{SELECT partition, "offset", encode(key, 'escape'), encode(value, 'escape'), headers FROM burrow.dead_letters ORDER BY 1, 2}),
	join("\n", q(0|0|a|{"n": 1}|{"(trace,\"\\\\\\\\x78\")","(trace,\"\\\\\\\\x79\")"}), '0|1|a||{}', '0|2||no key|{}', '1|0|b||{}'), 'all of the message is kept');
is($node->sql(q{SELECT count(*) FILTER (WHERE value IS NULL), count(*) FILTER (WHERE key IS NULL), min("timestamp") = to_timestamp(1700000000.123) FROM burrow.dead_letters}), '1|1|t',
	'NULL is not empty');
is($node->sql(q{SET ROLE other; SELECT count(*) FROM burrow.dead_letters}), '0', 'others do not see it');
is($node->sql(q{SET ROLE monitor; SELECT count(*) FROM burrow.dead_letters}), '0', 'nor does pg_monitor see contents');
like($node->sql_error(q{SET ROLE other; SELECT burrow.retry_dead_letters('letters')}), qr/42501/, 'nor may others try them again');
like($node->sql_error(q{SELECT burrow.retry_dead_letters('lettres')}), qr/42704.*letters/s, 'a name that is misspelt');

# tried again, and failed again
is($node->sql(q{SELECT burrow.retry_dead_letters('letters', partition => 0, from_offset => 1, sqlstate => 'P4')}), '2', 'two are tried again');
$node->wait_for('them to fail again', q{SELECT count(*) = 2 FROM burrow.dead_letters WHERE attempts = 2 AND retry_asked_at IS NULL AND last_failed_at > first_failed_at});
is($node->sql(q{SELECT count(*) FROM burrow.dead_letters WHERE attempts = 1}), '2', 'the others are not touched');

# with a handler that works
$node->sql('DROP TABLE broken');
is($node->sql(q{SELECT burrow.retry_dead_letters('letters')}), '4', 'all are tried again');
gone();
is($node->sql(q{SELECT key, encode(value, 'escape'), headers, attempt FROM got ORDER BY key, id}),
	join("\n", 'a|{"n": 1}|[{"name": "trace", "value": "x"}, {"name": "trace", "value": "y"}]|2', 'a||[]|3', 'b||[]|2', '|no key|[]|3'), 'with all of the message, in order, and their attempts');
is($node->sql(q{SELECT count(*) FROM got WHERE "timestamp" = to_timestamp(1700000000.123)}), '1', 'and its time');
is($node->sql('SELECT count(*) FROM burrow.partitions'), '2', 'they are no partitions of their own');

# many, interrupted by crashes
$node->sql('CREATE TABLE broken (); TRUNCATE got');
$kafka->produce('letters', map { { key => 'k' . $_ % 50, value => "$_", partition => $_ % 2 } } 1 .. 3000);
$kafka->wait_until_committed($group, 'letters', timeout => 120, diagnose => sub { $node->diagnostics });
is($node->sql('SELECT count(*) FROM burrow.dead_letters'), '3000', 'three thousand dead letters');
$node->sql('DROP TABLE broken');
is($node->sql(q{SELECT burrow.retry_dead_letters('letters', older_than => '1 hour')}), '0', 'none is so old');
$node->sql(q{SELECT burrow.retry_dead_letters('letters')});
$node->wait_for('some to be handled', 'SELECT count(*) > 100 FROM got');
$node->crash;
$node->start;
$node->sql(q{SELECT burrow.retry_dead_letters('letters')});
gone();
is($node->sql('SELECT count(*), count(DISTINCT convert_from(value, \'UTF8\')) FROM got'), '3000|3000', 'each is handled once, over a crash');
is($node->sql(q{SELECT count(*) FROM (SELECT "offset", lag("offset") OVER (PARTITION BY key, convert_from(value, 'UTF8')::int % 2 ORDER BY id) AS before FROM got) g WHERE before > "offset"}), '0', 'in the order of their keys');
is($node->sql('SELECT state FROM burrow.subscriptions'), 'running', 'and the subscription runs');

# discarded
$node->sql('CREATE TABLE broken ()');
$kafka->produce('letters', map { { key => 'd', value => "$_", partition => 0 } } 1 .. 5);
$kafka->wait_until_committed($group, 'letters', diagnose => sub { $node->diagnostics });
is($node->sql(q{SELECT burrow.discard_dead_letters('letters', sqlstate => '22')}), '0', 'none of another class');
is($node->sql(q{SELECT burrow.discard_dead_letters('letters', topic => 'letters', partition => 0)}), '5', 'discarded');
gone();

# Those that fail again in another order than theirs: the consumer locks them in theirs, as who calls
# burrow.retry_dead_letters() does, and so the two do not meet in a deadlock.
$kafka->produce('letters', map { { value => "$_", partition => 0 } } 1 .. 2);
$node->wait_for('two letters', q{SELECT count(*) = 2 FROM burrow.dead_letters});
my ($first, $second) = split /\n/, $node->sql(q{SELECT "offset" FROM burrow.dead_letters ORDER BY 1});
my $failed = $node->sql(q{SELECT messages_failed FROM burrow.stats});
my ($gate, $parent) = map { $node->background_psql('postgres') } 1 .. 2;
$gate->query_safe("SELECT pg_advisory_lock($_)") foreach $first, $second;
$node->sql(<<'SQL');
CREATE OR REPLACE FUNCTION h("offset" bigint, key text, value bytea, headers jsonb, "timestamp" timestamptz, attempt int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared("offset");
    RAISE EXCEPTION 'again';
END $$;
SELECT burrow.retry_dead_letters('letters');
SQL
$node->wait_for('both to be in hand', q{SELECT count(*) = 2 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted});
# nothing is written while the subscription's row cannot be had
$parent->query_safe('BEGIN; SELECT FROM burrow.subscription FOR UPDATE');
foreach my $n (1, 2)
{
	$gate->query_safe('SELECT pg_advisory_unlock(' . ($n == 1 ? $second : $first) . ')');
	$node->wait_for("failure $n", "SELECT messages_failed = $failed + $n FROM burrow.stats");
}
$gate->query_safe(qq{BEGIN; SELECT FROM burrow.dead_letter WHERE "offset" = $first FOR UPDATE});
$parent->query_safe('COMMIT');
$gate->query_safe(<<"SQL");
DO \$\$
BEGIN
    WHILE NOT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))) LOOP
        PERFORM pg_sleep(0.005);
    END LOOP;
    PERFORM FROM burrow.dead_letter WHERE "offset" = $second FOR UPDATE NOWAIT;
END \$\$;
COMMIT
SQL
$_->quit foreach $gate, $parent;
$node->wait_for('both to be letters again', q{SELECT count(*) = 2 FROM burrow.dead_letters WHERE attempts = 2 AND retry_asked_at IS NULL});
pass('letters are locked in their order');

$node->stop;
done_testing();
