# The pool: it grows to as many workers as there is work for, replaces those that go, passes
# messages larger than its queues, and says when its workers cannot start.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka', config => { 'message.max.bytes' => 8_000_000 });
my $node = BurrowTest::Node->create('main', kafka => $kafka, conf => "max_worker_processes = 120\n");
$node->sql(<<'SQL');
CREATE TABLE got (n int, length int, sum text);
CREATE FUNCTION keep(value jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1);
    INSERT INTO got VALUES ((value->>'n')::int);
END $$;
CREATE FUNCTION measure(key text, value bytea) RETURNS void LANGUAGE sql AS
    'INSERT INTO got VALUES (key::int, length(value), md5(value))';
SQL

# ---- one worker at first, a hundred when a hundred messages wait, each with its own

$kafka->create_topic('many', 4);
my $holder = $node->background_psql('postgres');
$holder->query_safe('SELECT pg_advisory_lock(1)');
$node->sql("SELECT burrow.subscribe('many', 'keep', workers => 100)");
$node->wait_for_state('many', 'running');
$node->wait_for('the first worker', 'SELECT count(*) = 1 FROM burrow.workers');
$kafka->produce_many('many', count => 1000, keys => 1000);
$node->wait_for('a hundred workers, each with a message', "SELECT count(*) = 100 FROM burrow.workers WHERE state = 'running'");
is($node->sql('SELECT workers, workers_active, short_of_workers FROM burrow.stats'), '100|100|f', 'the statistics agree');
is($node->sql(q{SELECT count(DISTINCT (partition, "offset")) FROM burrow.workers}), '100', 'a hundred different messages');
# fewer workers: those with a message end it first
$node->sql("SELECT burrow.alter('many', workers => 10)");
$holder->query_safe('SELECT pg_advisory_unlock(1)');
$kafka->wait_until_committed($node->group_of('many'), 'many', diagnose => sub { $node->diagnostics });
is($node->sql('SELECT count(*), count(DISTINCT n) FROM got'), '1000|1000', 'every message has its row, once');
$node->wait_for('ten workers to be left', 'SELECT count(*) <= 10 FROM burrow.workers');

# a worker that is gone is replaced
my ($pid) = $node->pids('worker');
$node->sql("SELECT pg_terminate_backend($pid)");
$kafka->produce('many', { key => 'x', value => '{"n": 1000}' });
$node->wait_for('the message', 'SELECT count(*) = 1 FROM got WHERE n = 1000');
$node->sql("SELECT burrow.unsubscribe('many')");

# ---- messages larger than a queue, than a chunk, than what may be in flight

$node->sql('TRUNCATE got');
$kafka->create_topic('large', 1, 'max.message.bytes' => 8_000_000);
my $value = join '', map { chr(65 + ($_ * 7) % 26) } 1 .. 1000;
my @large = map { { key => "$_", value => $value x $_ } } 1, 10, 60, 70, 500, 1000, 5000, 1, 2;
# one after the other: together they are larger than a request may be
$kafka->produce('large', $_) foreach @large;
$node->sql(<<'SQL');
SELECT burrow.subscribe('large', 'measure', max_inflight_bytes => 1000000, kafka => '{"message.max.bytes": 8000000, "fetch.max.bytes": 9000000, "max.partition.fetch.bytes": 8000000}')
SQL
$kafka->wait_until_committed($node->group_of('large'), 'large', diagnose => sub { $node->diagnostics });
is($node->sql(q{SELECT string_agg(length::text, ',' ORDER BY length) FROM got}),
	'1000,1000,2000,10000,60000,70000,500000,1000000,5000000', 'all of them arrive');
is($node->sql("SELECT count(*) FROM got WHERE sum <> md5(repeat('$value', length / 1000))"), '0', 'byte for byte');
$node->sql("SELECT burrow.unsubscribe('large')");

# ---- workers that cannot start: the view says so, and they do when they can again

$node->sql('TRUNCATE got');
$kafka->create_topic('denied', 1);
$node->sql(<<'SQL');
CREATE ROLE app LOGIN;
GRANT EXECUTE ON FUNCTION burrow.subscribe TO app;
GRANT INSERT ON got TO app;
SET ROLE app;
SELECT burrow.subscribe('denied', 'keep');
SQL
$node->wait_for_state('denied', 'running');
$node->wait_for('its worker', 'SELECT count(*) = 1 FROM burrow.workers');
$node->sql('REVOKE CONNECT ON DATABASE postgres FROM PUBLIC');
($pid) = $node->pids('worker');
$node->sql("SELECT pg_terminate_backend($pid)");
$kafka->produce('denied', { key => 'x', value => '{"n": 1}' });
$node->wait_for('the view to say that workers cannot start',
	q{SELECT last_error = 'role "app" may not connect to database "postgres"' FROM burrow.subscriptions WHERE subscription = 'denied'});
like($node->log_since(0), qr/WARNING:  subscription "denied" is waiting: role "app" may not connect to database "postgres"/, 'the log says why');
$node->sql('GRANT CONNECT ON DATABASE postgres TO app');
$node->wait_for('the message', 'SELECT count(*) = 1 FROM got WHERE n = 1', timeout => 90);

$node->stop;
done_testing();
