# What the metadata of the group's commits claims to be done comes from whoever may commit to the group.  Claims
# that the log cannot bear out skip nothing: no message that is still to come, and no gap.

use BurrowTest;
use MIME::Base64 qw(encode_base64);

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
CREATE TABLE got (topic text, "offset" bigint);
CREATE FUNCTION keep(topic text, "offset" bigint) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES ($1, $2)';
SQL

my $other = '00000000-0000-4000-8000-000000000000';

# Runs as Burrow writes them: pairs of (distance, length - 1).
sub metadata
{
	my ($mode, $uuid, @numbers) = @_;
	my $bytes = '';
	for my $n (@numbers)
	{
		for (; $n >= 0x80 ; $n >>= 7) { $bytes .= chr($n & 0x7F | 0x80) }
		$bytes .= chr($n);
	}
	return "burrow/1 $mode $uuid " . encode_base64($bytes, '');
}

sub topic
{
	my ($topic, $messages) = @_;
	$kafka->create_topic($topic, 1);
	$kafka->produce_many($topic, count => $messages, keys => 5);
	return;
}

sub subscribe
{
	my ($topic, $options) = @_;
	$node->sql("SELECT burrow.subscribe('$topic', 'keep', workers => 2, consumer_group => 'group-of-$topic'" . ($options // '') . ')');
	return;
}

sub wait_until_committed { my ($topic) = @_; return $kafka->wait_until_committed("group-of-$topic", $topic, diagnose => sub { $node->diagnostics }) }

sub pause
{
	my ($topic) = @_;
	$node->sql("SELECT burrow.pause('$topic')");
	$node->wait_for_state($topic, 'paused');
	wait_until("the group of $topic to be empty", sub { return !$kafka->group_members("group-of-$topic") });
	return;
}

sub handled { my ($topic) = @_; return $node->sql("SELECT count(*), count(DISTINCT \"offset\"), min(\"offset\"), max(\"offset\") FROM got WHERE topic = '$topic'") }
sub refused { my ($topic) = @_; return $node->sql("SELECT claims_refused FROM burrow.stats WHERE subscription = '$topic'") }

# up to the last offset that there can be
my $for_ever = 2**62;

# ---- no row: the commit is all there is

topic('new', 20);
$kafka->commit('group-of-new', 'new', { 0 => 10 }, metadata('eo', $other, 2, $for_ever));
my $position = $node->log_position;
subscribe('new');
wait_until_committed('new');
is(handled('new'), '10|10|10|19', 'a new subscription: what another Burrow claims for ever is not believed for what is there');
$kafka->produce_many('new', count => 10, keys => 5);
wait_until_committed('new');
is(handled('new'), '20|20|10|29', 'nor for what comes');
is(refused('new'), 1, 'it is counted');
like($node->log_since($position), qr/what is committed for topic "new" partition 0 claims that offsets are done which the topic does not hold/, 'and logged');
like($node->log_since($position), qr/1 ranges of offsets were not believed\. The topic holds offsets 0 to 19/, 'with what the topic holds');

# the end is where a claim begins that is not made yet
topic('end', 10);
$kafka->commit('group-of-end', 'end', { 0 => 10 }, metadata('alo', $other, 0, 99));
subscribe('end');
$kafka->produce_many('end', count => 10, keys => 5);
wait_until_committed('end');
is(handled('end'), '10|10|10|19', 'a claim that begins with the end of the log: what comes is handled');

# ---- a claim that can be true counts

topic('true', 20);
$kafka->commit('group-of-true', 'true', { 0 => 10 }, metadata('alo', $other, 2, 2, 3, $for_ever));
subscribe('true');
wait_until_committed('true');
is($node->sql(q{SELECT string_agg("offset"::text, ',' ORDER BY "offset") FROM got WHERE topic = 'true'}), '10,11,15,16,17,18,19',
	'what another Burrow has done is not done again, whatever else is claimed');
is(refused('true'), 1, 'and one claim was refused');

# ---- a row, and the commit of another Burrow, or one that pretends to be ours

for my $delivery (qw(exactly_once at_least_once))
{
	my $topic = $delivery;
	topic($topic, 20);
	subscribe($topic, ", delivery => '$delivery'");
	wait_until_committed($topic);
	pause($topic);
	my $own = (split / /, $kafka->committed_metadata("group-of-$topic", $topic)->{0})[2];
	my $uuid = $delivery eq 'at_least_once' ? $own : $other;
	$kafka->commit("group-of-$topic", $topic, { 0 => 20 }, metadata('alo', $uuid, 1, $for_ever));
	$kafka->produce_many($topic, count => 10, keys => 5);
	is($node->sql("SELECT count(*), min(\"offset\"), max(\"offset\") FROM burrow.dry_run('$topic', 100)"), '10|20|29',
		"$delivery: a dry run has all of them");
	$node->sql("SELECT burrow.resume('$topic')");
	wait_until_committed($topic);
	$kafka->produce_many($topic, count => 10, keys => 5);
	wait_until_committed($topic);
	is(handled($topic), '40|40|0|39', "$delivery: all are handled, and once");
	is(refused($topic), 1, "$delivery: the claim was refused");
}

# ---- a claim does not hide what retention took

topic('gap', 20);
$kafka->delete_records('gap', { 0 => 10 });
$kafka->commit('group-of-gap', 'gap', { 0 => 5 }, metadata('alo', $other, 0, 9));
subscribe('gap');
$node->wait_for_state('gap', 'halted');
like($node->sql(q{SELECT error_message FROM burrow.subscriptions WHERE subscription = 'gap'}), qr/offset 5 of topic "gap" partition 0 is not in the topic/,
	'a claim up to beyond the start of the log: what is gone is missed all the same');

# ---- and any bytes

topic('bytes', 10);
my @bytes = ('burrow/1 alo', "burrow/1 alo $other", "burrow/1 alo $other ", "burrow/1 alo $other ====", metadata('alo', $other, 5),
	metadata('alo', $other, ($for_ever) x 40), metadata('alo', $other, map { 1 } 1 .. 2000), 'x' x 4000, "burrow/2 alo $other AAA=", '{"offset": 1}');
for my $i (0 .. $#bytes)
{
	$kafka->commit("group-of-bytes$i", 'bytes', { 0 => 9 }, $bytes[$i]);
	$node->sql("SELECT burrow.subscribe('bytes', 'keep', subscription => 'bytes$i', workers => 1, consumer_group => 'group-of-bytes$i')");
}
$kafka->wait_until_committed("group-of-bytes$_", 'bytes', diagnose => sub { $node->diagnostics }) foreach 0 .. $#bytes;
$kafka->produce_many('bytes', count => 5, keys => 5);
$kafka->wait_until_committed("group-of-bytes$_", 'bytes', diagnose => sub { $node->diagnostics }) foreach 0 .. $#bytes;
is($node->sql(q{SELECT string_agg(format('%s x %s', "offset", count), ',' ORDER BY "offset") FROM (SELECT "offset", count(*) FROM got WHERE topic = 'bytes' GROUP BY 1) AS g}),
	join(',', map { "$_ x " . @bytes } 9 .. 14), 'whatever the metadata is, each subscription handles each message after its offset');

$node->stop;
done_testing();
