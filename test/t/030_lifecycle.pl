# What starts, stops, dies and comes back, and when: transactions, signals, crashes,
# the ways of stopping a server, and settings that leave no room.

use BurrowTest;
use Time::HiRes qw(time);

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);

my $kafka_options = q{kafka => '{"session.timeout.ms": 6000}'};

# A table and a handler that fills it; a message {"sleep": s} takes so long.
sub prepare
{
	my ($on, $database) = @_;
	$on->sql(<<'END', $database);
CREATE TABLE got (topic text, partition int, "offset" bigint, n int);
CREATE FUNCTION on_message(topic text, partition int, "offset" bigint, value jsonb) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_sleep((value->>'sleep')::float8) WHERE value ? 'sleep';
	INSERT INTO got VALUES (topic, partition, "offset", (value->>'n')::int);
END $$;
END
	return;
}

sub subscribe
{
	my ($on, $topic, %options) = @_;
	my $more = join '', map { ", $_ => $options{$_}" } sort keys %options;
	return $on->sql("SELECT burrow.subscribe('$topic', 'on_message', $kafka_options$more)");
}

# Send one message and wait until it was handled: the subscription works.
my $sent = 0;
sub works
{
	my ($on, $topic, $what) = @_;
	my $n = ++$sent;
	$kafka->produce($topic, { key => "k$n", value => "{\"n\": $n}" });
	$on->wait_for("message $n, $what", "SELECT count(*) > 0 FROM got WHERE topic = '$topic' AND n = $n");
	pass("a message is handled $what");
	return;
}

sub processes
{
	my ($on, $kinds) = @_;
	return $on->sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type ~ '^burrow ($kinds)'");
}

sub wait_for_new
{
	my ($on, $kind, $old) = @_;
	$on->wait_for("another $kind than $old",
		"SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'burrow $kind' AND pid <> $old");
	my ($new) = $on->pids($kind);
	return $new;
}

$kafka->create_topic($_, 1) foreach qw(one two three four five six seven eight nine ten);
prepare($node);

# ---- transactions

is(processes($node, 'launcher'), '1', 'there is a launcher');
is(processes($node, 'consumer|worker'), '0', 'and nothing else without a subscription');

$node->sql("BEGIN; SELECT burrow.subscribe('two', 'on_message'); ROLLBACK");
$node->sql("BEGIN; SAVEPOINT s; SELECT burrow.subscribe('three', 'on_message'); ROLLBACK TO s; COMMIT");
subscribe($node, 'one');
$node->wait_for_state('one', 'running');
is(processes($node, 'consumer'), '1', 'a subscribe that is rolled back starts nothing');
is($node->sql("SELECT string_agg(subscription, ',') FROM burrow.subscriptions"), 'one', 'and leaves nothing');
works($node, 'one', 'after subscribe');
is($node->sql(q{SELECT bool_and(application_name ~ '^burrow (launcher|(consumer|worker) one( #1)?)$' OR backend_type = 'burrow launcher') FROM pg_stat_activity WHERE backend_type ~ '^burrow'}),
	't', 'processes can be told apart by their names');

like($node->sql_error("BEGIN; SELECT burrow.pause('one'); PREPARE TRANSACTION 'x'"),
	qr/0A000: cannot PREPARE/, 'PREPARE TRANSACTION is refused');
is($node->sql("SELECT state FROM burrow.subscriptions"), 'running', 'and changes nothing');

# ---- signals

my ($launcher) = $node->pids('launcher');
my ($consumer) = $node->pids('consumer');
$node->sql("SELECT pg_terminate_backend($launcher)");
$launcher = wait_for_new($node, 'launcher', $launcher);
subscribe($node, 'two');
$node->wait_for_state('two', 'running');
is(($node->pids('consumer', 'one'))[0], $consumer, 'a consumer outlives the launcher');
works($node, 'one', 'after the launcher was terminated');
works($node, 'two', 'by a subscription that came later');

# The consumer that was taken over: its end is noticed, too.
$node->sql("SELECT burrow.pause('one')");
$node->wait_for_state('one', 'paused');
$node->wait_for('its consumer to be gone', "SELECT consumer_pid IS NULL FROM burrow.subscriptions WHERE subscription = 'one'");
$node->sql("SELECT burrow.resume('one')");
$node->wait_for_state('one', 'running');
works($node, 'one', 'after pause and resume');

($consumer) = $node->pids('consumer', 'one');
$node->sql("SELECT pg_terminate_backend($consumer)");
$node->wait_for('another consumer', "SELECT consumer_pid <> $consumer FROM burrow.subscriptions WHERE subscription = 'one' AND state = 'running'");
works($node, 'one', 'after the consumer was terminated');

my ($worker) = $node->pids('worker', 'one');
$node->sql("SELECT pg_terminate_backend($worker)");
works($node, 'one', 'after the idle worker was terminated');

# One in the middle of a message: the message is given to another.
$kafka->produce('one', { key => 'slow', value => '{"n": -1, "sleep": 600}' });
$node->wait_for('the slow message to be in hand', "SELECT count(*) = 1 FROM burrow.workers WHERE subscription = 'one' AND state = 'running'");
my $busy = $node->sql("SELECT pid FROM burrow.workers WHERE subscription = 'one' AND state = 'running'");
$node->sql(<<'END');
CREATE OR REPLACE FUNCTION on_message(topic text, partition int, "offset" bigint, value jsonb) RETURNS void
LANGUAGE sql AS $$ INSERT INTO got VALUES (topic, partition, "offset", (value->>'n')::int) $$;
END
$node->sql("SELECT pg_terminate_backend($busy)");
$node->wait_for('the message of the worker that was terminated', 'SELECT count(*) = 1 FROM got WHERE n = -1');
pass('a message in hand of a worker that is terminated is handled by another');

# A cancel finds nothing to cancel in those that are idle.
($launcher) = $node->pids('launcher');
($consumer) = $node->pids('consumer', 'one');
$node->sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE backend_type ~ '^burrow'");
works($node, 'one', 'after all of them were cancelled');
is(join(' ', $node->pids('launcher'), $node->pids('consumer', 'one')), "$launcher $consumer", 'by the same processes');

# ---- several at once

subscribe($node, $_) foreach qw(three four five);
$node->wait_for_state($_, 'running') foreach qw(three four five);
works($node, $_, 'by one of five subscriptions') foreach qw(one two three four five);

# ---- burrow.enabled

my $position = $node->log_position;
$node->sql('ALTER SYSTEM SET burrow.enabled = off');
$node->reload;
$node->wait_for('all to be disabled', "SELECT bool_and(state = 'disabled') FROM burrow.subscriptions");
$node->wait_for('consumers and workers to be gone',
	"SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type ~ '^burrow (consumer|worker)'");
is(processes($node, 'launcher'), '1', 'with burrow.enabled off only the launcher is there');
$node->sql("SELECT burrow.pause('five')");
$node->sql('ALTER SYSTEM RESET burrow.enabled');
$node->reload;
$node->wait_for_state($_, 'running') foreach qw(one two three four);
works($node, 'one', 'after burrow.enabled is on again');
is($node->sql("SELECT state FROM burrow.subscriptions WHERE subscription = 'five'"), 'paused', 'what was paused meanwhile stays so');
unlike($node->log_since($position), qr/WARNING|ERROR|FATAL/, 'all of it in good order');

# ---- the ways of stopping a server

# How long a stop takes, in seconds.
sub stop_time
{
	my ($mode) = @_;
	my $started = time;
	$node->stop($mode);
	return time - $started;
}

for my $mode (qw(smart fast immediate))
{
	my $time = stop_time($mode);
	cmp_ok($time, '<', 5 * slow_by(), "a $mode stop does not take long");
	$node->start;
	$node->wait_for_state('one', 'running');
	works($node, 'one', "after a $mode stop");
}

for my $kind (qw(launcher consumer worker))
{
	my ($pid) = $kind eq 'worker' ? $node->pids('worker', 'one') : $node->pids($kind);
	$position = $node->log_position;
	kill9($pid);
	$node->wait_for_log_line(qr/all server processes terminated; reinitializing/, $position);
	$node->wait_for_state('one', 'running');
	works($node, 'one', "after kill -9 of a $kind");
}

$node->crash;
$node->start;
$node->wait_for_state('one', 'running');
works($node, 'one', 'after kill -9 of the postmaster');
is($node->sql('SELECT count(*) FROM generate_series(1, ' . $sent . ') i WHERE NOT EXISTS (SELECT FROM got WHERE n = i)'),
	'0', 'nothing is missing');

# One crash right after the other: consumers hold back, the server can be used.
for my $crash (1 .. 2)
{
	$position = $node->log_position;
	kill9($node->pids('launcher'));
	$node->wait_for_log_line(qr/all server processes terminated; reinitializing.*burrow launcher started/s, $position);
}
like($node->log_since($position), qr/LOG:  consumers will be started in \d+ s, because the server crashed/,
	'consumers hold back when the server crashes again and again');
is($node->sql('SELECT count(*) FROM burrow.subscriptions'), '5', 'and there is time to look at them');
works($node, 'one', 'after crashes in a row');

# ---- DROP EXTENSION

$node->sql('CREATE OR REPLACE FUNCTION slow(value jsonb) RETURNS void LANGUAGE sql AS $$ SELECT pg_sleep(0.5) $$');
$node->sql("SELECT burrow.alter('two', handler => 'slow')");
$kafka->produce('two', map { { key => "k$_", value => '{}' } } 1 .. 32);
$node->wait_for('work', "SELECT count(*) > 0 FROM burrow.workers WHERE state = 'running'");
$position = $node->log_position;
$node->sql('BEGIN; DROP EXTENSION burrow; ROLLBACK');
is(processes($node, 'consumer'), '4', 'a DROP EXTENSION that is rolled back stops nothing');
$node->sql('DROP EXTENSION burrow');
$node->wait_for('consumers and workers to be gone',
	"SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type ~ '^burrow (consumer|worker)'");
unlike($node->log_since($position), qr/ERROR|FATAL|deadlock/, 'DROP EXTENSION ends the subscriptions in good order');

$node->sql('CREATE EXTENSION burrow');
is($node->sql('SELECT count(*) FROM burrow.subscriptions'), '0', 'a new one knows nothing of them');
subscribe($node, 'six');
works($node, 'six', 'by the new one');

# One transaction that does away with one and makes another.
$node->sql(<<"END");
BEGIN;
DROP EXTENSION burrow;
CREATE EXTENSION burrow;
SELECT burrow.subscribe('five', 'on_message', $kafka_options);
COMMIT;
END
$node->wait_for_state('five', 'running');
works($node, 'five', 'after DROP and CREATE EXTENSION in one transaction');

# ---- pg_upgrade

sub pg_ctl
{
	return PostgreSQL::Test::Utils::system_log('pg_ctl', '-w', '-D', $node->data_dir, '-l', $node->logfile, @_);
}

$node->stop;
is(pg_ctl('-o', '-b', 'start'), 0, 'the server starts as pg_upgrade starts it');
is(processes($node, ''), '0', 'and nothing of Burrow runs in it');
is($node->sql('SELECT subscription, consumer_pid FROM burrow.subscriptions'), 'five|', 'the subscription is there, without a consumer');
is(pg_ctl('stop'), 0, 'and it stops');
$node->start;
works($node, 'five', 'after the server was started for pg_upgrade');
$node->stop;

# ---- no room for another process

# Launcher, one to discover and to consume, and one worker.
my $small = BurrowTest::Node->create('small', kafka => $kafka,
	conf => "max_worker_processes = 3\nmax_logical_replication_workers = 0\n");
prepare($small);
subscribe($small, 'seven', workers => 1);
works($small, 'seven', 'by the only worker that there is room for');
$position = $small->log_position;
subscribe($small, 'eight', workers => 1);
$small->wait_for_log_line(qr/LOG:  no background worker slot is free for burrow's processes/, $position);
like($small->log_since($position), qr/HINT:  Increase max_worker_processes/, 'the log says what is missing');
$small->wait_for('another attempt', "SELECT count(*) = 1 FROM burrow.subscriptions WHERE subscription = 'eight' AND state = 'retrying'");
works($small, 'seven', 'while another subscription waits for room');
$small->sql("SELECT burrow.unsubscribe('seven')");
works($small, 'eight', 'when there is room again');
is(scalar(() = $small->log_since($position) =~ /no background worker slot is free/g), 1, 'which was said once');

# ---- no slot for another subscription

$small->append_conf('postgresql.conf', "max_worker_processes = 20\nburrow.max_subscriptions = 2\n");
$small->restart;
subscribe($small, 'nine');
works($small, 'nine', 'in the last slot');
like($small->sql_error("SELECT burrow.subscribe('ten', 'on_message')"),
	qr/53400: .*\n.*HINT:  .*burrow\.max_subscriptions/s, 'there is no slot for a third subscription');
$small->sql("SELECT burrow.unsubscribe('eight')");
$small->wait_for('its slot to be free', "SELECT count(*) = 1 FROM burrow._subscription_slots()");
subscribe($small, 'ten');
works($small, 'ten', 'in the slot that was freed');
$small->stop;

# ---- not preloaded

my $without = BurrowTest::Node->create('without', preload => 0);
for my $call ("subscribe('t', 'f')", "pause('t')", "wait_until_caught_up('t')")
{
	like($without->sql_error("SELECT burrow.$call"),
		qr/55000: .*shared_preload_libraries.*HINT:/s, "burrow.$call says that the library is not preloaded");
}
like($without->sql_error('SELECT * FROM burrow.stats'), qr/55000: .*shared_preload_libraries/s, 'and so does a view');
$without->sql('DROP EXTENSION burrow');
pass('the extension can be dropped');
$without->stop;

done_testing();
