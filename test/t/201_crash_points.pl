# kill -9 at each named point of the path of a message, once: nothing missing, nothing
# twice.  The points are compiled into test builds; see src/runtime/crash_point.h.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$kafka->create_topic('load', 2);
$node->sql(<<'SQL');
CREATE TABLE got (partition int, "offset" bigint);
CREATE FUNCTION keep(partition int, "offset" bigint) RETURNS void LANGUAGE sql AS
    'INSERT INTO got VALUES ($1, $2)';
SELECT burrow.subscribe('load', 'keep', workers => 3, min_workers => 3, commit_interval => '100 ms', commit_batch_size => 50);
SQL
my $group = $node->group_of('load');
$node->wait_for_state('load', 'running');

my $produced = 0;

sub produce
{
	my ($n) = @_;
	$kafka->produce_many('load', count => $n, keys => 50, first => $produced);
	$produced += $n;
	return;
}

sub crash_at
{
	my ($point, $trigger) = @_;
	$node->arm_crash_point($point);
	$trigger->();
	$node->wait_for_crash;
	produce(100);
	$node->wait_for("all rows after the crash at \"$point\"",
		"SELECT count(DISTINCT (partition, \"offset\")) >= $produced FROM got");
	is($node->sql('SELECT count(*), count(DISTINCT (partition, "offset")) FROM got'), "$produced|$produced",
		"crash at \"$point\": nothing missing, nothing twice");
	return;
}

produce(500);
crash_at($_, sub { produce(300) })
	foreach 'before handler', 'after handler', 'progress written', 'committed', 'marked',
	'before kafka commit', 'before acknowledgement';
crash_at($_, sub { $node->sql('SELECT pg_terminate_backend(consumer_pid) FROM burrow.subscriptions') })
	foreach 'before start is stored', 'start stored';

# the very first start, too: with "latest", what came after it was stored must not be lost
$node->sql('TRUNCATE got');
for my $point ('before start is stored', 'start stored')
{
	my $topic = $point =~ tr/ /-/r;
	$kafka->create_topic($topic, 1);
	$kafka->produce_many($topic, count => 10);
	$node->arm_crash_point($point);
	$node->sql("SELECT burrow.subscribe('$topic', 'keep', start_from => 'latest')");
	$node->wait_for_crash;
	# the start is known only if it was stored
	$kafka->produce_many($topic, count => 5) if $point eq 'start stored';
	$node->wait_for_state($topic, 'running', timeout => 90);
	$kafka->produce_many($topic, count => 5) if $point ne 'start stored';
	$kafka->wait_until_committed($node->group_of($topic), $topic, diagnose => sub { $node->diagnostics });
	is($node->sql("SELECT count(*), min(\"offset\"), max(\"offset\") FROM got"), '5|10|14',
		"first start, crash at \"$point\": what came after it is handled, once");
	$node->sql('TRUNCATE got');
	$node->sql("SELECT burrow.unsubscribe('$topic')");
}

$kafka->wait_until_committed($group, 'load', diagnose => sub { $node->diagnostics });
$node->stop;
done_testing();
