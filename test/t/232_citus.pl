# Citus, a coordinator and two workers: each message takes effect once in a distributed table, whatever is killed, also between
# the nodes' prepare, the local commit and the nodes' commit.  Then Burrow on all three nodes, in one group.
#
# Citus is in no package registry: BURROW_CITUS_SOURCE names a source tree of it (see test/citus/build).
# BURROW_TEST_MESSAGES and BURROW_TEST_FAULTS make the part with random faults longer, BURROW_TEST_SEED the same again.

use BurrowTest;
use File::Basename;
use List::Util qw(shuffle sum0);
use Time::HiRes qw(time);

my $source = $ENV{BURROW_CITUS_SOURCE};
plan(skip_all => 'BURROW_CITUS_SOURCE is not set: nothing was tested with Citus') if !defined $source || $source eq '';

my $seed = $ENV{BURROW_TEST_SEED} // int time;
my $messages = $ENV{BURROW_TEST_MESSAGES} // 5_000;
my $faults = $ENV{BURROW_TEST_FAULTS} // 6;
my $share = int($messages / ($faults + 1)) || 1;    # between two faults
my $patience = 180 + $share;
srand($seed);

# ---- three nodes

my $pg_config = $ENV{PG_CONFIG} // 'pg_config';
my $installation = "$ENV{BURROW_CITUS}/for_test";
my $built = `'@{[ dirname(__FILE__) ]}/../citus/build' '$source' '$ENV{BURROW_CITUS}' '$installation'`;
die "Citus could not be built\n" if $? != 0;
my ($commit, $its_config) = $built =~ /^(\w+)\n(\S+)$/m or die "what was built? $built";
note("Citus $commit, seed $seed (BURROW_TEST_SEED), $messages messages, $faults faults");

my $points = BurrowTest::server_module('citus_crash_points');
my $kafka = BurrowTest::Kafka->create('kafka');
my @names = qw(coordinator west east);
my %node = map {
	$_ => BurrowTest::Node->create($_, kafka => $kafka, preload => 0, extension => 0, install_path => dirname(dirname($its_config)), conf => <<"END") } @names;
shared_preload_libraries = '$points, citus, burrow'
listen_addresses = '127.0.0.1'
max_connections = 100
citus.shard_count = 4
citus.recover_2pc_interval = '500ms'
citus.enable_statistics_collection = off
citus.node_conninfo = 'sslmode=disable'
END
my $coordinator = $node{coordinator};
$node{$_}->sql('CREATE EXTENSION citus') foreach @names;
$coordinator->sql("SELECT citus_set_coordinator_host('127.0.0.1', @{[ $coordinator->port ]})");
$coordinator->sql("SELECT citus_add_node('127.0.0.1', @{[ $node{$_}->port ]})") foreach qw(west east);
$coordinator->sql('CREATE EXTENSION burrow');
is($node{$_}->sql(q{SELECT count(*) FROM pg_extension WHERE extname = 'burrow'}), '1', "Citus has made the extension on $_, too") foreach qw(west east);
$coordinator->sql(<<'SQL');
CREATE TABLE got (key text, partition int, "offset" bigint);
SELECT create_distributed_table('got', 'key');
CREATE TABLE everywhere (partition int, "offset" bigint);
SELECT create_reference_table('everywhere');
CREATE TABLE here (partition int, "offset" bigint);
CREATE FUNCTION keep(partition int, "offset" bigint, key text, value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO got (key, partition, "offset") VALUES ($3, $1, $2);
    IF $4 = 'fail' THEN RAISE EXCEPTION 'cannot take it'; END IF;
END $$;
CREATE FUNCTION keep_all(partition int, "offset" bigint, key text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO got (key, partition, "offset") VALUES ($3, $1, $2);
    -- these Citus commits in two phases by itself
    IF $2 % 4 = 0 THEN INSERT INTO everywhere VALUES ($1, $2); END IF;
    INSERT INTO here VALUES ($1, $2);
END $$;
SQL

sub rows { return $coordinator->sql('SELECT coalesce(sum(n), 0), count(*) FROM (SELECT count(*) AS n FROM got GROUP BY partition, "offset") s') }

sub wait_for_rows
{
	my ($n, $when) = @_;
	$coordinator->wait_for("all rows $when", qq{SELECT count(*) >= $n FROM (SELECT 1 FROM got GROUP BY partition, "offset") s}, timeout => $patience);
	foreach my $name (@names)
	{
		$node{$name}->wait_for("nothing to be left prepared on $name $when", 'SELECT count(*) = 0 FROM pg_prepared_xacts', timeout => 60);
	}
	return;
}

# ---- a handler that fails leaves nothing

$kafka->create_topic('fails', 1);
$kafka->produce('fails', map { { key => "k$_", value => $_ == 3 ? 'fail' : 'x' } } 0 .. 9);
$coordinator->sql(q{SELECT burrow.subscribe('fails', 'keep', workers => 1, max_retries => 2, retry_backoff => '10 ms', on_failure => 'dead_letter')});
is($coordinator->sql('SELECT citus_commit FROM burrow.subscriptions'), 'two-phase', 'the view shows how nodes commit');
$kafka->wait_until_committed($coordinator->group_of('fails'), 'fails', diagnose => sub { $coordinator->diagnostics });
is(rows(), '9|9', 'a row that a handler has written to another node before it failed is not there');
$coordinator->sql(q{SELECT burrow.unsubscribe('fails'); TRUNCATE got});

# ---- crash points

$kafka->create_topic('load', 4);
$coordinator->sql(q{SELECT burrow.subscribe('load', 'keep_all', workers => 4, min_workers => 2, commit_interval => '100 ms',
    max_retries => 1000, retry_backoff => '100 ms', retry_backoff_max => '1 s', max_consecutive_errors => 1000000, kafka => '{"session.timeout.ms": 6000}')});
$coordinator->wait_for_state('load', 'running');
my $produced = 0;

sub produce
{
	my ($n) = @_;
	$kafka->produce_many('load', count => $n, keys => 20, first => $produced);
	$produced += $n;
	return;
}

sub check
{
	my ($when) = @_;
	wait_for_rows($produced, $when);
	is(rows(), "$produced|$produced", "$when: nothing missing, nothing twice");
	is($coordinator->sql('SELECT count(*) FROM here'), $produced, 'in a local table, too');
	is($coordinator->sql('SELECT count(*) - count(DISTINCT (partition, "offset")) FROM everywhere'), 0, 'and nothing twice in a reference table');
	return;
}

produce(200);
check('before any crash');
for my $point ('progress written', 'nodes prepared', 'committed', 'marked', 'nodes committed')
{
	$coordinator->arm_crash_point($point);
	produce(100);
	$coordinator->wait_for_crash;
	produce(20);
	check("crash at \"$point\"");
}

# ---- kill -9 at random

my %blow = (
	(map { my $name = $_; ($name => sub { $node{$name}->crash; $node{$name}->start }) } @names),
	'a worker of Burrow' => sub {
		my @pids = $coordinator->pids('worker');
		kill9($pids[rand @pids]) if @pids;
	},
	'the consumer' => sub { kill9($_) foreach $coordinator->pids('consumer') },
	(map { my $name = $_; ("a backend of $name" => sub {
					my @pids = split /\n/, $node{$name}->sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name LIKE 'citus_internal%'});
					kill9($pids[rand @pids]) if @pids;
	}) } qw(west east)),
);
my ($began, $struck, @left, %count) = (time, 0);
while ($struck < $faults)
{
	@left = shuffle(sort keys %blow) if !@left;
	my $what = shift @left;
	produce($share);
	my $rows = $produced - int rand $share;
	$coordinator->wait_for('some of the messages', qq{SELECT count(*) >= $rows FROM here}, timeout => $patience);
	$blow{$what}->();
	$count{$what}++;
	$struck++;
	foreach my $name (@names)
	{
		$node{$name}->wait_for("$name to be back", 'SELECT NOT pg_is_in_recovery()');
	}
}
produce($share);
check("$struck faults");
note(sprintf('%d messages, %d faults in %.0f s: %s', $produced, $struck, time - $began, join ', ', map { "$_ $count{$_}" } sort keys %count));
is($coordinator->sql(q{SELECT count(*) FROM burrow.dead_letters}), '0', 'no message was blamed');
$kafka->wait_until_committed($coordinator->group_of('load'), 'load', diagnose => sub { $coordinator->diagnostics });
$coordinator->sql(q{SELECT burrow.unsubscribe('load'); TRUNCATE got});

# ---- Burrow on each node, in one group: each has its share of the partitions, and writes to all nodes

$kafka->create_topic('shared', 6);
$node{$_}->sql(q{SELECT burrow.subscribe('shared', 'keep', consumer_group => 'shared', workers => 2, commit_interval => '100 ms')}) foreach @names;
$_->wait_for('its share', q{SELECT count(*) = 2 FROM burrow.partitions WHERE subscription = 'shared'}, timeout => 90) foreach values %node;
$kafka->produce_many('shared', count => 600, keys => 20);
wait_for_rows(600, 'from three nodes');
is(rows(), '600|600', 'Burrow on three nodes: nothing missing, nothing twice');
cmp_ok($_->sql(q{SELECT messages_processed FROM burrow.stats WHERE subscription = 'shared'}), '>', 0, $_->name . ' has handled some') foreach values %node;
$node{west}->sql(q{SELECT burrow.pause('shared')});
$kafka->produce_many('shared', count => 600, keys => 20, first => 600);
wait_for_rows(1200, 'from two nodes');
is(rows(), '1200|1200', 'and when one is paused: the others have its share');

$_->stop foreach values %node;
system('rm', '-rf', $installation);
done_testing();
