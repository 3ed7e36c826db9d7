# A seek by time whose offsets cannot be stored is tried again, and no attempt keeps memory: with many partitions
# and long names each would be seen in what the consumer says of its memory.

use BurrowTest;

my $partitions = 300;
my $topic = 'long-' . 'x' x 200;
my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$kafka->create_topic($topic, $partitions);
$kafka->produce($topic, { partition => 7, value => 'one', timestamp => 1_700_000_000_000 });
$node->sql(<<"SQL");
CREATE TABLE got ("offset" bigint);
CREATE FUNCTION keep("offset" bigint) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES (\$1)';
SELECT burrow.subscribe('$topic', 'keep', subscription => 'sub', start_from => 'latest', commit_interval => '100 ms');
SQL
$node->wait_for('all partitions', "SELECT count(*) = $partitions FROM burrow.partitions");

# a sequence is not rolled back: it counts the attempts
$node->sql(<<'SQL');
CREATE SEQUENCE attempts;
GRANT USAGE ON SEQUENCE attempts TO PUBLIC;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM nextval('public.attempts');
    RAISE EXCEPTION 'not now';
END $$;
CREATE TRIGGER refuse BEFORE UPDATE ON burrow.subscription FOR EACH ROW
    WHEN (OLD.seek_time IS NOT NULL AND NEW.seek_time IS NULL) EXECUTE FUNCTION refuse();
SQL
$node->sql(q{SELECT burrow.seek('sub', '2023-11-01'::timestamptz)});

sub attempts
{
	my ($n) = @_;
	$node->wait_for("$n more attempts", "SELECT last_value >= $n + " . $node->sql('SELECT last_value FROM attempts') . ' FROM attempts');
	return;
}

# Bytes that the process uses, of all of its memory contexts.
sub used
{
	my ($pid) = @_;
	my $position = $node->log_position;
	$node->sql("SELECT pg_log_backend_memory_contexts($pid)");
	$node->wait_for_log_line(qr/Grand total: .* used/, $position);
	my ($bytes) = $node->log_since($position) =~ /\[$pid\].*Grand total: .* (\d+) used/;
	return $bytes;
}

attempts(2);
my $pid = $node->sql("SELECT consumer_pid FROM burrow.subscriptions WHERE subscription = 'sub'");
my $before = used($pid);
attempts(6);
my $grown = used($pid) - $before;
note("$before bytes, and $grown more");
# the names alone are more in one attempt
cmp_ok($grown, '<', $partitions * length($topic), 'six attempts keep less than one of them needs');
is($node->sql("SELECT consumer_pid FROM burrow.subscriptions WHERE subscription = 'sub'"), $pid, 'of one process');

$node->sql('DROP TRIGGER refuse ON burrow.subscription');
$node->wait_for('the message', 'SELECT count(*) = 1 FROM got');
$node->stop;
done_testing();
