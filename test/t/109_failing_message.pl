# A message that fails halts the subscription: what others have in hand is finished,
# nothing past the message is committed to Kafka, the view shows what went wrong, and
# burrow.resume goes on from there with nothing missing.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
CREATE TABLE got (n int);
CREATE TABLE forbidden (n int);
CREATE FUNCTION keep(value jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    this int := value->>'n';
BEGIN
    IF this IN (7, 42) THEN
        PERFORM pg_advisory_xact_lock_shared(this);
    END IF;
    IF EXISTS (SELECT FROM forbidden WHERE n = this) THEN
        RAISE EXCEPTION 'order % is not wanted', this
            USING ERRCODE = 'P4711', DETAIL = 'It is on the list.', HINT = 'Take it off the list.';
    END IF;
    INSERT INTO got VALUES (this);
END $$;
SQL
$kafka->create_topic('orders', 1);
$kafka->produce('orders', map { { key => "k$_", value => "{\"n\": $_}" } } 0 .. 99);
$node->sql('INSERT INTO forbidden VALUES (42)');

# message 7 is in hand, and blocked, when message 42 fails; what is not begun then goes back
my $holder = $node->background_psql('postgres');
$holder->query_safe('SELECT pg_advisory_lock(7), pg_advisory_lock(42)');
$node->sql("SELECT burrow.subscribe('orders', 'keep', max_retries => 0, workers => 4, batch_size => 5, commit_interval => '100 ms')");
my $group = $node->group_of('orders');
my $position = $node->log_position;
$node->wait_for('both to wait', "SELECT count(*) = 2 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted");
$holder->query_safe('SELECT pg_advisory_unlock(42)');
$node->wait_for('message 42 to have failed', "SELECT messages_failed = 1 FROM burrow.stats");
is($node->sql('SELECT count(*) FROM got WHERE n = 7'), '0', 'message 7 is still in hand');
$node->wait_for('the worker with message 7 to be the last', "SELECT count(*) = 1 FROM burrow.workers WHERE state = 'running'");
isnt($node->sql('SELECT state FROM burrow.subscriptions'), 'halted', 'what is in hand is waited for');
$holder->query_safe('SELECT pg_advisory_unlock(7)');
$node->wait_for_state('orders', 'halted');
is($node->sql('SELECT count(*) FROM got WHERE n = 7'), '1', 'message 7 was finished');
is($node->sql('SELECT count(*) FROM got WHERE n = 42'), '0', 'message 42 was not');

is($node->sql('SELECT error_topic, error_partition, error_offset, error_sqlstate, error_message, error_detail, error_hint FROM burrow.subscriptions'),
	'orders|0|42|P4711|order 42 is not wanted|It is on the list.|Take it off the list.', 'the view has the error and its place');
like($node->sql('SELECT error_context FROM burrow.subscriptions'), qr/PL\/pgSQL function keep.*handling message from topic "orders" partition 0 offset 42 for subscription "orders"/s, 'and its context');
like($node->log_since($position), qr/subscription "orders" is halted at topic "orders" partition 0 offset 42/, 'so has the log');
my $committed = $kafka->committed($group, 'orders')->{0};
cmp_ok($committed, '<=', 42, "Kafka's offset ($committed) has not passed it");
cmp_ok($committed, '>', 7, 'and has followed up to it');
is(scalar $kafka->group_members($group), 0, 'a halted subscription has left the group');

# it stays halted over a restart
$node->restart;
$node->wait_for_state('orders', 'halted');
is($node->sql('SELECT error_offset FROM burrow.subscriptions'), '42', 'a restart does not forget the error');

# resuming without a remedy halts again at the same message
$node->sql("SELECT burrow.resume('orders')");
$node->wait_for('the next attempt to have failed', 'SELECT messages_failed = 1 FROM burrow.stats');
$node->wait_for_state('orders', 'halted');

$node->sql('DELETE FROM forbidden');
$node->sql("SELECT burrow.resume('orders')");
$kafka->wait_until_committed($group, 'orders', diagnose => sub { $node->diagnostics });
is($node->sql('SELECT count(DISTINCT n), min(n), max(n) FROM got'), '100|0|99', 'after the remedy nothing is missing');
is($node->sql('SELECT state, error_message IS NULL FROM burrow.subscriptions'), 'running|t', 'and the error is gone');

# the same key waits behind a failed message, and in order afterwards
$kafka->create_topic('keyed', 1);
$node->sql('TRUNCATE got; INSERT INTO forbidden VALUES (3)');
$kafka->produce('keyed', map { { key => 'same', value => "{\"n\": $_}" } } 0 .. 9);
$node->sql("SELECT burrow.subscribe('keyed', 'keep', max_retries => 0)");
$node->wait_for_state('keyed', 'halted');
is($node->sql("SELECT string_agg(n::text, ',' ORDER BY n) FROM got"), '0,1,2', 'nothing of the key passes the failed message');
$node->sql("DELETE FROM forbidden; SELECT burrow.resume('keyed')");
$kafka->wait_until_committed($node->group_of('keyed'), 'keyed', diagnose => sub { $node->diagnostics });
is($node->sql("SELECT string_agg(n::text, ',' ORDER BY ctid) FROM got"), '0,1,2,3,4,5,6,7,8,9', 'then the rest, in order');

$node->stop;
done_testing();
