# A topic of a pattern is deleted while progress of its is not committed: the offsets of the others are committed,
# and what is told of the commits is true.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
# newer versions of librdkafka tell an error of one partition as one of all
my $recent = BurrowTest::Node->create('recent', kafka => $kafka, libraries => recent_librdkafka());
my $system = BurrowTest::Node->create('system', kafka => $kafka);
my $node;
$_->sql(<<'SQL') foreach $system, $recent;
CREATE TABLE got (topic text, partition int, "offset" bigint);
CREATE FUNCTION keep(topic text, partition int, "offset" bigint) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES ($1, $2, $3)';
SQL

sub counted { my ($sub, $what) = @_; return $node->sql("SELECT $what FROM burrow.stats WHERE subscription = '$sub'") }

# A subscription to two topics, which commits by itself once an hour.
sub subscribe
{
	my ($sub, $options) = @_;
	$kafka->create_topic("$sub-$_", 2) foreach qw(goes stays);
	$kafka->produce_many("$sub-$_", count => 20, keys => 10) foreach qw(goes stays);
	$node->sql("SELECT burrow.subscribe('^$sub-.*', 'keep', subscription => '$sub', workers => 2, commit_interval => '1 h', commit_batch_size => 1000" . ($options // '') . ')');
	$node->wait_for("all of $sub", "SELECT count(*) = 40 FROM got WHERE topic ~ '^$sub-'");
	return;
}

sub committed { my ($sub) = @_; my $committed = $kafka->committed($node->group_of($sub), "$sub-stays"); my $sum = 0; $sum += $_ foreach values %$committed; return $sum }

for my $case ([$system, 'exactly_once'], [$system, 'at_least_once'], [$recent, 'exactly_once'])
{
	($node, my $delivery) = @$case;
	my $sub = $node->name . '-' . $delivery =~ tr/_/-/r;
	subscribe($sub, ", delivery => '$delivery'");
	# the start was committed, and nothing since
	is(committed($sub), 0, "$sub: nothing is committed yet");
	my $position = $node->log_position;
	$kafka->delete_topic("$sub-goes");
	$kafka->produce_many("$sub-stays", count => 20, keys => 10, first => 20);
	$node->wait_for("$sub: what comes in the other topic", "SELECT count(*) = 60 FROM got WHERE topic ~ '^$sub-'");
	is($node->sql("SELECT burrow.wait_until_caught_up('$sub', '1 min')"), 't', "$sub: it is caught up, for what is there");
	is(committed($sub), 40, "$sub: and the offsets of the other topic are committed");
	my $failed = counted($sub, 'commits_failed');
	cmp_ok($failed, '<=', 3, "$sub: few commits have failed: $failed");
	$kafka->produce_many("$sub-stays", count => 20, keys => 10, first => 40);
	is($node->sql("SELECT burrow.wait_until_caught_up('$sub', '1 min')"), 't', "$sub: and again");
	is(committed($sub), 60, "$sub: and they follow");
	is(counted($sub, 'commits_failed'), $failed, "$sub: no other commit has failed");
	is($node->sql("SELECT state FROM burrow.subscriptions WHERE subscription = '$sub'"), 'running', "$sub: it runs");

	# a pause ends with a last commit
	$kafka->produce_many("$sub-stays", count => 20, keys => 10, first => 60);
	$node->wait_for("$sub: more", "SELECT count(*) = 100 FROM got WHERE topic ~ '^$sub-'");
	$node->sql("SELECT burrow.pause('$sub')");
	$node->wait_for_state($sub, 'paused');
	is(committed($sub), 80, "$sub: a pause commits what is done");
	$node->sql("SELECT burrow.resume('$sub')");
	$node->wait_for_state($sub, 'running');
	is($node->sql("SELECT count(*), count(DISTINCT (partition, \"offset\")) FROM got WHERE topic = '$sub-stays'"), '80|80', "$sub: each message once");
	$node->sql("SELECT burrow.unsubscribe('$sub')");
}

# paused at once: the last commit is made before anybody knows that the topic is gone, or after it
for my $each ($system, $recent)
{
	$node = $each;
	my $sub = $node->name . '-last';
	subscribe($sub);
	$kafka->delete_topic("$sub-goes");
	$node->sql("SELECT burrow.pause('$sub')");
	$node->wait_for_state($sub, 'paused');
	is(committed($sub), 20, "$sub: the last commit: the offsets of the other topic are committed");
	$node->stop;
}

done_testing();
