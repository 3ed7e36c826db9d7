# The numbers of docs/operations.md's "Sizing" are those of a run: processes, shared memory, WAL, transaction ids; and a consumer takes
# no more memory than README's formula says.

use BurrowTest;

# One message at a time is to take what it takes, and nothing else writes.
my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka, conf => "autovacuum = off\ncheckpoint_timeout = 1h\n");
my $n = 1000;

# A number of the document's table: its row begins with these words.
my ($sizing) = PostgreSQL::Test::Utils::slurp_file("$ENV{BURROW_ROOT}/docs/operations.md") =~ /^# Sizing$(.*?)^# /ms;
sub documented
{
	my ($row) = @_;
	my ($number) = $sizing =~ /^\| \Q$row\E \| ([\d.]+) /m or die "no row $row";
	return $number;
}

sub is_about
{
	my ($measured, $documented, $about) = @_;
	note(sprintf '%s: %.1f measured, %.1f documented', $about, $measured, $documented);
	ok($measured > $documented * 0.7 && $measured < $documented * 1.3, $about) or diag("$measured, and not about $documented");
	return;
}

#
# Shared memory.
#
my %has = map { $_ => $node->sql("SHOW burrow.$_") } qw(max_subscriptions max_workers max_partitions);
is_about(
	$node->sql(q{SELECT sum(size) / 1024 FROM pg_shmem_allocations WHERE name LIKE 'burrow%'}),
	$has{max_subscriptions} * documented('a subscription, of `burrow.max_subscriptions`') + $has{max_workers} * documented('a worker, of `burrow.max_workers`')
		+ $has{max_partitions} * documented('a partition, of `burrow.max_partitions`'),
	'shared memory, in kB');

#
# Processes, and how many workers a rate takes.
#
$kafka->create_topic($_, 4) foreach qw(slow each many least);
$node->sql(<<'END');
CREATE FUNCTION slow(value text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.01); END $$;
CREATE FUNCTION nothing(value text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN END $$;
SELECT burrow.subscribe('slow', 'slow', workers => 5, min_workers => 5);
END
$node->wait_for('the pool', q{SELECT workers = 5 FROM burrow.stats});
my $processes = q{SELECT count(*) FROM pg_stat_activity WHERE backend_type IN ('burrow launcher', 'burrow consumer', 'burrow worker')};
is($node->sql($processes), 1 + 1 + 5, 'a launcher, a consumer, and the workers');
my ($count, $seconds_each) = $sizing =~ /(SELECT [^;]*;)/g;
is($node->sql($count), 1 + 1 + 5 + 2, 'and a process each that comes and goes, and that may be asked for metrics, says the statement');
my $began = Time::HiRes::time();
$kafka->produce_many('slow', count => $n, keys => 100);
$node->wait_for('the slow ones', "SELECT messages_processed = $n AND workers_active = 0 FROM burrow.stats");
my $seconds = Time::HiRes::time() - $began;
my (undef, $each) = split /\|/, $node->sql($seconds_each);
cmp_ok($each, '>=', 0.01, 'the time of a message is that of its handler, or more');
cmp_ok($n / $seconds, '<', 5 / $each, 'no more is handled in a second than the formula says');
$node->sql(q{SELECT burrow.unsubscribe('slow')});
$node->wait_for('its processes to be gone', "$processes AND backend_type <> 'burrow launcher'" =~ s/count\(\*\)/count(*) = 0/r);

#
# WAL and transaction ids of messages whose handler writes nothing.
#
sub used
{
	my ($topic, %options) = @_;
	$node->sql("SELECT burrow.subscribe('$topic', 'nothing', workers => 1" . join('', map { ", $_ => '$options{$_}'" } sort keys %options) . ')');
	my $done = "workers_active = 0 AND inflight = 0 AND lag = 0 FROM burrow.stats WHERE subscription = '$topic'";
	# what is made once is there before it is measured
	$kafka->produce_many($topic, count => 100, keys => 10);
	$node->wait_for('the first ones', "SELECT messages_processed = 100 AND $done");
	my $look = 'SELECT pg_current_wal_insert_lsn() - 0::text::pg_lsn' =~ s/0::text/'0\/0'/r;
	my $now = sub { return ($node->sql($look), $node->sql('SELECT pg_snapshot_xmax(pg_current_snapshot())'), $node->sql("SELECT transactions FROM burrow.stats WHERE subscription = '$topic'")) };
	my @before = $now->();
	$kafka->produce_many($topic, count => $n, keys => 10);
	$node->wait_for('the others', "SELECT messages_processed = $n + 100 AND $done");
	my @after = $now->();
	my @used = map { $after[$_] - $before[$_] } 0 .. 2;
	note("$topic: WAL $used[0] B, $used[1] transaction ids, $used[2] transactions");
	$node->sql("SELECT burrow.unsubscribe('$topic')");
	return @used;
}

my ($wal, $ids, $transactions) = used('each', batch_size => 1);
is($transactions, $n, 'batch_size => 1: a transaction for each message');
is_about($wal / $n, documented('WAL of a transaction, `exactly_once`'), 'WAL of a transaction');
is_about($ids / $n, documented('transaction ids of a transaction, `exactly_once`'), 'transaction ids');

($wal, $ids, $transactions) = used('many');
cmp_ok($transactions, '<', $n / 2, 'more messages in a transaction');
cmp_ok($ids, '<', $transactions * 1.3 + 20, 'take as many transaction ids as there are transactions');
cmp_ok($wal, '<', $n * documented('WAL of a transaction, `exactly_once`'), 'and less WAL');

($wal, $ids, $transactions) = used('least', batch_size => 1, delivery => 'at_least_once');
is($transactions, $n, 'at least once, one by one');
cmp_ok($ids, '<', $n / 10, 'a handler that writes nothing takes no transaction id');
cmp_ok($wal / $n, '<', documented('WAL of a transaction, `exactly_once`') / 5, 'nor WAL');

#
# Memory of a consumer whose queues are full, because its handler waits, and while it empties them.  Kafka's limits are small, so
# that what is Burrow's is most of it.
#
my ($readme) = PostgreSQL::Test::Utils::slurp_file("$ENV{BURROW_ROOT}/README.md") =~ /^### Memory$(.*?)^### /ms;
my ($of_queues, $of_window) = $readme =~ /^ +([\d.]+) x queue_memory .*^ +\+ window x (\d+) B x partitions$/ms or die 'README has no such formula';
my ($mb, $partitions, $window) = (1024, 4, 20_000);
my $limit = ($of_queues * 8 + $partitions * 0.25 + 1 * 2 + 8) * $mb + $window * $of_window * $partitions / 1024;
my $full = 100_000;
$kafka->create_topic('full', $partitions);
$node->sql(<<"END");
CREATE FUNCTION waits(value text) RETURNS void LANGUAGE plpgsql AS \$\$ BEGIN PERFORM pg_advisory_xact_lock_shared(1); END \$\$;
SELECT burrow.subscribe('full', 'waits', workers => 1, "window" => $window, queue_memory => '8 MB', max_inflight_bytes => '8 MB', max_inflight => 1000000,
	kafka => '{"fetch.max.bytes": 2097152, "max.partition.fetch.bytes": 262144}');
END
$node->wait_for_state('full', 'running');
$node->wait_for('its partitions', "SELECT count(*) = $partitions FROM burrow.partitions WHERE subscription = 'full'");
my $consumer = $node->sql(q{SELECT consumer_pid FROM burrow.subscriptions WHERE subscription = 'full'});
my $idle = BurrowTest::resident_kb($consumer);
my $holder = $node->background_psql('postgres');
$holder->query_safe('SELECT pg_advisory_lock(1)');
$kafka->produce_many('full', count => $full, keys => 1000, size => 200);
my $most = 0;
sub more
{
	my $kb = BurrowTest::resident_kb($consumer) - $idle;
	$most = $kb if $kb > $most;
	return $most;
}
my $queued = q{SELECT inflight_bytes, jobs_queued, inflight, messages_received FROM burrow.stats WHERE subscription = 'full'};
wait_until('the queues to be full', sub { return more() > 14 * $mb && (split /\|/, $node->sql($queued))[0] > 7 * $mb * $mb },
	diagnose => sub { return "$most kB; " . $node->sql($queued) });
$holder->quit;
wait_until('all of them to be handled', sub { more(); return $node->sql("SELECT messages_processed = $full FROM burrow.stats WHERE subscription = 'full'") eq 't' });
note("a consumer with full queues: $most kB beside the $idle kB of an idle one; the formula's limit is $limit kB");
# README says "about": what malloc() keeps for itself is nobody's
memory_below($most, $limit * 1.1, 'a consumer takes no more memory than the formula says');

$node->stop;
done_testing();
