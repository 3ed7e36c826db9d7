# The main job: 200,000 keyed messages, produced by an independent client into four
# partitions, through a pool of workers into a table: each once, each key in order, and
# at rest Kafka's committed offsets are the end offsets.  Then the other two orderings.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);

$node->sql(<<'SQL');
CREATE TABLE got (id bigserial, topic text, partition int, "offset" bigint, key text, n int);
CREATE FUNCTION keep(topic text, partition int, "offset" bigint, key text, value jsonb) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO got (topic, partition, "offset", key, n)
    VALUES (topic, partition, "offset", key, (value->>'n')::int);
END $$;
SQL

# What went in, by what is in the topic: rows that are missing, twice, or out of order
# within what the ordering keeps.  "id" is drawn when the row is inserted, so within one
# key it follows the order of the handler's calls.
sub check
{
	my ($topic, $count, $order_by) = @_;
	my $group = $node->group_of($topic);
	$node->wait_for("$count rows of $topic", "SELECT count(*) >= $count FROM got WHERE topic = '$topic'", timeout => 180);
	$kafka->wait_until_committed($group, $topic, diagnose => sub { $node->diagnostics });

	my $end = $kafka->end_offsets_by_kafka($topic);
	my $total = 0;
	$total += $_ foreach values %$end;
	is($total, $count, "$topic: $count messages are in the topic");
	is($node->sql("SELECT count(*), count(DISTINCT (partition, \"offset\")), count(DISTINCT n) FROM got WHERE topic = '$topic'"),
		"$count|$count|$count", "$topic: each has its row, once");
	is($node->sql(<<"SQL"), '0', "$topic: in order") if $order_by;
SELECT count(*) FROM
  (SELECT "offset", lag("offset") OVER (PARTITION BY $order_by ORDER BY id) AS before FROM got WHERE topic = '$topic') s
WHERE before > "offset"
SQL
	is_deeply($kafka->committed_by_kafka($group, $topic), $end, "$topic: the committed offsets are the end offsets");
	is($node->sql("SELECT burrow.wait_until_caught_up('$topic')"), 't', "$topic: caught up");
	is($node->sql("SELECT messages_processed, messages_failed, lag, inflight, jobs_queued FROM burrow.stats WHERE subscription = '$topic'"),
		"$count|0|0|0|0", "$topic: the statistics agree");
	return;
}

$kafka->create_topic('keyed', 4);
$node->sql("SELECT burrow.subscribe('keyed', 'keep', workers => 4)");
$kafka->produce_many('keyed', count => 200_000, keys => 5000);
check('keyed', 200_000, 'partition, key');
is($node->sql('SELECT count(*) > 1 FROM burrow.workers'), 't', 'more than one worker has shared the work');

$kafka->create_topic('ordered', 3);
$kafka->produce_many('ordered', count => 20_000, keys => 50);
$node->sql("SELECT burrow.subscribe('ordered', 'keep', ordering => 'partition', workers => 4)");
check('ordered', 20_000, 'partition');

$kafka->create_topic('loose', 3);
$kafka->produce_many('loose', count => 20_000, keys => 50);
$node->sql("SELECT burrow.subscribe('loose', 'keep', ordering => 'unordered', workers => 4)");
check('loose', 20_000, undef);

# messages without a key are free in "key" ordering, and all of them arrive
$kafka->create_topic('keyless', 2);
$kafka->produce_many('keyless', count => 5000, keys => 0);
$node->sql("SELECT burrow.subscribe('keyless', 'keep')");
check('keyless', 5000, undef);

$node->stop;
done_testing();
