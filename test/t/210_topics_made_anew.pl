# A topic that was deleted, and one that was deleted and made anew: the subscription halts,
# whether it ran meanwhile or not, and whether the new topic is shorter or longer than the
# position; burrow.seek() says where to go on.  A topic that has only lost what was read
# before is the same one.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
CREATE TABLE got (topic text, "offset" bigint);
CREATE FUNCTION keep(topic text, "offset" bigint) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES ($1, $2)';
SQL

my $topic;

sub fill { my ($n) = @_; return $kafka->produce_many($topic, count => $n, keys => 5) }
sub halt_text { return $node->sql("SELECT concat_ws(' | ', error_message, error_detail, error_hint) FROM burrow.subscriptions WHERE subscription = '$topic'") }
sub rows { return $node->sql("SELECT count(*) FROM got WHERE topic = '$topic'") }

sub caught_up
{
	is($node->sql("SELECT burrow.wait_until_caught_up('$topic')"), 't', "$topic: caught up");
	return;
}

sub subscribed
{
	my ($name, $options) = @_;
	$topic = $name;
	$kafka->create_topic($topic, 1);
	fill(20);
	$node->sql("SELECT burrow.subscribe('$topic', 'keep', commit_interval => '100 ms'" . ($options // '') . ')');
	$node->wait_for_state($topic, 'running');
	caught_up();
	return;
}

sub paused
{
	$node->sql("SELECT burrow.pause('$topic')");
	$node->wait_for_state($topic, 'paused');
	return;
}

sub resume { return $node->sql("SELECT burrow.resume('$topic')") }

# Kafka deletes in the background, and refuses the name meanwhile
sub made_anew
{
	my ($n) = @_;
	wait_until("topic $topic to be made anew", sub { return eval { $kafka->create_topic($topic, 1); 1 } });
	fill($n);
	return;
}

# ---- deleted while it runs
subscribed('deleted');
# how one that is made anew is recognised, if topics have ids that librdkafka tells
my $by_id = $node->knows_topic_ids ? qr/The topic's id is \S+, and was \S+ when it was read\./ : undef;
$kafka->delete_topic('deleted');
$node->wait_for_state('deleted', 'halted');
is(halt_text(), 'topic "deleted" does not exist any more | Make it anew and use burrow.seek() to say where to go on, or use burrow.unsubscribe().', 'a topic that was deleted halts');
resume();
$node->wait_for('the state to be shown', "SELECT state <> 'halted' FROM burrow.subscriptions WHERE subscription = 'deleted'");
$node->wait_for_state('deleted', 'halted');
pass('and again, when it is only resumed');

# ---- made anew, and shorter than the position
made_anew(5);
resume();
$node->wait_for('the other halt', q{SELECT state = 'halted' AND error_message NOT LIKE '% does not exist any more' FROM burrow.subscriptions WHERE subscription = 'deleted'});
like(halt_text(), defined $by_id ? qr/^topic "deleted" partition 0 was made anew \| $by_id \| Use burrow\.seek\(\)/ : qr/^offset 20 of topic "deleted" partition 0 is beyond its end \| The topic was made anew or has lost messages: this partition ends at offset 5\. \| Use burrow\.seek\(\)/, 'made anew, and shorter: halt');
$node->sql(q{SELECT burrow.seek('deleted', 'deleted', 0, 0)});
caught_up();
is(rows(), 25, 'a seek ends it');

# ---- made anew, and longer
for my $delivery (qw(exactly_once at_least_once))
{
	subscribed("longer-$delivery", ", delivery => '$delivery'");
	paused();
	$kafka->delete_topic($topic);
	made_anew(40);
	resume();
	$node->wait_for_state($topic, 'halted');
	my $how = $by_id // qr/The message at offset 19 has timestamp \d+, and had \d+ when it was read\./;
	like(halt_text(), qr/^topic "$topic" partition 0 was made anew \| $how \| Use burrow\.seek/, "$delivery: made anew, and longer: halt");
	is(rows(), 20, 'and nothing was read');
	$node->sql("SELECT burrow.seek('$topic', '-infinity'::timestamptz)");
	caught_up();
	is(rows(), 60, 'a seek ends it');
}

# ---- made anew while it runs, as soon as that was noticed
subscribed('replaced');
$kafka->delete_topic($topic);
$node->wait_for_state($topic, 'retrying');
made_anew(40);
$node->wait_for_state($topic, 'halted');
like(halt_text(), qr/was made anew|is beyond its end/, 'made anew while it runs: halt');
is(rows(), 20, 'and nothing was read');

# ---- the same topic: what was read last is gone, or still there
subscribed('expired');
paused();
$kafka->delete_records($topic, { 0 => 20 });
fill(5);
resume();
caught_up();
is(rows(), 25, 'a topic without the message that was read last is believed');
paused();
fill(5);
resume();
caught_up();
is(rows(), 30, 'and one that has it goes on');

# ---- a topic that is not there yet is waited for
$topic = 'later';
$node->sql("SELECT burrow.subscribe('later', 'keep')");
$node->wait_for_state('later', 'retrying');
$kafka->create_topic('later', 1);
fill(3);
$node->wait_for('its messages', q{SELECT count(*) = 3 FROM got WHERE topic = 'later'});

$node->stop;
done_testing();
