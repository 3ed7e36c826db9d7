# A consumer that looks into the catalog, which somebody may have locked, waits for a second, says so, and goes on by
# itself: while it waits for a cluster, while it runs, and before it does.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main');
$kafka->create_topic('locked', 1);
$kafka->produce('locked', { value => 'x' });
$node->sql(<<"SQL");
CREATE ROLE anna LOGIN;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA burrow TO anna;
CREATE SERVER k FOREIGN DATA WRAPPER burrow OPTIONS (bootstrap_servers '@{[ $kafka->bootstrap ]}');
GRANT USAGE ON FOREIGN SERVER k TO anna;
CREATE USER MAPPING FOR anna SERVER k;
CREATE TABLE got (value text);
GRANT INSERT ON got TO anna;
CREATE FUNCTION keep(value text) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES (\$1)';
SET ROLE anna;
SELECT burrow.subscribe('locked', 'keep', server => 'k', commit_interval => '100 ms');
SQL
$node->wait_for('the message', 'SELECT count(*) = 1 FROM got');
$node->sql('REVOKE USAGE ON FOREIGN SERVER k FROM anna');
$node->wait_for_state('locked', 'retrying');
my ($pid, $said) = split /\|/, $node->sql(q{SELECT consumer_pid, last_error FROM burrow.subscriptions});
note($said);

my $holder = $node->background_psql('postgres');
# a new session may have to look into all catalogs, where the file that spares it that is not there
my $watcher = $node->background_psql('postgres');
$holder->query_safe('BEGIN; LOCK TABLE pg_foreign_server IN ACCESS EXCLUSIVE MODE');
wait_until('the lock to be noticed', sub {
		return $watcher->query_safe(q{SELECT last_error ~ 'could not look for the Kafka cluster: canceling statement due to lock timeout' FROM burrow.subscriptions}) eq 't';
});
is($watcher->query_safe('SELECT consumer_pid, state FROM burrow.subscriptions'), "$pid|retrying", 'the same process waits');
$holder->query_safe('COMMIT');
$watcher->quit;
$holder->quit;
$node->wait_for('the other reason again', q{SELECT last_error !~ 'lock timeout' FROM burrow.subscriptions});
$node->sql('GRANT USAGE ON FOREIGN SERVER k TO anna');
$kafka->produce('locked', { value => 'y' });
$node->wait_for('the next message', 'SELECT count(*) = 2 FROM got');

# ---- a consumer that runs goes on with its messages while its own row cannot be looked at
$holder = $node->background_psql('postgres');
$holder->query_safe('BEGIN; LOCK TABLE burrow.pending_seek IN ACCESS EXCLUSIVE MODE');
my $position = $node->log_position;
$node->sql(q{ALTER SERVER k OPTIONS (ADD security_protocol 'PLAINTEXT')});
$node->wait_for_log_line(qr/could not read the subscription: canceling statement due to lock timeout/, $position);
$kafka->produce('locked', { value => 'z' });
$node->wait_for('the message while it is locked', 'SELECT count(*) = 3 FROM got');
my $before = $node->sql('SELECT consumer_pid FROM burrow.subscriptions');
$holder->query_safe('COMMIT');
$holder->quit;
$node->wait_for('the change to be noticed', "SELECT consumer_pid <> $before AND state = 'running' FROM burrow.subscriptions");
$kafka->produce('locked', { value => '!' });
$node->wait_for('the next message', 'SELECT count(*) = 4 FROM got');

# ---- nor does one that has just been started, in whatever it reads first
sub waits_for
{
	my ($kind, $what) = @_;
	$node->wait_for("trouble of kind $kind", "SELECT count(*) = 1 FROM burrow._troubles() WHERE kind = '$kind' AND error = 'could not $what: canceling statement due to lock timeout'");
	pass("it waits for a second, and says so: $what");
	return;
}

$holder = $node->background_psql('postgres');
$holder->query_safe('BEGIN; LOCK TABLE burrow.pending_seek IN ACCESS EXCLUSIVE MODE');
$node->sql(q{SELECT pg_terminate_backend(consumer_pid) FROM burrow.subscriptions});
waits_for('load', 'read the subscription');
$holder->query_safe('COMMIT');
$kafka->produce('locked', { value => '?' });
$node->wait_for('the next message', 'SELECT count(*) = 5 FROM got');
is($node->sql(q{SELECT string_agg(value, '' ORDER BY value) FROM got}), '!?xyz', 'each message was handled, once');

# ---- whoever deletes a subscription has its row first, and then the rows that refer to it: the consumer
# waits for the subscription's, too, before it locks one of those
$holder->query_safe('BEGIN; SELECT FROM burrow.subscription FOR UPDATE');
$node->sql(q{SELECT pg_terminate_backend(consumer_pid) FROM burrow.subscriptions});
$holder->query_safe(<<'SQL');
DO $$
BEGIN
    WHILE NOT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))) LOOP
        PERFORM pg_sleep(0.005);
    END LOOP;
    PERFORM FROM burrow.progress FOR UPDATE NOWAIT;
END $$
SQL
waits_for('store_positions', 'store positions');
$holder->query_safe('COMMIT');
$kafka->produce('locked', { value => '.' });
$node->wait_for('the next message', 'SELECT count(*) = 6 FROM got');
is($node->sql(q{SELECT string_agg(value, '' ORDER BY value) FROM got}), '!.?xyz', 'each message was handled, once');

# ---- and whether a topic that is missing was there is looked up when that can be read
$holder->query_safe('BEGIN; LOCK TABLE burrow.progress IN ACCESS EXCLUSIVE MODE');
$kafka->delete_topic('locked');
waits_for('read_positions', 'read positions');
$holder->query_safe('COMMIT');
$holder->quit;
$node->wait_for_state('locked', 'halted');
is($node->sql('SELECT error_message FROM burrow.subscriptions'), 'topic "locked" does not exist any more', 'then it is known, and halts');
$node->stop;
done_testing();
