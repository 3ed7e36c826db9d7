# One of three brokers is down, and some partitions with it: all others are consumed, whatever the
# consumer has to ask for at its start, and why_stuck() says of which partitions it waits.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka', brokers => 3);
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
CREATE TABLE got (topic text, partition int, "offset" bigint);
CREATE FUNCTION keep(topic text, partition int, "offset" bigint) RETURNS void LANGUAGE sql AS
  'INSERT INTO got VALUES (topic, partition, "offset")';
SQL

my @alive = (0, 1, 3, 4);
my @away = (2, 5);

sub subscribe
{
	my ($topic, $options) = @_;
	$node->sql("SELECT burrow.subscribe('$topic', 'keep', commit_interval => '200 ms' $options)");
	return;
}

sub produce
{
	my ($topic, @partitions) = @_;
	$kafka->produce($topic, map { { partition => $_, value => 'x' } } @partitions);
	return;
}

sub wait_for_rows
{
	my ($topic, $rows, $what) = @_;
	$node->wait_for("$rows rows of $topic: $what", "SELECT count(*) = $rows FROM got WHERE topic = '$topic'");
	is($node->sql("SELECT count(DISTINCT (partition, \"offset\")) FROM got WHERE topic = '$topic'"), $rows, $what);
	return;
}

sub wait_for_reason
{
	my ($topic) = @_;
	$node->wait_for("the reason of $topic", <<"SQL");
SELECT bool_and(cause ~ 'cannot be started' AND topic = '$topic' AND partition IN (2, 5) AND error ~ 'Leader not available') AND count(*) = 1
FROM burrow.why_stuck('$topic')
SQL
	return;
}

my @topics = qw(read first sought latest);
$kafka->create_topic_on($_, 1, 2, 3, 1, 2, 3) foreach @topics;
for my $topic (qw(read sought))
{
	produce($topic, 0 .. 5);
	subscribe($topic, '');
	wait_for_rows($topic, 6, 'all partitions while all brokers are there');
	$kafka->wait_until_committed($node->group_of($topic), $topic, diagnose => sub { $node->diagnostics });
	$node->sql("SELECT burrow.pause('$topic')");
	$node->wait_for_state($topic, 'paused');
}
produce('first', 0 .. 5);
produce('latest', 0 .. 5);

$kafka->kill(3);
$kafka->wait_for_leaderless($_, @away) foreach @topics;

# ---- one that was consumed before: positions are compared with the log's bounds and last messages
produce('read', @alive);
$node->sql(q{SELECT burrow.resume('read')});
wait_for_rows('read', 10, 'after a new start those partitions are read that have a leader');
wait_for_reason('read');
like($node->sql($node->sql(q{SELECT next_statement FROM burrow.why_stuck('read')})), qr/^read\|read\|0\|/, 'the statement shows those that go on');
is($node->sql(q{SELECT state, last_error IS NOT NULL FROM burrow.subscriptions WHERE subscription = 'read'}), 'running|t',
	'it runs');
is($node->sql(q{SELECT string_agg(partition::text, ',' ORDER BY partition) FROM burrow.partitions WHERE topic = 'read'}), '0,1,3,4',
	'the view has those that are read');
is($node->sql(q{SELECT burrow.wait_until_caught_up('read', timeout => '100 ms')}), 'f', 'and it has not caught up');
produce('read', @alive);
wait_for_rows('read', 14, 'they go on');

# ---- one that is new: where the log begins is looked up
subscribe('first', '');
wait_for_rows('first', 4, 'a first start');
wait_for_reason('first');

# ---- one that is moved: what is to be moved is looked at before the group is joined
$node->sql(qq{SELECT burrow.seek('sought', 'sought', $_, 0)}) foreach 0, 2;
produce('sought', 1);

# a dry run has what can be had, and says what it leaves out
my ($status, $out, $err) = $node->psql('postgres', q{SELECT string_agg(format('%s:%s', partition, "offset"), ' ' ORDER BY partition) FROM burrow.dry_run('sought', 20)});
is("$status $out", '0 0:0 1:1', 'a dry run has the messages of the others');
like($err, qr/WARNING: +2 of 6 partitions are left out\nDETAIL: +Topic "sought" partition 2: could not look up where partitions start: .*\.$/, 'and says which it leaves out');

$node->sql(q{SELECT burrow.resume('sought')});
$node->wait_for('the message of the moved partition again, and the new one of another',
	q{SELECT count(*) = 8 FROM got WHERE topic = 'sought'});
wait_for_reason('sought');

# ---- "latest" is one moment for all partitions
subscribe('latest', q{, start_from => 'latest'});
wait_for_reason('latest');
is($node->sql(q{SELECT count(*) FROM burrow.partitions WHERE topic = 'latest'}), 0, 'latest: nothing is begun before all is known');

# ---- the broker is back
$kafka->start;
$kafka->wait_for_leaderless($_) foreach @topics;
$node->wait_for('all partitions of all to be there', 'SELECT count(*) = 24 FROM burrow.partitions');
produce($_, 0 .. 5) foreach @topics;
wait_for_rows('read', 20, 'all partitions, each message once');
wait_for_rows('first', 12, 'the same from the beginning');
wait_for_rows('latest', 6, 'only what is new');
$node->wait_for('the moved ones again', q{SELECT count(*) = 15 FROM got WHERE topic = 'sought'});
is($node->sql(q{SELECT string_agg(format('%s:%s', partition, n), ',' ORDER BY partition) FROM (SELECT partition, count(*) AS n FROM got WHERE topic = 'sought' GROUP BY partition) g}),
	'0:3,1:3,2:3,3:2,4:2,5:2', 'moved: those from the beginning, the others on');
$kafka->wait_until_committed($node->group_of($_), $_, diagnose => sub { $node->diagnostics }) foreach @topics;
is($node->sql("SELECT count(*) FROM unnest('{read,first,sought,latest}'::text[]) t CROSS JOIN LATERAL burrow.why_stuck(t)"), 0, 'nothing holds them up');

$node->stop;
done_testing();
