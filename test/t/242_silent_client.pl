# A Kafka client that finds no broker any more: librdkafka may come into that state, and does not come out of it by itself.
# A consumer whose member is in it ends, and the next one has new clients: soon, while Kafka is well, and once, when nothing
# has answered for long.  A producer of dead letters is replaced.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka, gate => 1);
$kafka->create_topic('orders', 2);
$kafka->create_topic($_, 1) foreach qw(bad bad.dead);
$node->sql(<<'SQL');
CREATE TABLE got (partition int, "offset" bigint);
CREATE FUNCTION keep(partition int, "offset" bigint) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES ($1, $2)';
CREATE FUNCTION fail(value text) RETURNS void LANGUAGE plpgsql AS 'BEGIN RAISE ''no''; END';
SQL

# what the files do: test/kafka/gate.c
my ($no_contact, $dead_producer, $clock) = map { $node->data_dir . "/burrow $_" } 'no contact', 'dead producer', 'clock';

# The clock of the consumer of "orders" is fast.
sub advance_clock
{
	my ($seconds) = @_;
	my ($pid) = $node->pids('consumer', 'orders');
	PostgreSQL::Test::Utils::append_to_file("$clock.new", "$pid $seconds\n");
	rename "$clock.new", $clock or die "$clock: $!";
	return $pid;
}

# Until its client was asked so often, and told that it reaches nothing, but for the last time.
sub wait_until_asked
{
	my ($times) = @_;
	my $before = -s $no_contact;
	wait_until('the member\'s client to be asked', sub { -s $no_contact >= $before + $times });
	return;
}

PostgreSQL::Test::Utils::append_to_file($_, '') foreach $no_contact, $dead_producer;
$kafka->produce('orders', { key => 'a', value => '1', partition => 0 });
$kafka->produce('bad', { value => '1' });
$node->sql(q{SELECT burrow.subscribe('orders', 'keep'), burrow.subscribe('bad', 'fail', max_retries => 0, on_failure => 'dead_letter', dead_letter_topic => 'bad.dead')});

# ---------------------------------------------------------------- a member, while Kafka is well

$node->wait_for_state('orders', 'running');
wait_until_asked(2);
my $silent = advance_clock(31);
$node->wait_for_log_line(qr/LOG:  subscription "orders": Kafka has not answered the member of the consumer group for \d+ s/);
unlink $no_contact or die "$no_contact: $!";
$node->wait_for('another consumer', "SELECT state = 'running' AND consumer_pid <> $silent FROM burrow.subscriptions WHERE subscription = 'orders'");
$kafka->produce('orders', { key => 'b', value => '2', partition => 1 });
$node->wait_for('the second message', 'SELECT count(*) >= 2 FROM got');
$kafka->wait_until_committed($node->group_of('orders'), 'orders', diagnose => sub { $node->diagnostics });
is($node->sql('SELECT count(*) FROM got'), 2, 'each message was handled once');
is($node->sql(q{SELECT last_error IS NULL FROM burrow.subscriptions WHERE subscription = 'orders'}), 't', 'nothing is wrong any more');

# ---------------------------------------------------------------- a producer, while Kafka is well

$node->wait_for_log_line(qr/LOG:  subscription "bad": Kafka has not answered the producer of dead letters\n.*DETAIL:  Another producer is made, with new connections\./);
unlink $dead_producer or die "$dead_producer: $!";
$node->wait_for('the dead letter to be produced', 'SELECT count(produced_at) = 1 FROM burrow.dead_letters');
is(scalar(() = $kafka->read_topic('bad.dead')), 1, 'another producer has produced the dead letter');
$node->wait_for_state('bad', 'running');
$node->sql(q{SELECT burrow.unsubscribe('bad')});

# ---------------------------------------------------------------- a member, while nothing answers

PostgreSQL::Test::Utils::append_to_file($no_contact, '');
$kafka->stop;
$node->wait_for_state('orders', 'retrying');
wait_until_asked(2);
my $position = $node->log_position;
$silent = advance_clock(301);
$node->wait_for_log_line(qr/LOG:  subscription "orders": Kafka has not answered the member of the consumer group for 3\d\d s/, $position);
$node->wait_for('another consumer', "SELECT consumer_pid <> $silent FROM burrow.subscriptions WHERE subscription = 'orders'");
unlink $no_contact or die "$no_contact: $!";
$kafka->start;
$kafka->produce('orders', { key => 'a', value => '3', partition => 0 });
$node->wait_for('the third message', 'SELECT count(*) >= 3 FROM got');
is($node->sql('SELECT count(*) FROM got'), 3, 'each message was handled once');

$node->stop;
done_testing();
