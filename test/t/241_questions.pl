# The consumer does not stand still for a question to Kafka: while one is not answered, messages are handled and
# Kafka is told.  For where a partition ends, 226 shows it.  On a librdkafka that tells topics' ids: the one that the
# tests' Python brings.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka, gate => 1, libraries => recent_librdkafka());
$node->sql(<<'SQL');
CREATE TABLE got (partition int, "offset" bigint);
CREATE FUNCTION keep(partition int, "offset" bigint) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES ($1, $2)';
SQL
$kafka->create_topic('runs', 1);
my $producer = $kafka->open_producer('runs');
my $group;
my $given = 0;

# Messages come, are handled and committed, and more come then: none of it waits.
sub goes_on
{
	my ($what) = @_;
	for my $round (1 .. 2)
	{
		$kafka->give($producer, map { { value => "m$_", partition => 0 } } 1 .. 5);
		$given += 5;
		$node->wait_for("messages: $what", "SELECT count(*) = $given FROM got");
		wait_until("a commit: $what", sub { return ($kafka->committed($group, 'runs')->{0} // 0) == $given }, diagnose => sub { $node->diagnostics });
	}
	pass("messages are handled and committed while Kafka has not answered: $what");
	return;
}

# ---- is there a broker?  A new member asks.
$node->close_gate('contact');
$node->sql(q[SELECT burrow.subscribe('runs', 'keep', commit_interval => '100 ms')]);
$group = $node->group_of('runs');
$node->wait_at_gate;
goes_on('whether there is a broker');
is($node->sql('SELECT state FROM burrow.subscriptions'), 'running', '... and nothing is wrong');
$node->open_gate;

# ---- the ids of topics, of which those that run are asked from time to time
my $lost = $node->data_dir . '/burrow lost ids';
PostgreSQL::Test::Utils::append_to_file($lost, '');
$node->wait_for('a question for ids', sub { return -s $lost });
goes_on('the ids of topics');
is($node->sql('SELECT state FROM burrow.subscriptions'), 'running', '... and nothing is wrong');

$node->stop;
done_testing();
