# The gap scenario: messages 0 to 4 complete in the order 0, 2, 4, 1, 3, each in a worker of
# its own.  Kafka's committed offset (next to read) goes 1, 1, 1, 3, 5: it never passes a
# message that is not done, and jumps when a gap is closed.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$kafka->create_topic('gap', 1);

# message n waits until nobody holds advisory lock n
$node->sql(<<'SQL');
CREATE TABLE got ("offset" bigint);
CREATE FUNCTION wait_for_turn("offset" bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock("offset");
    INSERT INTO got VALUES ("offset");
END $$;
SQL

my @session = map { $node->background_psql('postgres') } 0 .. 4;
$session[$_]->query_safe("SELECT pg_advisory_lock($_)") foreach 0 .. 4;

$node->sql(<<'SQL');
SELECT burrow.subscribe('gap', 'wait_for_turn', workers => 5, batch_size => 1,
    commit_batch_size => 1, commit_interval => '100 ms')
SQL
my $group = $node->group_of('gap');
$kafka->produce('gap', map { { key => "k$_", value => 'x' } } 0 .. 4);
$node->wait_for('five workers to have a message each',
	"SELECT count(*) = 5 FROM burrow.workers WHERE state = 'running'");

my %expected = (0 => 1, 2 => 1, 4 => 1, 1 => 3, 3 => 5);
for my $n (0, 2, 4, 1, 3)
{
	$session[$n]->quit;
	$node->wait_for("message $n to be done", "SELECT count(*) = 1 FROM got WHERE \"offset\" = $n");
	# done is done when the consumer has seen it too
	my $left = 4 - $node->sql('SELECT count(*) FROM got') + 1;
	$node->wait_for("$left workers to be busy", "SELECT count(*) = $left FROM burrow.workers WHERE state = 'running'");
	$node->wait_for("the committed offset to be $expected{$n}",
		"SELECT committed = $expected{$n} FROM burrow.partitions");
	is($kafka->committed($group, 'gap')->{0}, $expected{$n}, "after message $n Kafka's offset is $expected{$n}");
	is($node->sql('SELECT processed FROM burrow.partitions'), $expected{$n}, "and so is the head");
}

like($kafka->committed_metadata($group, 'gap')->{0}, qr/^burrow\/1 eo [0-9a-f-]{36}$/, 'the commit carries mode and UUID');

$node->stop;
done_testing();
