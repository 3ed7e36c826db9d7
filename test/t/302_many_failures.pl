# 10,000 messages of which 1 % always fail and 5 % fail twice: the good ones are handled
# once and in the order of their keys, the bad ones are dead letters, and it is not much
# slower than without failures.
#
# Alone: measures a rate.

use BurrowTest;
use Time::HiRes qw(time);

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
CREATE TABLE got (id bigserial, topic text, partition int, "offset" bigint, key text, attempt int);
CREATE FUNCTION h(topic text, partition int, "offset" bigint, key text, value text, attempt int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF value = 'never' OR value = 'twice' AND attempt <= 2 THEN
        RAISE EXCEPTION 'cannot take it';
    END IF;
    INSERT INTO got (topic, partition, "offset", key, attempt) VALUES (topic, partition, "offset", key, attempt);
END $$;
SQL

sub run
{
	my ($topic, $value) = @_;
	$kafka->create_topic($topic, 4);
	$kafka->produce($topic, map { { key => 'k' . $_ % 2000, value => $value->($_) } } 0 .. 9_999);
	my $start = time;
	$node->sql(qq{SELECT burrow.subscribe('$topic', 'h', workers => 16, min_workers => 16, on_failure => 'dead_letter',
		max_consecutive_errors => 1000, commit_interval => '100 ms')});
	$node->wait_for('all to be resolved', qq{SELECT messages_processed + messages_dead_lettered >= 10000 FROM burrow.stats WHERE subscription = '$topic'}, timeout => 120);
	my $took = time - $start;
	$kafka->wait_until_committed($node->group_of($topic), $topic, diagnose => sub { $node->diagnostics });
	$node->sql("SELECT burrow.pause('$topic')");
	return $took;
}

my $smooth = run('smooth', sub { 'ok' });
# 100 never, 500 twice, and at most one of the five messages of a key
my $rough = run('rough', sub {
		my ($n) = @_;
		my $round = int($n / 2000);
		return $n % 100 == 17 + $round ? 'never' : int(($n % 100 - 30) / 5) == $round && $n % 100 >= 30 ? 'twice' : 'ok';
});
note(sprintf('%.1f s without failures, %.1f s with', $smooth, $rough));

is($node->sql(q{SELECT count(*), count(DISTINCT (partition, "offset")) FROM got WHERE topic = 'rough'}), '9900|9900', 'the good ones are handled once');
is($node->sql(q{SELECT count(*) FROM (SELECT "offset", lag("offset") OVER (PARTITION BY partition, key ORDER BY id) AS before FROM got WHERE topic = 'rough') g WHERE before > "offset"}),
	'0', 'in the order of their keys');
is($node->sql(q{SELECT attempt, count(*) FROM got WHERE topic = 'rough' GROUP BY 1 ORDER BY 1}), "1|9400\n3|500", 'at their first or third attempt');
is($node->sql(q{SELECT count(*), count(DISTINCT (topic, partition, "offset")), min(attempts), max(attempts), min(convert_from(value, 'UTF8')), min(message) FROM burrow.dead_letters}),
	'100|100|4|4|never|cannot take it', 'exactly the bad ones are dead letters');
is($node->sql(q{SELECT messages_failed, messages_retried, messages_dead_lettered FROM burrow.stats WHERE subscription = 'rough'}), '1400|1300|100', 'and counted');
# the last message's retries take 0.7 s to 0.9 s of waiting, whatever the rate
cmp_ok($rough - 0.9, '<', 2 * $smooth * BurrowTest::slow_by(), 'at half the rate at least');

$node->stop;
done_testing();
