# An administrator's BRIN index on burrow.progress has every version of the workers' rows.  As of PostgreSQL 16
# such an index does not keep an update from being HOT, and whoever updates a row must still tell the index of
# the new value; before 16 the update is an ordinary one.  So this says most where PostgreSQL is 16 or later,
# which test/fresh sees to.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$kafka->create_topic('ranges', 2);
$node->sql(<<'SQL');
CREATE TABLE got (partition int, "offset" bigint);
CREATE FUNCTION keep(partition int, "offset" bigint) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES ($1, $2)';
SELECT burrow.subscribe('ranges', 'keep', workers => 2, min_workers => 2, commit_interval => '100 ms');
SQL
my $group = $node->group_of('ranges');
my $produced = 0;

sub handled
{
	$kafka->produce('ranges', map { my $n = $_; map { { partition => $_, key => "k$n", value => 'x' } } 0, 1 } 1 .. 100);
	$produced += 200;
	$kafka->wait_until_committed($group, 'ranges', diagnose => sub { $node->diagnostics });
	return;
}

# The rows of workers from a head on, found in one way or the other; with the plan's nodes.
sub rows
{
	my ($low, $scan) = @_;
	my $off = $scan eq 'index' ? 'seqscan' : 'bitmapscan';
	my $query = "SELECT partition, lane, low, done FROM burrow.progress WHERE low >= $low AND lane + 0 >= 0 ORDER BY 1, 2";
	my $settings = "SET enable_indexscan = off; SET enable_$off = off;";
	my $plan = $node->sql("$settings EXPLAIN (COSTS off) $query");
	like($plan, $scan eq 'index' ? qr/Bitmap Index Scan on progress_low/ : qr/Seq Scan on progress/, "it is found by a scan of the $scan");
	return $node->sql("$settings $query");
}

# A range of pages has a summary when there is something in it.  What the consumer writes by SQL would make
# the summary wide enough for the workers' rows: so the index has these alone.
handled();
$node->sql('CREATE INDEX progress_low ON burrow.progress USING brin (low) WITH (pages_per_range = 1) WHERE lane + 0 >= 0');
is($node->sql(q{SELECT count(*) > 0 FROM burrow.progress WHERE lane >= 0}), 't', 'there are rows of workers when the index is made');
my $hot = 'SELECT n_tup_hot_upd FROM pg_stat_user_tables WHERE relid = \'burrow.progress\'::regclass';
my $hot_before = $node->sql($hot);

for my $round (1 .. 3)
{
	# all that is written from here on is beyond what the summary has
	my $low = $node->sql('SELECT max(low) + 1 FROM burrow.progress WHERE lane >= 0');
	handled();
	my $found = rows($low, 'table');
	isnt($found, '', "round $round: rows were written");
	is(rows($low, 'index'), $found, "round $round: the index finds each of them");
}
is($node->sql('SELECT count(*), count(DISTINCT (partition, "offset")) FROM got'), "$produced|$produced", 'each message was handled, once');

# where the index does not keep them from it, updates were HOT: it was told by us alone
$node->wait_for('HOT updates', "SELECT ($hot) > $hot_before") if $node->sql('SHOW server_version_num') >= 160000;
$node->stop;
done_testing();
