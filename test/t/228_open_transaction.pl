# Messages behind a transaction that is open: burrow.partitions counts them and says since when,
# burrow.why_stuck() names the cause, and burrow.wait_until_caught_up() is about what can be read, and says so.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
CREATE TABLE got (topic text, "offset" bigint);
CREATE FUNCTION keep(topic text, "offset" bigint) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES ($1, $2)';
SQL

sub messages { my ($n) = @_; return map { { value => "m$_", partition => 0 } } 1 .. $n }
sub rows { my ($topic) = @_; return $node->sql("SELECT count(*) FROM got WHERE topic = '$topic'") }

# what burrow.partitions says, once it says it
sub wait_for_partition
{
	my ($topic, $expected) = @_;
	$node->wait_for("$topic: $expected",
		"SELECT concat_ws(' ', end_offset, high_watermark, lag, behind_transaction, behind_transaction_since IS NOT NULL) = '$expected' FROM burrow.partitions WHERE topic = '$topic'",
		timeout => 60);
	pass("$topic: $expected");
	return;
}

sub wait_until_caught_up
{
	my ($topic) = @_;
	my ($status, $out, $err) = $node->psql('postgres', "SELECT burrow.wait_until_caught_up('$topic')");
	return "$out $err";
}

for my $how (qw(commit abort))
{
	$kafka->create_topic($how, 1);
	$kafka->produce($how, messages(3));
	$node->sql("SELECT burrow.subscribe('$how', 'keep', commit_interval => '100 ms')");
	is(wait_until_caught_up($how), 't ', "$how: caught up");
	wait_for_partition($how, '3 3 0 0 f');

	my $transaction = $kafka->open_transaction($how, messages(2));
	$kafka->produce($how, messages(8));
	wait_for_partition($how, '3 13 0 10 t');
	is(rows($how), 3, 'none of them is handled');
	like(wait_until_caught_up($how), qr/^t .*NOTICE: .*subscription "$how" has 10 offsets behind a transaction that is open/s, 'what can be read is handled, and the rest is told of');
	$node->wait_for('why_stuck() to say so', "SELECT count(*) = 1 FROM burrow.why_stuck('$how') WHERE cause = '10 offsets wait behind a producer''s transaction that is open' AND topic = '$how' AND partition = 0 AND \"offset\" = 3 AND since < clock_timestamp()");
	my $statement = $node->sql("SELECT next_statement FROM burrow.why_stuck('$how')");
	like($node->sql($statement), qr/^$how\|0\|3\|13\|/, 'and to show where');

	$kafka->end_transaction($transaction, $how, $how);
	is(wait_until_caught_up($how), 't ', "$how: caught up, and nothing waits any more");
	is(rows($how), $how eq 'commit' ? 13 : 11, "$how: the others are handled");
	wait_for_partition($how, '14 14 0 0 f');
	is($node->sql("SELECT count(*) FROM burrow.why_stuck('$how')"), 0, 'nothing holds it up');
}

# ---- who reads uncommitted messages waits for none
$kafka->create_topic('uncommitted', 1);
$node->sql(q{SELECT burrow.subscribe('uncommitted', 'keep', commit_interval => '100 ms', kafka => '{"isolation.level": "read_uncommitted"}')});
my $transaction = $kafka->open_transaction('uncommitted', messages(2));
$kafka->produce('uncommitted', messages(8));
is(wait_until_caught_up('uncommitted'), 't ', 'uncommitted: caught up');
is(rows('uncommitted'), 10, 'all are handled');
wait_for_partition('uncommitted', '10 10 0 0 f');
$kafka->end_transaction($transaction, 'commit', 'uncommitted');

$node->stop;
done_testing();
