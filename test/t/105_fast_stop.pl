# A fast stop with 100 workers inside pg_sleep(60), and with the broker gone at the same
# time, ends within 5 s; the next start goes on with nothing missing.
#
# Alone: measures how long a stop of 100 workers takes.

use BurrowTest;
use Time::HiRes qw(time);

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka, conf => "max_worker_processes = 120\nmax_connections = 40\n");
$kafka->create_topic('slow', 4);
$node->sql(<<'SQL');
CREATE TABLE got (n int);
CREATE TABLE gate AS SELECT 60 AS seconds;
CREATE FUNCTION keep(value jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_sleep((SELECT seconds FROM gate));
    INSERT INTO got VALUES ((value->>'n')::int);
END $$;
SELECT burrow.subscribe('slow', 'keep', workers => 100);
SQL
my $group = $node->group_of('slow');
$kafka->produce_many('slow', count => 200, keys => 200);
$node->wait_for('100 workers to be asleep',
	"SELECT count(*) = 100 FROM pg_stat_activity WHERE backend_type = 'burrow worker' AND wait_event = 'PgSleep'");

$kafka->kill;
my $began = time;
$node->stop('fast');
my $took = time - $began;
cmp_ok($took, '<', 5 * slow_by(), sprintf('a fast stop without a broker took %.1f s', $took));
unlike($node->log_since(0), qr/was terminated by signal/, 'and no process crashed');

$kafka->start;
$node->start;
$node->wait_for('100 workers to be asleep again',
	"SELECT count(*) = 100 FROM pg_stat_activity WHERE backend_type = 'burrow worker' AND wait_event = 'PgSleep'");
$began = time;
$node->stop('fast');
$took = time - $began;
cmp_ok($took, '<', 5 * slow_by(), sprintf('with the broker there it took %.1f s', $took));

$node->start;
$node->sql('UPDATE gate SET seconds = 0');
$node->wait_for('workers to be there', "SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'burrow worker'");
# those that fell asleep before the update
$node->sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE backend_type = 'burrow worker' AND wait_event = 'PgSleep'");
$node->wait_for('the state to be known', "SELECT state IN ('running', 'halted') FROM burrow.subscriptions");
$node->wait_for('all messages', <<'SQL', timeout => 60);
SELECT count(DISTINCT n) = 200 FROM got, LATERAL (SELECT burrow.resume(subscription) FROM burrow.subscriptions WHERE state = 'halted') r
RIGHT JOIN (SELECT 1) one ON true
SQL
$kafka->wait_until_committed($group, 'slow', diagnose => sub { $node->diagnostics });
is($node->sql('SELECT count(DISTINCT n), min(n), max(n) FROM got'), '200|0|199', 'nothing is missing');

$node->stop;
done_testing();
