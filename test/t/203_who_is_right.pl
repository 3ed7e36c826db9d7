# Where a partition starts when Kafka and the database disagree: a test for each row of the
# table in src/core/start_position.h.  Resets are made by Kafka's own program, while the
# subscription is paused.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
CREATE TABLE got (topic text, "offset" bigint);
CREATE FUNCTION keep(topic text, "offset" bigint) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES ($1, $2)';
SQL

my ($topic, $group);

# A topic with 20 messages that are handled and committed, and its subscription paused.
sub paused
{
	my ($name, $options) = @_;
	$topic = $name;
	$kafka->create_topic($topic, 1);
	$kafka->produce_many($topic, count => 20, keys => 5);
	$node->sql("SELECT burrow.subscribe('$topic', 'keep', workers => 2" . ($options // '') . ')');
	$group = $node->group_of($topic);
	$kafka->wait_until_committed($group, $topic, diagnose => sub { $node->diagnostics });
	$node->sql("SELECT burrow.pause('$topic')");
	$node->wait_for_state($topic, 'paused');
	wait_until("the group of $topic to be empty", sub { return !$kafka->group_members($group) });
	$node->sql('TRUNCATE got');
	return;
}

# Ten more messages, and what is handled after the subscription went on.
sub handled_after_resume
{
	$kafka->produce_many($topic, count => 10, keys => 5);
	$node->sql("SELECT burrow.resume('$topic')");
	$kafka->wait_until_committed($group, $topic, diagnose => sub { $node->diagnostics });
	my $handled = $node->sql('SELECT count(*), min("offset"), max("offset") FROM got');
	$node->sql("SELECT burrow.unsubscribe('$topic')");
	return $handled;
}

paused('row1', ", start_from => 'latest'");
is(handled_after_resume(), '10|20|29', '1: neither knows anything: start_from, once; and then they agree');

paused('row2');
$kafka->delete_group($group);
is(handled_after_resume(), '10|20|29', '2: the group was deleted: the database is right');

paused('row3');
my $position = $node->log_position;
$node->sql('DELETE FROM burrow.progress');
is(handled_after_resume(), '10|20|29', '3: the database has no row: Kafka is right');
like($node->log_since($position), qr/topic "row3" partition 0 starts at offset 20 of Kafka's/, 'and the log says so');

paused('row4');
$node->sql(q{DELETE FROM burrow.progress WHERE lane >= 0; UPDATE burrow.progress SET low = 12});
is(handled_after_resume(), '18|12|29', '4: our own commit is ahead: the database is right');

paused('row5', ", delivery => 'at_least_once'");
like($kafka->committed_metadata($group, $topic)->{0}, qr/^burrow\/1 alo /, '5: a commit of at_least_once');
$node->sql('UPDATE burrow.progress SET low = 12');
is(handled_after_resume(), '10|20|29', '5: and the row is stale: Kafka is right');

my $other = 'burrow/1 eo 00000000-0000-4000-8000-000000000000';
paused('row6');
$kafka->produce_many($topic, count => 5, keys => 5);
$kafka->commit($group, $topic, { 0 => 22 }, $other);
is($kafka->committed_metadata($group, $topic)->{0}, $other, '6: the commit of another Burrow');
is(handled_after_resume(), '13|22|34', '6: is ahead: what it did is done');
paused('row6b');
$kafka->commit($group, $topic, { 0 => 7 }, $other);
is(handled_after_resume(), '10|20|29', '6: is behind: the database is right');

paused('row7');
$kafka->produce_many($topic, count => 5, keys => 5);
$position = $node->log_position;
$kafka->reset_by_kafka($group, $topic, 23);
is(handled_after_resume(), '12|23|34', '7: reset beyond the row: Kafka is right');
like($node->log_since($position), qr/topic "row7" partition 0 starts at offset 23 of Kafka's/, 'and the log says so');

paused('row8');
$kafka->reset_by_kafka($group, $topic, 5);
$node->sql("SELECT burrow.resume('$topic')");
$node->wait_for_state($topic, 'halted');
like($node->sql("SELECT error_message FROM burrow.subscriptions WHERE subscription = '$topic'"),
	qr/committed offset 5 of topic "row8" partition 0 is behind the database's position 20/, '8: reset behind the row: halt, with both numbers');
is($node->sql('SELECT count(*) FROM got'), 0, 'and nothing is handled');
wait_until("the group of $topic to be empty", sub { return !$kafka->group_members($group) });
$kafka->reset_by_kafka($group, $topic, 20);
is(handled_after_resume(), '10|20|29', 'a reset to the position and resume end the halt');

# changes of delivery, with messages done beyond a gap
$kafka->create_topic('change', 1);
$node->sql(<<'SQL');
CREATE TABLE forbidden (n bigint);
CREATE FUNCTION check_first("offset" bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM forbidden f WHERE f.n = "offset") THEN RAISE EXCEPTION 'no'; END IF;
    INSERT INTO got VALUES ('change', "offset");
END $$;
TRUNCATE got;
INSERT INTO forbidden VALUES (2);
SQL
$kafka->produce('change', map { { key => "k$_", value => 'x' } } 0 .. 4);
$node->sql("SELECT burrow.subscribe('change', 'check_first', workers => 1)");
$node->wait_for_state('change', 'halted');
is($node->sql('SELECT string_agg("offset"::text, \',\' ORDER BY "offset") FROM got'), '0,1,3,4', 'message 2 is halted for, the others are done');
my $gap = $node->group_of('change');
for my $delivery (qw(at_least_once exactly_once at_least_once))
{
	$node->crash;
	$node->start;
	$node->sql("SELECT burrow.alter('change', delivery => '$delivery')");
	$node->sql("SELECT burrow.resume('change')");
	$node->wait_for('the next attempt', 'SELECT messages_failed >= 1 FROM burrow.stats WHERE subscription = \'change\'');
	$node->wait_for_state('change', 'halted');
	is($node->sql('SELECT count(*) FROM got'), 4, "after a crash and a change to $delivery, 2 is tried again and no other");
	cmp_ok($kafka->committed($gap, 'change')->{0}, '<=', 2, "and Kafka's offset has not passed it");
}
$node->sql("DELETE FROM forbidden; SELECT burrow.resume('change')");
$kafka->wait_until_committed($gap, 'change', diagnose => sub { $node->diagnostics });
is($node->sql('SELECT string_agg("offset"::text, \',\' ORDER BY "offset") FROM got'), '0,1,2,3,4', 'each once in the end');

$node->stop;
done_testing();
