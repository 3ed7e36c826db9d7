# Timestamps of messages at the ends of what Kafka and PostgreSQL can hold: those before 1970 are
# right, what PostgreSQL cannot hold is an error of its message and of nothing else, and no view, position or
# look-up takes it for another time.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka', config => {
		# brokers would refuse times to come
		'log.message.timestamp.after.max.ms' => '9223372036854775807', 'log.message.timestamp.before.max.ms' => '9223372036854775807' });
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
ALTER DATABASE postgres SET timezone = 'UTC';
CREATE TABLE got (topic text, "offset" bigint, "timestamp" timestamptz);
CREATE FUNCTION keep(topic text, "offset" bigint, "timestamp" timestamptz) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES ($1, $2, $3)';
CREATE FUNCTION without(topic text, "offset" bigint) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES ($1, $2)';
SQL

my @times = (
	# milliseconds, and what PostgreSQL makes of them; undef: it cannot hold it
	[-2, '1969-12-31 23:59:59.998+00'],
	[-1001, '1969-12-31 23:59:58.999+00'],
	[-86_400_000, '1969-12-31 00:00:00+00'],
	['-62135596800000', '0001-01-01 00:00:00+00'],
	['-210866803200000', '4714-11-24 00:00:00+00 BC'],
	['-210866803200001', undef],
	['-9223372036854775807', undef],
	['9224318015999999', '294276-12-31 23:59:59.999+00'],
	['9224318016000000', undef],
	['9223372036854775807', undef],
	[1_700_000_000_000, '2023-11-14 22:13:20+00'],
);

sub subscribe
{
	my ($topic, $handler, $options) = @_;
	$node->sql("SELECT burrow.subscribe('$topic', '$handler', commit_interval => '100 ms', on_failure => 'dead_letter', max_retries => 0" . ($options // '') . ')');
	return;
}
sub caught_up { my ($topic) = @_; return is($node->sql("SELECT burrow.wait_until_caught_up('$topic')"), 't', "$topic: caught up") }

$kafka->create_topic('times', 1);
# one transaction of the log's each, so that none is taken for the others' first
$kafka->produce('times', { value => "$_->[0]", partition => 0, timestamp => $_->[0] }) foreach @times;
subscribe('times', 'keep');
caught_up('times');
for my $i (0 .. $#times)
{
	my ($ms, $expected) = @{ $times[$i] };
	my $got = $node->sql(qq{SELECT (SELECT "timestamp" FROM got WHERE topic = 'times' AND "offset" = $i), (SELECT sqlstate || ' ' || message || coalesce("timestamp"::text, '') FROM burrow.dead_letters WHERE topic = 'times' AND "offset" = $i)});
	is($got, defined $expected ? "$expected|" : "|22008 message timestamp out of range: $ms ms", "$ms ms");
}
is($node->sql(q{SELECT last_message_at FROM burrow.partitions WHERE topic = 'times'}), '294276-12-31 23:59:59.999+00', 'the newest of those that can be held is shown');
like($node->sql(q{SELECT lag_seconds FROM burrow.stats WHERE subscription = 'times'}), qr/^0$/, 'and the lag is none');
$node->sql(q{SELECT burrow.discard_dead_letters('times')});

# ---- each as the last message of a position: kept with it, or left out, and believed at the next start
for my $i (0 .. $#times)
{
	my ($ms, $expected) = @{ $times[$i] };
	my $topic = "seen$i";
	$kafka->create_topic($topic, 1);
	$kafka->produce($topic, { value => 'x', partition => 0, timestamp => $ms });
	subscribe($topic, 'without');
	caught_up($topic);
	$node->sql("SELECT burrow.pause('$topic')");
	$node->wait_for_state($topic, 'paused');
	is($node->sql("SELECT seen_offset, seen_time FROM burrow.progress WHERE topic = '$topic' AND lane = -1"), defined $expected ? "0|$expected" : '|', "position after $ms ms");
	$kafka->produce($topic, { value => 'y', partition => 0, timestamp => 1_700_000_000_000 });
	$node->sql("SELECT burrow.resume('$topic')");
	caught_up($topic);
	is($node->sql("SELECT count(*) FROM got WHERE topic = '$topic'"), 2, "$ms ms: goes on");
	$node->sql("SELECT burrow.unsubscribe('$topic')");
}

# ---- a message before 1970 tells a topic that was made anew, too
$kafka->create_topic('anew', 1);
$kafka->produce('anew', { value => 'x', partition => 0, timestamp => -1001 });
subscribe('anew', 'without');
caught_up('anew');
$node->sql(q{SELECT burrow.pause('anew')});
$node->wait_for_state('anew', 'paused');
$kafka->delete_topic('anew');
wait_until('the topic to be made anew', sub { return eval { $kafka->create_topic('anew', 1); 1 } });
$kafka->produce('anew', map { { value => 'z', partition => 0, timestamp => -5000 } } 1 .. 3);
$node->sql(q{SELECT burrow.resume('anew')});
$node->wait_for_state('anew', 'halted');
my $how = $node->knows_topic_ids ? qr/^The topic's id is \S+, and was \S+ when it was read\.$/ : qr/has timestamp -5000, and had -1001 when it was read/;
like($node->sql(q{SELECT error_detail FROM burrow.subscriptions WHERE subscription = 'anew'}), $how, 'made anew: halt');

# ---- the last time that PostgreSQL holds, asked for: no message has it, or a later one
$kafka->create_topic('late', 1);
$kafka->produce('late', { value => 'x', partition => 0, timestamp => 1_700_000_000_000 });
subscribe('late', 'keep', ", start_from => '294276-12-31 23:59:59.999999+00'");
$node->wait_for_state('late', 'running');
caught_up('late');
$node->sql(q{SELECT burrow.seek('late', '294276-12-31 23:59:59.999999+00'::timestamptz)});
# it becomes offsets first, and those are done then
$node->wait_for('the seek to be done', q{SELECT seek_time IS NULL AND NOT EXISTS (SELECT FROM burrow.pending_seek) FROM burrow.subscription WHERE name = 'late'});
$kafka->produce('late', { value => 'y', partition => 0, timestamp => 1_700_000_000_000 });
caught_up('late');
is($node->sql(q{SELECT string_agg("offset"::text, ' ') FROM got WHERE topic = 'late'}), '1', 'the end, and not the beginning');
like($node->sql_error(q{SELECT burrow.seek('late', '1969-12-31 23:59:59.999+00'::timestamptz)}), qr/Kafka's times begin at 1970/, 'no question has a time before 1970');

$node->stop;
done_testing();
