# kill -9 of a worker, of the consumer and of the postmaster under load, each five times at
# moments drawn at random.  No message is without its row afterwards, none has two, and at no time is
# Kafka's committed offset beyond what is in the table and durable.
#
# Alone: kills at random, under load.

use BurrowTest;

my $seed = $ENV{BURROW_TEST_SEED} // time;
srand($seed);
note("seed $seed (BURROW_TEST_SEED)");

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$kafka->create_topic('load', 4);
$node->sql(<<'SQL');
CREATE TABLE got (partition int, "offset" bigint);
CREATE INDEX ON got (partition, "offset");
CREATE FUNCTION keep(partition int, "offset" bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO got VALUES (partition, "offset");
END $$;
SELECT burrow.subscribe('load', 'keep', workers => 4, commit_interval => '100 ms', commit_batch_size => 100);
SQL
my $group = $node->group_of('load');
$node->wait_for_state('load', 'running');

# Each blow has messages of its own to fall among, however long the one before it took.
my $each = 6_667;
my $messages = 0;
my $job;

# what Kafka believes to be done has its rows: read Kafka first, then the table
sub check_committed
{
	my ($when) = @_;
	my $committed = $kafka->committed($group, 'load');
	my $missing = 0;
	for my $partition (sort keys %$committed)
	{
		my $rows = $node->sql("SELECT count(DISTINCT \"offset\") FROM got WHERE partition = $partition AND \"offset\" < $committed->{$partition}");
		$missing += $committed->{$partition} - $rows;
	}
	is($missing, 0, "$when: every offset below the committed one has its row");
	return;
}

my %victim = (
	worker => sub {
		my @pids = $node->pids('worker');
		return @pids ? $pids[rand @pids] : undef;
	},
	consumer => sub { return ($node->pids('consumer'))[0] },
);

for my $round (1 .. 5)
{
	for my $kind (qw(worker consumer postmaster))
	{
		# some progress since the last blow, and then a moment more
		my $rows = $node->sql('SELECT count(*) FROM got');
		my $more = 200 + int rand 1500;
		$kafka->finish_producing($job) if $job;
		$job = $kafka->start_producing('load', count => $each, first => $messages, keys => 1000, rate => 2500);
		$messages += $each;
		$node->wait_for("$more more rows", "SELECT count(*) > $rows + $more FROM got", timeout => 90);
		if ($kind eq 'postmaster')
		{
			$node->crash;
			$node->start;
		}
		else
		{
			my $pid;
			wait_until("a $kind to be there", sub { return $pid = $victim{$kind}->() });
			kill9($pid);
			$node->wait_for('the server to be back', 'SELECT NOT pg_is_in_recovery()');
		}
		check_committed("$kind killed, round $round");
	}
}

$kafka->finish_producing($job);
$kafka->wait_until_committed($group, 'load', timeout => 120, diagnose => sub { $node->diagnostics });
check_committed('at the end');
is($node->sql('SELECT count(DISTINCT (partition, "offset")) FROM got'), $messages, 'no message is without its row');
is($node->sql('SELECT count(*) - count(DISTINCT (partition, "offset")) FROM got'), 0, 'and none has two');

$node->stop;
done_testing();
