# Each message takes effect once, whatever is killed, stopped or changed meanwhile: under
# load, every 1 to 5 s, in an order drawn at random, workers, the consumer, the postmaster
# and the broker are killed, the server is stopped and started, the subscription is paused
# and altered, and another member takes partitions of the group.  The table has no unique
# constraint, so a duplicate would show; it is compared with what another client reads.
#
# BURROW_TEST_SEED, BURROW_TEST_MESSAGES and BURROW_TEST_DURATION (seconds) make a run
# longer, or the same again; BURROW_TEST_DELIVERY=at_least_once reports the duplicates instead.
#
# Alone: kills at random, under load.

use BurrowTest;
use List::Util qw(shuffle);
use Time::HiRes qw(time);

my $seed = $ENV{BURROW_TEST_SEED} // int time;
my $messages = $ENV{BURROW_TEST_MESSAGES} // 100_000;
my $duration = $ENV{BURROW_TEST_DURATION} // 75;
my $delivery = $ENV{BURROW_TEST_DELIVERY} // 'exactly_once';
srand($seed);
note("seed $seed (BURROW_TEST_SEED), $messages messages in $duration s, $delivery");

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka, conf => "checkpoint_timeout = 30s\n");
$kafka->create_topic('load', 8);
$node->sql(<<"SQL");
CREATE TABLE got (id bigserial, partition int, "offset" bigint, key text, seq int);
CREATE FUNCTION keep(partition int, "offset" bigint, key text, value jsonb) RETURNS void LANGUAGE sql AS
    'INSERT INTO got (partition, "offset", key, seq) VALUES (\$1, \$2, \$3, (\$4->>''seq'')::int)';
SELECT burrow.subscribe('load', 'keep', workers => 8, min_workers => 4, delivery => '$delivery',
    commit_interval => '200 ms', commit_batch_size => 500, kafka => '{"heartbeat.interval.ms": 500}');
SQL
my $group = $node->group_of('load');
$node->wait_for_state('load', 'running');

sub a_pid
{
	my ($kind) = @_;
	my @pids;
	wait_until("a $kind to be there", sub { return @pids = $node->pids($kind) });
	return $pids[rand @pids];
}

sub kill_one
{
	my ($kind) = @_;
	kill9(a_pid($kind));
	return $node->wait_for('the server to be back', 'SELECT NOT pg_is_in_recovery()');
}

my (%blow, %count);

sub strike
{
	my ($what) = @_;
	note(sprintf('%s rows: %s', $node->sql('SELECT count(*) FROM got'), $what));
	$count{$what}++;
	$blow{$what}->();
	return;
}

# what is drawn in each round, and what some are taken of
my %always = (
	worker => sub { kill_one('worker') },
	consumer => sub { kill_one('consumer') },
	postmaster => sub { $node->crash; $node->start },
	'fast restart' => sub { $node->stop('fast'); $node->start },
	broker => sub { $kafka->kill; $kafka->start },
	pause => sub {
		$node->sql("SELECT burrow.pause('load')");
		$node->wait_for_state('load', 'paused');
		$node->sql("SELECT burrow.resume('load')");
	},
	workers => sub { $node->sql("SELECT burrow.alter('load', workers => " . (4 + int rand 8) . ')') },
	# the other member is there while something else happens, or nothing
	rebalance => sub {
		my $member = $kafka->join_group($group, 'load');
		$kafka->wait_until_assigned($member);
		my $meanwhile = (qw(worker consumer postmaster pause workers), undef, undef)[rand 7];
		strike($meanwhile) if $meanwhile;
		$kafka->leave_group($member);
	},
);
my %sometimes = (
	'worker terminated' => sub { $node->sql('SELECT pg_terminate_backend(' . a_pid('worker') . ')') },
	'consumer terminated' => sub { $node->sql('SELECT pg_terminate_backend(' . a_pid('consumer') . ')') },
	batch => sub { $node->sql("SELECT burrow.alter('load', batch_size => " . (1 + int rand 200) . ')') },
	order => sub { $node->sql("SELECT burrow.alter('load', ordering => '" . (qw(key partition))[rand 2] . "')") },
	'vacuum full' => sub { $node->sql('VACUUM FULL burrow.progress') },
	cluster => sub { $node->sql('CLUSTER burrow.progress USING progress_pkey') },
);
%blow = (%always, %sometimes);

my $job = $kafka->start_producing('load', count => $messages, keys => 500, rate => $messages / $duration);
my $began = time;
my @left;
while (time < $began + $duration)
{
	@left = shuffle(sort(keys %always), (shuffle(sort keys %sometimes))[0, 1]) if !@left;
	my $next = time + 1 + rand 4;
	wait_until('the time of the next blow', sub { return time > $next });
	strike(shift @left);
}
$kafka->finish_producing($job);
$kafka->wait_until_committed($group, 'load', timeout => 300, diagnose => sub { $node->diagnostics });
my $events = 0;
$events += $_ foreach values %count;
note(sprintf('%d events in %.0f s: %s', $events, time - $began, join ', ', map { "$_ $count{$_}" } sort keys %count));

# what another client reads
my $file = $kafka->dir . '/read';
is($kafka->dump_topic('load', $file), $messages, 'the topic holds what was produced');
$node->sql(<<"SQL");
CREATE TABLE topic (partition int, "offset" bigint, key text, seq int);
\\copy topic from '$file'
SQL
is($node->sql('SELECT count(*) FROM (TABLE topic EXCEPT SELECT partition, "offset", key, seq FROM got) missing'), 0,
	'no message is without its row');
is($node->sql('SELECT count(*) FROM (SELECT partition, "offset", key, seq FROM got EXCEPT TABLE topic) strange'), 0,
	'no row is of another message');
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

# rows of burrow.progress are written by C
SKIP:
{
	skip 'this server comes without amcheck', 1
		if $node->sql(q{SELECT count(*) FROM pg_available_extensions WHERE name = 'amcheck'}) eq '0';
	$node->sql('CREATE EXTENSION amcheck');
	is($node->sql(q{SELECT bt_index_check('burrow.progress_pkey', heapallindexed => true)}), '', 'the index of burrow.progress is in order');
}
is($node->sql(q{SELECT count(*) FROM (SELECT FROM burrow.progress GROUP BY subid, lane, topic, partition HAVING count(*) > 1) twice}), 0,
	'and its key is unique');

$node->stop;
done_testing();
