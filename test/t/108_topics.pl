# Which topics, and where they start: regular expressions, start_from in its forms,
# partitions that are added later, several subscriptions to one topic, compaction's holes.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
CREATE TABLE got (who text DEFAULT 'keep', topic text, partition int, "offset" bigint, value text);
CREATE FUNCTION keep(topic text, partition int, "offset" bigint, value text) RETURNS void LANGUAGE sql AS
  'INSERT INTO got (topic, partition, "offset", value) VALUES (topic, partition, "offset", value)';
CREATE FUNCTION keep2(topic text, partition int, "offset" bigint, value text) RETURNS void LANGUAGE sql AS
  'INSERT INTO got (who, topic, partition, "offset", value) VALUES (''keep2'', topic, partition, "offset", value)';
SQL
my $refresh = q({"topic.metadata.refresh.interval.ms": 500});

# ---- a regular expression, and a topic that comes later
$kafka->create_topic($_, 1) foreach qw(eu.orders us.orders eu.returns);
$kafka->produce($_, { value => $_ }) foreach qw(eu.orders us.orders eu.returns);
$node->sql("SELECT burrow.subscribe('^.*[.]orders\$', 'keep', subscription => 'orders', start_from => 'latest', kafka => '$refresh')");
$node->wait_for('both topics to be assigned', "SELECT count(*) = 2 FROM burrow.partitions WHERE committed = 1");
$kafka->produce($_, { value => "$_ again" }) foreach qw(eu.orders us.orders eu.returns);
$node->wait_for('the new messages of both', 'SELECT count(*) = 2 FROM got');
is($node->sql("SELECT string_agg(value, ', ' ORDER BY value) FROM got"), 'eu.orders again, us.orders again', 'latest: nothing from before, nothing of other topics');
$kafka->create_topic('asia.orders', 1);
$kafka->produce('asia.orders', { value => 'first' });
$node->wait_for('the topic that came later, from its beginning', "SELECT count(*) = 1 FROM got WHERE topic = 'asia.orders' AND value = 'first'", timeout => 90);
# many: the log names 20 runs of neighbours, and counts the others
$kafka->create_topic($_, 3) foreach map { "n$_.orders" } 10 .. 30;
my $named = join '; ', '[Tt]opic "asia\.orders" partition 0', 'topic "eu\.orders" partition 0', map { "topic \"n$_\\.orders\" partition 0-2" } 10 .. 27;
$node->wait_for_log_line(qr/subscription "orders" is assigned 66 partitions\n.*DETAIL:  $named; and 10 more\.\n/, 0, timeout => 90);
$node->sql("SELECT burrow.unsubscribe('orders'); TRUNCATE got");

# ---- start_from: a time, and offsets
$kafka->create_topic('timed', 2);
my $t0 = 1_700_000_000_000;
$kafka->produce('timed', map { { partition => $_ % 2, value => "v$_", timestamp => $t0 + 1000 * $_ } } 0 .. 9);
$node->sql("SELECT burrow.subscribe('timed', 'keep', subscription => 'time', start_from => to_timestamp($t0 / 1000.0 + 6)::text)");
$node->wait_for('those since the time', q{SELECT string_agg(value, ',' ORDER BY value) = 'v6,v7,v8,v9' FROM got});
$node->sql(q{SELECT burrow.subscribe('timed', 'keep2', subscription => 'offsets', start_from => '{"0": 3}')});
$node->wait_for('those from the offset, and all of the other partition', q{SELECT string_agg(value, ',' ORDER BY value) = 'v1,v3,v5,v6,v7,v8,v9' FROM got WHERE who = 'keep2'});
isnt($node->group_of('time'), $node->group_of('offsets'), 'two subscriptions to one topic are two groups');

# ---- a partition that is added later starts at its beginning
$node->sql('TRUNCATE got');
$kafka->create_topic('grows', 1);
$node->sql("SELECT burrow.subscribe('grows', 'keep', start_from => 'latest', kafka => '$refresh')");
$node->wait_for('the first partition', "SELECT count(*) = 1 FROM burrow.partitions WHERE topic = 'grows' AND committed = 0");
$kafka->add_partitions('grows', 2);
$kafka->produce('grows', { partition => 1, value => 'early' });
$node->wait_for('the message that was there before the partition was found', "SELECT count(*) = 1 FROM got WHERE topic = 'grows'", timeout => 90);

# ---- the starting position is stored before anything is handled: "latest" misses nothing
# that comes while it is down
$kafka->create_topic('pausing', 1);
$kafka->produce('pausing', { value => 'old' });
$node->sql("SELECT burrow.subscribe('pausing', 'keep', start_from => 'latest')");
my $group = $node->group_of('pausing');
$node->wait_for('the position to be stored', "SELECT committed = 1 FROM burrow.partitions WHERE topic = 'pausing'");
is($kafka->committed($group, 'pausing')->{0}, 1, 'Kafka has it');
$node->sql("SELECT burrow.pause('pausing')");
$node->wait_for_state('pausing', 'paused');
$kafka->produce('pausing', { value => 'new' });
$node->sql("SELECT burrow.resume('pausing')");
$node->wait_for('the message of the pause', "SELECT string_agg(value, ',') = 'new' FROM got WHERE topic = 'pausing'");

# a group that Kafka has forgotten: the database knows where it was
$node->sql("SELECT burrow.pause('pausing')");
$node->wait_for_state('pausing', 'paused');
$kafka->wait_until_committed($group, 'pausing');
wait_until('the group to be empty', sub { !$kafka->group_members($group) });
$kafka->delete_group($group);
$kafka->produce('pausing', { value => 'newer' });
$node->sql("SELECT burrow.resume('pausing')");
$node->wait_for('only what is new', "SELECT string_agg(value, ',' ORDER BY \"offset\") = 'new,newer' FROM got WHERE topic = 'pausing'");

# ---- holes in the offsets
$kafka->create_topic('holes', 1);
$kafka->produce_transactions('holes', map { ({ transaction => 'begin' }, { key => 'k', value => "t$_" }, { transaction => $_ % 3 ? 'commit' : 'abort' }) } 1 .. 30);
$node->sql("SELECT burrow.subscribe('holes', 'keep', commit_interval => '200 ms')");
$kafka->wait_until_committed($node->group_of('holes'), 'holes', diagnose => sub { $node->diagnostics });
is($node->sql("SELECT count(*) FROM got WHERE topic = 'holes'"), '20', 'holes cost nothing');

# ---- offsets that the topic no longer holds: never skipped silently
$kafka->create_topic('expired', 1);
$kafka->produce_many('expired', count => 100, keys => 0);
$node->sql("SELECT burrow.subscribe('expired', 'keep')");
$kafka->wait_until_committed($node->group_of('expired'), 'expired', diagnose => sub { $node->diagnostics });
$node->sql("SELECT burrow.pause('expired')");
$node->wait_for_state('expired', 'paused');
$kafka->produce_many('expired', count => 100, keys => 0);
$kafka->delete_records('expired', { 0 => 150 });
$node->sql("SELECT burrow.resume('expired')");
$node->wait_for_state('expired', 'halted');
like($node->sql("SELECT error_message || ' ' || error_detail FROM burrow.subscriptions WHERE subscription = 'expired'"),
	qr/offset 100 of topic "expired" partition 0 is not in the topic.*150 to 199/, 'the error names topic, partition and what is missing');

$node->stop;
done_testing();
