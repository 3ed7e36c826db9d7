# A transaction has saved its progress and is rolled back at its commit, by a deferred constraint; the
# next one of the same worker, a dead letter's, saves none.  It must not act on what the first
# had left: offsets in memory that was given back, and the place of a row that never was.  (Test
# builds assert it: catalog/progress.c.)

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$kafka->create_topic('deferred', 1);
$node->sql(<<'SQL');
CREATE TABLE got ("offset" bigint, id text UNIQUE DEFERRABLE INITIALLY DEFERRED);
INSERT INTO got VALUES (-1, 'twice');
CREATE FUNCTION keep("offset" bigint, value text) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES ("offset", value)';
SQL
$kafka->produce('deferred', map { { key => 'k', value => $_ == 9 ? 'twice' : "$_" } } 0 .. 9);
my $position = $node->log_position;
$node->sql(q{SELECT burrow.subscribe('deferred', 'keep', workers => 1, on_failure => 'dead_letter', commit_interval => '100 ms')});
$node->wait_for('the dead letter', q{SELECT count(*) = 1 FROM burrow.dead_letters WHERE sqlstate = '23505'});
my ($worker) = $node->pids('worker', 'deferred');

$node->sql(q{DELETE FROM got WHERE "offset" = -1; SELECT burrow.retry_dead_letters('deferred')});
$node->wait_for('the dead letter to be handled', q{SELECT count(*) = 1 FROM got WHERE id = 'twice'});
$kafka->produce('deferred', map { { value => "$_" } } 10 .. 19);
$kafka->wait_until_committed($node->group_of('deferred'), 'deferred', diagnose => sub { $node->diagnostics });
is($node->sql('SELECT count(*), count(DISTINCT "offset") FROM got'), '20|20', 'each message has taken effect, once');
is(join(' ', $node->pids('worker', 'deferred')), $worker, 'by the same worker');
unlike($node->log_since($position), qr/terminated by signal/, 'and nothing has crashed');

$node->stop;
done_testing();
