# Errors of the environment: when every message meets one, the subscription waits and
# nothing is used up; when one message alone does, it is that message's own.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
CREATE TABLE got (topic text, "offset" bigint, attempt int);
CREATE TABLE broken (sqlstate text);
CREATE FUNCTION h(topic text, "offset" bigint, value text, attempt int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    state text := (SELECT sqlstate FROM broken);
BEGIN
    IF value <> 'ok' OR state IS NOT NULL THEN
        RAISE EXCEPTION 'error %', coalesce(state, value) USING ERRCODE = coalesce(state, value);
    END IF;
    INSERT INTO got VALUES (topic, "offset", attempt);
END $$;
SQL

sub subscribe
{
	my ($name, $options) = @_;
	$node->sql(qq{SELECT burrow.subscribe('$name', 'h', on_failure => 'dead_letter', commit_interval => '100 ms',
		max_consecutive_errors => 5, retry_backoff => '10 ms', $options)});
	return;
}

#
# The disk is full for 20 s.
#
for my $ordering (qw(key partition))
{
	my $seconds = $ordering eq 'key' ? 20 : 5;
	my $name = "full_$ordering";
	$kafka->create_topic($name, 1);
	$kafka->produce($name, map { { key => "k$_", value => 'ok' } } 1 .. 200);
	$node->sql(q{INSERT INTO broken VALUES ('53100')});
	my $position = $node->log_position;
	subscribe($name, "workers => 4, ordering => '$ordering'");
	$node->wait_for_state($name, 'retrying');
	is($node->sql("SELECT last_error FROM burrow.subscriptions WHERE subscription = '$name'"), 'error 53100', "$ordering: the state says why");
	my $since = time;
	$node->wait_for("$seconds s", sub { time - $since >= $seconds });
	is($node->sql("SELECT state FROM burrow.subscriptions WHERE subscription = '$name'"), 'retrying', "$ordering: it still waits");
	cmp_ok($node->sql("SELECT messages_failed FROM burrow.stats WHERE subscription = '$name'"), '<', 20, "$ordering: and does not try all the time");
	$node->sql('DELETE FROM broken');
	$kafka->wait_until_committed($node->group_of($name), $name, diagnose => sub { $node->diagnostics });
	is($node->sql("SELECT count(*), count(DISTINCT \"offset\"), max(attempt) FROM got WHERE topic = '$name'"), '200|200|1', "$ordering: all are handled, no attempts used up");
	is($node->sql('SELECT count(*) FROM burrow.dead_letters'), '0', "$ordering: no dead letters");
	$node->wait_for_state($name, 'running');
	like($node->log_since($position), qr/WARNING:  subscription "$name" is waiting: the handler failed \(SQLSTATE 53100\)\n.*LOG:  subscription "$name" goes on/s, "$ordering: the log says so");
	my $warnings = () = $node->log_since($position) =~ /WARNING:  subscription "$name" is waiting/g;
	is($warnings, 1, "$ordering: once");
	$node->sql("SELECT burrow.pause('$name')");
}

#
# Two messages need more memory than there is, among others that do not.
#
$kafka->create_topic('memory', 1);
$kafka->produce('memory', map { { key => "k$_", value => $_ == 50 || $_ == 51 ? '53200' : 'ok' } } 1 .. 3000);
subscribe('memory', 'workers => 4, max_retries => 2');
$kafka->wait_until_committed($node->group_of('memory'), 'memory', diagnose => sub { $node->diagnostics });
is($node->sql(q{SELECT count(*), count(DISTINCT "offset") FROM got WHERE topic = 'memory'}), '2998|2998', 'the others are handled once');
is($node->sql(q{SELECT "offset", attempts, sqlstate FROM burrow.dead_letters ORDER BY 1}), "49|3|53200\n50|3|53200", 'and these are dead letters');

#
# Deadlocks between chunks are nobody's error.
#
$node->sql(<<'SQL');
CREATE TABLE accounts (id int PRIMARY KEY, n int NOT NULL DEFAULT 0);
INSERT INTO accounts SELECT generate_series(1, 2);
CREATE FUNCTION hit(value int) RETURNS void LANGUAGE sql AS 'UPDATE accounts SET n = n + 1 WHERE id = value';
CREATE FUNCTION locks(value text) RETURNS void LANGUAGE sql AS 'SELECT hit(value::int); SELECT pg_sleep(0.05)';
ALTER SYSTEM SET deadlock_timeout = '20 ms';
SELECT pg_reload_conf();
SQL
$kafka->create_topic('deadlocks', 2);
# each partition's chunks take the two accounts in another order
$kafka->produce('deadlocks', map { my $p = $_; map { { partition => $p, value => '' . (($_ + $p) % 2 + 1) } } 1 .. 40 } 0, 1);
$node->sql(q{SELECT burrow.subscribe('deadlocks', 'locks', workers => 2, ordering => 'partition', batch_time => '1 s', batch_size => 2,
	on_failure => 'dead_letter', max_consecutive_errors => 1, commit_interval => '100 ms')});
my $position = $node->log_position;
$kafka->wait_until_committed($node->group_of('deadlocks'), 'deadlocks', diagnose => sub { $node->diagnostics });
is($node->sql('SELECT string_agg(n::text, \' \' ORDER BY id) FROM accounts'), '40 40', 'all are handled once');
note('deadlocks: ' . $node->sql(q{SELECT deadlocks FROM pg_stat_database WHERE datname = 'postgres'}));
is($node->sql(q{SELECT count(*) FROM burrow.dead_letters WHERE subscription = 'deadlocks'}), '0', 'none is a dead letter');
is($node->sql(q{SELECT state FROM burrow.subscriptions WHERE subscription = 'deadlocks'}), 'running', 'and none counts as an error in a row');

$node->stop;
done_testing();
