# A topic that is deleted soon after the client has begun to use it, on a recent librdkafka, which would
# believe for another half a minute that it is there: it is noticed as on the system's.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka, libraries => recent_librdkafka());
$node->sql(<<'SQL');
CREATE TABLE got (topic text, "offset" bigint);
CREATE FUNCTION keep(topic text, "offset" bigint) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES ($1, $2)';
SQL

sub rows { my ($topic) = @_; return $node->sql("SELECT count(*) FROM got WHERE topic = '$topic'") }
sub halt_text { my ($topic) = @_; return $node->sql("SELECT error_message FROM burrow.subscriptions WHERE subscription = '$topic'") }

sub subscribed
{
	my ($topic) = @_;
	$kafka->create_topic($topic, 1);
	$kafka->produce_many($topic, count => 20, keys => 5);
	$node->sql("SELECT burrow.subscribe('$topic', 'keep', commit_interval => '100 ms')");
	$node->wait_for_state($topic, 'running');
	is($node->sql("SELECT burrow.wait_until_caught_up('$topic')"), 't', "$topic: caught up");
	return;
}

# ---- made anew as soon as it was noticed, and longer than the position
subscribed('replaced');
$kafka->delete_topic('replaced');
$node->wait_for_state('replaced', 'retrying', timeout => 20 * slow_by());
wait_until('the topic to be made anew', sub { return eval { $kafka->create_topic('replaced', 1); 1 } });
$kafka->produce_many('replaced', count => 40, keys => 5);
$node->wait_for_state('replaced', 'halted');
like(halt_text('replaced'), qr/^topic "replaced" partition 0 was made anew/, 'made anew: halt');
is(rows('replaced'), 20, 'nothing of the new topic was read or skipped');

# ---- for good
subscribed('deleted');
$kafka->delete_topic('deleted');
$node->wait_for_state('deleted', 'halted', timeout => 30 * slow_by());
is(halt_text('deleted'), 'topic "deleted" does not exist any more', 'deleted: halt');

$node->stop;
done_testing();
