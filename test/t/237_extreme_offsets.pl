# Offsets at the end of what 64 bits hold, as whoever may commit to the group, or write an option, can put them
# there: each is a position that the topic does not hold, which halts, and nothing of it wraps around.  The
# statement that burrow.why_stuck() has ends it, and the views can be read all the while.

use BurrowTest;
use MIME::Base64 qw(encode_base64);

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
CREATE TABLE got (topic text, "offset" bigint);
CREATE FUNCTION keep(topic text, "offset" bigint) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES ($1, $2)';
SQL
my $last = '9223372036854775807';
my $other = '00000000-0000-4000-8000-000000000000';

sub topic
{
	my ($topic) = @_;
	$kafka->create_topic($topic, 1);
	$kafka->produce_many($topic, count => 20, keys => 5);
	return;
}

sub subscribe
{
	my ($topic, $options) = @_;
	$node->sql("SELECT burrow.subscribe('$topic', 'keep', consumer_group => 'group-of-$topic', commit_interval => '100 ms'" . ($options // '') . ')');
	return;
}

sub handled { my ($topic) = @_; return $node->sql("SELECT count(*), count(DISTINCT \"offset\") FROM got WHERE topic = '$topic'") }

# It halts with that, and the statement ends it: all of the topic is there, once.
sub halts_and_goes_on
{
	my ($topic, $error, $what) = @_;
	$node->wait_for_state($topic, 'halted');
	like($node->sql("SELECT error_message FROM burrow.subscriptions WHERE subscription = '$topic'"), $error, "$what: halt");
	$node->sql('SELECT * FROM burrow.stats; SELECT * FROM burrow.partitions; SELECT * FROM burrow.subscriptions');
	my $statement = $node->sql("SELECT next_statement FROM burrow.why_stuck('$topic') WHERE next_statement IS NOT NULL LIMIT 1");
	note($statement);
	$node->sql($statement);
	is($node->sql("SELECT burrow.wait_until_caught_up('$topic')"), 't', 'its statement ends it');
	is($node->sql("SELECT lag FROM burrow.stats WHERE subscription = '$topic'"), '0', 'and the lag is none');
	return;
}

# ---- what others have committed, before there is a position of ours
for my $case (['commit', ''], ['claims', "burrow/1 eo $other " . encode_base64("\x00\x00", '')])
{
	my ($topic, $metadata) = @$case;
	topic($topic);
	$kafka->commit("group-of-$topic", $topic, { 0 => $last }, $metadata);
	is($kafka->committed("group-of-$topic", $topic)->{0}, $last, 'Kafka takes any number');
	subscribe($topic);
	halts_and_goes_on($topic, qr/^offset $last of topic "$topic" partition 0 is beyond its end/, "$topic of others");
	$node->sql("SELECT burrow.pause('$topic')");
	$node->wait_for_state($topic, 'paused');

	# ---- and when there is one
	wait_until('the group to be empty', sub { return !$kafka->group_members("group-of-$topic") });
	$kafka->commit("group-of-$topic", $topic, { 0 => $last }, $metadata);
	$node->sql("SELECT burrow.resume('$topic')");
	halts_and_goes_on($topic, qr/beyond its end/, "$topic of others, later");
	$node->sql("SELECT burrow.seek('$topic', '-infinity'::timestamptz)");
	is($node->sql("SELECT burrow.wait_until_caught_up('$topic')"), 't', 'a seek to the beginning');
	is($node->sql("SELECT count(DISTINCT \"offset\") FROM got WHERE topic = '$topic'"), '20', 'has all of it');
	$node->sql("SELECT burrow.unsubscribe('$topic')");
}

# ---- where an option says to start
topic('option');
subscribe('option', qq{, start_from => '{"0": $last}'});
halts_and_goes_on('option', qr/^offset $last of topic "option" partition 0 /, 'start_from');
$node->sql(q{SELECT burrow.unsubscribe('option')});

# ---- where a seek goes
topic('seek');
subscribe('seek');
is($node->sql(q{SELECT burrow.wait_until_caught_up('seek')}), 't', 'caught up');
$node->sql("SELECT burrow.seek('seek', 'seek', 0, $last)");
$node->wait_for_state('seek', 'halted');
like($node->sql(q{SELECT error_message FROM burrow.subscriptions WHERE subscription = 'seek'}), qr/^cannot seek to offset $last of topic "seek" partition 0/, 'a seek is refused');
$node->sql(q{SELECT burrow.resume('seek')});
is($node->sql(q{SELECT burrow.wait_until_caught_up('seek')}), 't', 'and the position is as it was');
is(handled('seek'), '20|20', 'each message, once');

$node->stop;
done_testing();
