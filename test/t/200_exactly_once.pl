# Each message takes effect once, whatever is killed, stopped or changed meanwhile: under
# load, at moments and in an order drawn at random, workers, the consumer, the postmaster
# and the broker are killed, the server is stopped and started, the subscription is paused
# and altered.  The table has no unique constraint, so a duplicate would show.
#
# BURROW_TEST_SEED and BURROW_TEST_MESSAGES make a run longer or the same again;
# BURROW_TEST_DELIVERY=at_least_once reports the duplicates instead.

use BurrowTest;
use List::Util qw(shuffle);

my $seed = $ENV{BURROW_TEST_SEED} // time;
my $messages = $ENV{BURROW_TEST_MESSAGES} // 100_000;
my $delivery = $ENV{BURROW_TEST_DELIVERY} // 'exactly_once';
srand($seed);
note("seed $seed (BURROW_TEST_SEED), $messages messages, $delivery");

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka, conf => "checkpoint_timeout = 30s\n");
$kafka->create_topic('load', 8);
$node->sql(<<"SQL");
CREATE TABLE got (id bigserial, partition int, "offset" bigint, key text, seq int);
CREATE FUNCTION keep(partition int, "offset" bigint, key text, value jsonb) RETURNS void LANGUAGE sql AS
    'INSERT INTO got (partition, "offset", key, seq) VALUES (\$1, \$2, \$3, (\$4->>''seq'')::int)';
SELECT burrow.subscribe('load', 'keep', workers => 8, min_workers => 4, delivery => '$delivery',
    commit_interval => '200 ms', commit_batch_size => 500);
SQL
my $group = $node->group_of('load');
$node->wait_for_state('load', 'running');
my $job = $kafka->start_producing('load', count => $messages, keys => 500, rate => $messages / 60);

sub a_pid
{
	my ($kind) = @_;
	my @pids;
	wait_until("a $kind to be there", sub { return @pids = $node->pids($kind) });
	return $pids[ rand @pids ];
}

sub kill_one
{
	my ($kind) = @_;
	kill9(a_pid($kind));
	return $node->wait_for('the server to be back', 'SELECT NOT pg_is_in_recovery()');
}

my %blow = (
	worker => sub { kill_one('worker') },
	consumer => sub { kill_one('consumer') },
	postmaster => sub { $node->crash; $node->start },
	'fast restart' => sub { $node->stop('fast'); $node->start },
	'worker terminated' => sub { $node->sql('SELECT pg_terminate_backend(' . a_pid('worker') . ')') },
	'consumer terminated' => sub { $node->sql('SELECT pg_terminate_backend(' . a_pid('consumer') . ')') },
	broker => sub { $kafka->kill; $kafka->start },
	pause => sub {
		$node->sql("SELECT burrow.pause('load')");
		$node->wait_for_state('load', 'paused');
		$node->sql("SELECT burrow.resume('load')");
	},
	workers => sub { $node->sql("SELECT burrow.alter('load', workers => " . (4 + int rand 8) . ')') },
	batch => sub { $node->sql("SELECT burrow.alter('load', batch_size => " . (1 + int rand 200) . ')') },
	order => sub { $node->sql("SELECT burrow.alter('load', ordering => '" . (qw(key partition))[ rand 2 ] . "')") },
	'vacuum full' => sub { $node->sql('VACUUM FULL burrow.progress') },
	cluster => sub { $node->sql('CLUSTER burrow.progress USING progress_pkey') },
);

# each once, in any order, while messages come; then once more those that kill
my @left = shuffle(sort keys %blow);
push @left, shuffle(qw(worker consumer postmaster worker consumer postmaster));
for my $what (@left)
{
	my $rows = $node->sql('SELECT count(*) FROM got');
	my $more = 200 + int rand($messages / 60);
	last if $rows + $more >= $messages;
	$node->wait_for("$more more rows", "SELECT count(*) >= $rows + $more FROM got", timeout => 90);
	note("after $rows rows: $what");
	$blow{$what}->();
}

$kafka->finish_producing($job);
$kafka->wait_until_committed($group, 'load', timeout => 120, diagnose => sub { $node->diagnostics });

my $ends = $kafka->end_offsets('load');
my $total = 0;
$total += $ends->{$_} foreach keys %$ends;
is($total, $messages, 'the topic holds what was produced');
is($node->sql('SELECT count(DISTINCT (partition, "offset")) FROM got'), $messages, 'no message is without its row');
my $twice = $node->sql('SELECT count(*) - count(DISTINCT (partition, "offset")) FROM got');
if ($delivery eq 'exactly_once')
{
	is($twice, 0, 'no message has two rows');
	is($node->sql(<<'SQL'), 0, 'and the order within each key was kept');
SELECT count(*) FROM (SELECT seq, lag(seq) OVER (PARTITION BY key ORDER BY id) AS before FROM got) g WHERE seq <> before + 1
SQL
}
else
{
	note("handled more than once: $twice");
}

$node->stop;
done_testing();
