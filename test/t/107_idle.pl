# Five idle subscriptions for 60 s: less than 0.2 s of CPU together in the main threads of
# PostgreSQL's processes.  librdkafka's own threads are reported apart.
#
# Alone: measures the CPU time of what does nothing.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
CREATE TABLE got (value text);
CREATE FUNCTION keep(value text) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES (value)';
SQL
my @topics = map { "idle$_" } 1 .. 5;
for my $topic (@topics)
{
	$kafka->create_topic($topic, 2);
	$node->sql("SELECT burrow.subscribe('$topic', 'keep')");
	$kafka->produce($topic, { key => 'a', value => 'x' });
}
$node->wait_for('five messages', 'SELECT count(*) = 5 FROM got');
$kafka->wait_until_committed($node->group_of($_), $_, diagnose => sub { $node->diagnostics }) foreach @topics;

my @pids = split /\n/, $node->sql("SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'burrow%'");
cmp_ok(scalar @pids, '>=', 11, 'launcher, five consumers and their workers are there');

sub usage
{
	my ($main, $all) = (0, 0);
	for my $pid (@pids)
	{
		$main += cpu_seconds($pid, $pid);
		$all += cpu_seconds($pid);
	}
	return ($main, $all);
}

my ($main, $all) = usage();
$node->sql('CREATE TABLE began AS SELECT clock_timestamp() AS at');
$node->wait_for('a minute', "SELECT clock_timestamp() > at + '60 s' FROM began", timeout => 90);
my ($main2, $all2) = usage();

my @gone = grep { !is_running($_) } @pids;
is(scalar @gone, 0, 'all processes are still the same');
cmp_ok($main2 - $main, '<', 0.2, sprintf('%.2f s of CPU in the main threads', $main2 - $main));
note(sprintf('%.2f s in librdkafka\'s threads', ($all2 - $all) - ($main2 - $main)));

$node->stop;
done_testing();
