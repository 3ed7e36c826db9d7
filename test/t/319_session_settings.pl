# A worker's session has the settings of its role and its database as they are now, and not
# as they were when it started; and one in which nothing can be written is replaced.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka, conf => "log_min_messages = debug1\nmax_prepared_transactions = 5");
$node->sql(<<'SQL');
CREATE TABLE got (topic text, value text, setting text, attempt int, pid int);
CREATE FUNCTION h(topic text, value text, attempt int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF value ~ '^SET' THEN
        EXECUTE value;
    ELSIF value = 'slow' THEN
        PERFORM pg_sleep(0.01);
    END IF;
    INSERT INTO got VALUES (topic, value, current_setting('test.x', true), attempt, pg_backend_pid());
END $$;
SQL

sub subscribe
{
	my ($name, $options) = @_;
	$node->sql(qq{SELECT burrow.subscribe('$name', 'h', on_failure => 'dead_letter', commit_interval => '100 ms',
		retry_backoff => '10 ms', max_retries => 1, max_consecutive_errors => 100000, $options)});
	return;
}

sub handled_once
{
	my ($name, $description) = @_;
	$kafka->wait_until_committed($node->group_of($name), $name, diagnose => sub { $node->diagnostics });
	my ($messages) = values %{ $kafka->end_offsets($name) };
	is($node->sql("SELECT count(*), max(attempt) FROM got WHERE topic = '$name'"), "$messages|1", "$description: each is handled once, at its first attempt");
	is($node->sql("SELECT count(*) FROM burrow.dead_letters WHERE subscription = '$name'"), '0', "$description: no dead letters");
	$node->wait_for_state($name, 'running');
	return;
}

sub workers_started
{
	my ($position) = @_;
	my $n = () = $node->log_since($position) =~ /worker \d+ of subscription "\w+" has started/g;
	return $n;
}

#
# Settings that change while messages come, and while none do.
#
$kafka->create_topic('settings', 1);
subscribe('settings', 'workers => 3, min_workers => 3');
$node->wait_for('three workers', q{SELECT count(*) = 3 FROM burrow.workers});
my $user = $node->sql('SELECT quote_ident(current_user)');

sub reaches
{
	my ($statement, $expected, $idle) = @_;
	my @before = $node->pids('worker', 'settings');
	$node->sql($statement);
	if ($idle)
	{
		my $old = join ',', @before;
		$node->wait_for('fresh sessions', "SELECT count(*) = 3 AND NOT bool_or(pid IN ($old)) FROM burrow.workers");
	}
	$node->wait_for("the effect of $statement", sub {
			$kafka->produce('settings', { value => 'ok' });
			return $node->sql(q{SELECT coalesce(setting, '') = '} . $expected . q{' FROM got ORDER BY ctid DESC LIMIT 1}) eq 't';
	});
	pass("$statement: " . ($idle ? 'the workers, which had nothing to do, have' : 'the workers, which are at work, have') . " it");
	return;
}

reaches("ALTER DATABASE postgres SET test.x = 'database'", 'database', $_) foreach 0, 1;
reaches("ALTER ROLE $user SET test.x = 'role'", 'role', 0);
reaches("ALTER ROLE $user IN DATABASE postgres SET test.x = 'both'", 'both', 1);
reaches("ALTER FUNCTION h(text, text, int) SET test.x = 'function'", 'function', 0);
reaches('ALTER FUNCTION h(text, text, int) RESET test.x', 'both', 0);
reaches("ALTER ROLE $user IN DATABASE postgres RESET ALL", 'role', 0);
reaches("ALTER ROLE $user RESET test.x", 'database', 0);
reaches('ALTER DATABASE postgres RESET test.x', '', 1);
reaches("ALTER ROLE ALL SET test.x = 'all'", 'all', 0);
reaches('ALTER ROLE ALL RESET test.x', '', 0);

# Many changes at once: by one session, because twenty sessions of a busy machine are not at once.
my $position = $node->log_position;
$node->sql(join "\n", map { "ALTER DATABASE postgres SET test.x = 'n$_';" } 1 .. 20);
$node->wait_for('the last', sub {
		$kafka->produce('settings', { value => 'ok' });
		return $node->sql(q{SELECT setting = 'n20' FROM got ORDER BY ctid DESC LIMIT 1}) eq 't';
});
cmp_ok(workers_started($position), '<=', 12, 'many changes at once do not make as many processes');
reaches('ALTER DATABASE postgres RESET test.x', '', 1);
handled_once('settings', 'settings');

# What does not concern them leaves them alone.
my $before = join ' ', $node->pids('worker', 'settings');
$node->sql('CREATE ROLE somebody');
$node->sql('CREATE DATABASE elsewhere');
$node->sql(q{ALTER ROLE somebody SET test.x = 'no'; ALTER DATABASE elsewhere SET test.x = 'no'});
$node->sql(q{BEGIN; ALTER DATABASE postgres SET test.x = 'no'; ROLLBACK});
$kafka->produce('settings', { value => 'ok' });
handled_once('settings', "others' settings");
is(join(' ', $node->pids('worker', 'settings')), $before, 'settings of other roles and databases, or rolled back, leave the workers alone');
$node->sql(q{SELECT burrow.unsubscribe('settings')});

#
# The database becomes read-only while one worker is at work and others are about to start.
#
$kafka->create_topic('readonly', 1);
subscribe('readonly', 'workers => 4, batch_size => 10');
$kafka->produce('readonly', { value => 'ok' });
$node->wait_for('the first worker to work', q{SELECT count(*) = 1 FROM got WHERE topic = 'readonly'});
$node->sql('ALTER DATABASE postgres SET default_transaction_read_only = on');
$kafka->produce('readonly', map { { key => "k$_", value => 'slow' } } 1 .. 600);
$node->wait_for_state('readonly', 'retrying');
like($node->sql(q{SELECT last_error FROM burrow.subscriptions WHERE subscription = 'readonly'}), qr/read-only transaction/, 'it waits, and says why');
# for as long as it needs to try again a few times
$node->wait_for('some attempts', q{SELECT messages_failed >= 3 FROM burrow.stats WHERE subscription = 'readonly'});
is($node->sql('SELECT count(*) FROM burrow.dead_letters'), '0', 'nothing is given up');
$node->sql('SET default_transaction_read_only = off; ALTER DATABASE postgres RESET default_transaction_read_only');
handled_once('readonly', 'read-only database');

# The same where the workers cannot be told of it: one goes on writing, and those that start
# meanwhile cannot.
$kafka->create_topic('mixed', 1);
subscribe('mixed', 'workers => 4, batch_size => 10');
$kafka->produce('mixed', { value => 'ok' });
$node->wait_for('the first worker to work', q{SELECT count(*) = 1 FROM got WHERE topic = 'mixed'});
$node->sql(q{INSERT INTO pg_db_role_setting SELECT oid, 0, '{default_transaction_read_only=on}' FROM pg_database WHERE datname = 'postgres'});
$position = $node->log_position;
my $since = time;
$kafka->produce('mixed', map { { key => "k$_", value => 'slow' } } 1 .. 600);
$node->wait_for('some to fail', q{SELECT messages_failed >= 3 FROM burrow.stats WHERE subscription = 'mixed'});
$node->sql('SET default_transaction_read_only = off; ALTER DATABASE postgres RESET default_transaction_read_only');
handled_once('mixed', 'some sessions read-only');
my $seconds = time - $since;
cmp_ok(workers_started($position), '<=', 16 + 2 * $seconds, 'with not too many fresh sessions');

#
# A handler that makes its own session read-only: that session goes, and nobody is to blame.
#
$kafka->create_topic('poison', 1);
subscribe('poison', 'workers => 2');
$position = $node->log_position;
$kafka->produce('poison', map { { key => "k$_", value => $_ % 50 == 25 ? 'SET default_transaction_read_only = on' : 'ok' } } 1 .. 200);
handled_once('poison', 'read-only session');
cmp_ok(workers_started($position), '<=', 20, 'with few fresh sessions');

#
# One that makes its own transaction read-only has itself to blame.
#
$kafka->create_topic('own', 1);
subscribe('own', 'workers => 2');
$kafka->produce('own', map { { key => "k$_", value => $_ == 5 ? 'SET TRANSACTION READ ONLY' : 'ok' } } 1 .. 20);
$kafka->wait_until_committed($node->group_of('own'), 'own', diagnose => sub { $node->diagnostics });
is($node->sql(q{SELECT "offset", attempts, sqlstate FROM burrow.dead_letters WHERE subscription = 'own'}), '4|2|25006', 'its attempts are counted');

#
# Where no more processes may be than there are, the old ones make room for the fresh.
#
$node->sql('SELECT count(burrow.unsubscribe(subscription)) FROM burrow.subscriptions');
# two launchers, Burrow's and PostgreSQL's, a discovery, a consumer and its workers
$node->append_conf('postgresql.conf', 'max_worker_processes = 7');
$node->restart;
$position = $node->log_position;
$node->sql('TRUNCATE got');
subscribe('settings', 'workers => 3, min_workers => 3');
$node->wait_for('three workers', q{SELECT count(*) = 3 FROM burrow.workers});
reaches("ALTER DATABASE postgres SET test.x = '$_'", $_, $_ % 2) foreach 1 .. 4;
unlike($node->log_since($position), qr/could not start worker/, 'the pool is as large as it was');

$node->stop;
done_testing();
