# Messages of which some fail, under exactly once, while the postmaster is killed: each
# good one takes effect once, and exactly the bad ones are dead letters or skipped.
#
# Alone: kills the server under load.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
CREATE TABLE got (id bigserial, topic text, partition int, "offset" bigint, key text);
CREATE FUNCTION h(topic text, partition int, "offset" bigint, key text, value text, attempt int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF value = 'never' OR value = 'twice' AND attempt <= 2 THEN
        RAISE EXCEPTION 'cannot take it';
    END IF;
    INSERT INTO got (topic, partition, "offset", key) VALUES (topic, partition, "offset", key);
    IF "offset" % 20 = 0 THEN
        PERFORM pg_sleep(0.01);
    END IF;
END $$;
SQL

for my $on_failure (qw(dead_letter skip))
{
	my $topic = "on_$on_failure";
	$kafka->create_topic($topic, 4);
	$kafka->produce($topic, map { { key => 'k' . $_ % 499, value => $_ % 100 == 17 ? 'never' : $_ % 20 == 3 ? 'twice' : 'ok' } } 0 .. 9_999);
	$node->sql(qq{SELECT burrow.subscribe('$topic', 'h', delivery => 'exactly_once', workers => 8, on_failure => '$on_failure',
		max_consecutive_errors => 1000, retry_backoff => '10 ms', commit_interval => '100 ms')});
	for my $rows (1000, 3000, 5000)
	{
		$node->wait_for("$rows rows", "SELECT count(*) > $rows FROM got WHERE topic = '$topic'", timeout => 90);
		$node->crash;
		$node->start;
	}
	$kafka->wait_until_committed($node->group_of($topic), $topic, timeout => 120, diagnose => sub { $node->diagnostics });
	is($node->sql("SELECT count(*), count(DISTINCT (partition, \"offset\")) FROM got WHERE topic = '$topic'"), '9900|9900', "$on_failure: the good ones are handled once");
	is($node->sql("SELECT count(*) FROM (SELECT \"offset\", lag(\"offset\") OVER (PARTITION BY partition, key ORDER BY id) AS before FROM got WHERE topic = '$topic') g WHERE before > \"offset\""),
		'0', "$on_failure: in the order of their keys");
	is($node->sql("SELECT count(*), count(*) FILTER (WHERE convert_from(value, 'UTF8') = 'never' AND attempts = 4) FROM burrow.dead_letters WHERE subscription = '$topic'"),
		$on_failure eq 'skip' ? '0|0' : '100|100', "$on_failure: exactly the bad ones are dead letters");
	$node->sql("SELECT burrow.pause('$topic')");
}

$node->stop;
done_testing();
