# on_gap => 'skip': what the topic no longer holds is skipped, counted and logged, whether
# the gap is found at a start or while it runs; what was done beyond it does not count.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
CREATE TABLE got (topic text, "offset" bigint);
CREATE TABLE forbidden (topic text, "offset" bigint);
CREATE FUNCTION keep(topic text, "offset" bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7);
    IF EXISTS (SELECT FROM forbidden f WHERE f.topic = keep.topic AND f."offset" = keep."offset") THEN
        RAISE EXCEPTION 'not this one';
    END IF;
    INSERT INTO got (topic, "offset") VALUES (topic, "offset");
END $$;
SQL

my $topic;
sub caught_up { return is($node->sql("SELECT burrow.wait_until_caught_up('$topic')"), 't', "$topic: caught up") }
sub handled { return $node->sql("SELECT string_agg(\"offset\"::text, ',' ORDER BY \"offset\") FROM got WHERE topic = '$topic'") }
sub skipped { return $node->sql("SELECT offsets_skipped FROM burrow.stats WHERE subscription = '$topic'") }

for my $delivery (qw(exactly_once at_least_once))
{
	# ---- found at a start
	$topic = "start-$delivery";
	$kafka->create_topic($topic, 1);
	$kafka->produce($topic, map { { key => "k$_", value => 'x' } } 0 .. 9);
	$node->sql("INSERT INTO forbidden VALUES ('$topic', 2)");
	$node->sql("SELECT burrow.subscribe('$topic', 'keep', delivery => '$delivery', on_gap => 'skip', commit_interval => '100 ms')");
	$node->wait_for_state($topic, 'halted');
	is(handled(), '0,1,3,4,5,6,7,8,9', "$topic: all but one");
	$kafka->produce($topic, map { { key => "k$_", value => 'x' } } 10 .. 19);
	$kafka->delete_records($topic, { 0 => 14 });
	my $position = $node->log_position;
	$node->sql("SELECT burrow.resume('$topic')");
	caught_up();
	is(handled(), '0,1,3,4,5,6,7,8,9,14,15,16,17,18,19', 'the rest, from where the topic begins');
	is(skipped(), 5, 'what was done beyond the gap was not skipped');
	like($node->log_since($position), qr/WARNING:  subscription "$topic" skips 5 offsets of topic "$topic" partition 0\n.*The next one was 2, and the topic begins at offset 14 of this partition/, 'and the log says so');
}

# ---- found while it runs: a full window keeps it from reading on
$topic = 'running';
$kafka->create_topic($topic, 1);
my $holder = $node->background_psql('postgres');
$holder->query_safe('SELECT pg_advisory_lock(7)');
$node->sql(q{SELECT burrow.subscribe('running', 'keep', on_gap => 'skip', workers => 1, batch_size => 1, max_inflight => 2, "window" => 10,
	kafka => '{"queued.min.messages": 1, "queued.max.messages.kbytes": 1, "max.partition.fetch.bytes": 1000, "fetch.message.max.bytes": 1000}')});
$node->wait_for_state($topic, 'running');
my $value = 'x' x 900;
$kafka->produce($topic, { value => $value }) foreach 1 .. 30;
$node->wait_for('the first to be in hand', q{SELECT workers_active = 1 FROM burrow.stats WHERE subscription = 'running'});
$kafka->delete_records($topic, { 0 => 25 });
$holder->query_safe('SELECT pg_advisory_unlock(7)');
$holder->quit;
$node->wait_for('what is left', q{SELECT count(*) = 5 FROM got WHERE topic = 'running' AND "offset" >= 25});
caught_up();
is($node->sql(q{SELECT (SELECT count(DISTINCT "offset") FROM got WHERE topic = 'running') + offsets_skipped FROM burrow.stats WHERE subscription = 'running'}), 30,
	'each offset was handled or counted');
cmp_ok(skipped(), '>', 0, 'and some were skipped');

$node->stop;
done_testing();
