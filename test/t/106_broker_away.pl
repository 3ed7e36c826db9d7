# The broker goes away for 30 s under load and comes back: the subscription goes on by
# itself, the state says what is wrong meanwhile, and the log has a handful of lines.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$kafka->create_topic('load', 4);
$node->sql(<<'SQL');
CREATE TABLE got (n int);
CREATE FUNCTION keep(value jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO got VALUES ((value->>'n')::int);
END $$;
SELECT burrow.subscribe('load', 'keep', commit_interval => '500 ms');
SQL
my $group = $node->group_of('load');
my $job = $kafka->start_producing('load', count => 30_000, keys => 100, rate => 3000);
$node->wait_for('some messages', 'SELECT count(*) > 5000 FROM got');

my $position = $node->log_position;
$kafka->kill;
$node->sql('CREATE TABLE went AS SELECT clock_timestamp() AS at');
$node->wait_for_state('load', 'retrying');
like($node->sql('SELECT last_error FROM burrow.subscriptions'), qr/broker|Connect/i, 'the view says what is wrong');
$node->wait_for('30 s to pass', "SELECT clock_timestamp() > at + '30 s' FROM went", timeout => 60);
is($node->sql('SELECT state FROM burrow.subscriptions'), 'retrying', 'still so after 30 s');
my $lines = () = $node->log_since($position) =~ /burrow consumer/g;
cmp_ok($lines, '<=', 12, "$lines lines of the consumer in the log");

$kafka->start;
$kafka->finish_producing($job);
$kafka->wait_until_committed($group, 'load', timeout => 120, diagnose => sub { $node->diagnostics });
is($node->sql('SELECT count(DISTINCT n) FROM got'), '30000', 'it goes on by itself, and nothing is missing');
$node->wait_for_state('load', 'running');
note('handled more than once: ' . $node->sql('SELECT count(*) - count(DISTINCT n) FROM got'));

# a server that starts while the broker is away waits for it
$kafka->kill;
$node->restart;
$node->wait_for_state('load', 'retrying');
$kafka->start;
$kafka->produce('load', { key => 'z', value => '{"n": 30000}' });
$node->wait_for('the message after all', 'SELECT count(*) = 1 FROM got WHERE n = 30000', timeout => 120);
$node->wait_for_state('load', 'running');

# an idle one notices that the broker is back although there is nothing to fetch
$kafka->kill;
$node->wait_for_state('load', 'retrying');
$kafka->start;
$node->wait_for_state('load', 'running', timeout => 120);

$node->stop;
done_testing();
