# A member whose Kafka client finds no broker any more, while Kafka is well: librdkafka may come into that state, and does not
# come out of it by itself.  The consumer notices, ends, and the next one has new clients.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka, gate => 1);
$kafka->create_topic('orders', 2);
$node->sql(<<'SQL');
CREATE TABLE got (partition int, "offset" bigint);
CREATE FUNCTION keep(partition int, "offset" bigint) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES ($1, $2)';
SQL

# what the file does: test/kafka/gate.c
my $no_contact = $node->data_dir . '/burrow no contact';
PostgreSQL::Test::Utils::append_to_file($no_contact, '');
$kafka->produce('orders', { key => 'a', value => '1', partition => 0 });
$node->sql(q{SELECT burrow.subscribe('orders', 'keep')});
$node->wait_for_state('orders', 'running');
my ($silent) = $node->pids('consumer', 'orders');
$node->wait_for_log_line(qr/LOG:  subscription "orders": Kafka has not answered the member of the consumer group for 3\d s/, 0, timeout => 90);
unlink $no_contact or die "$no_contact: $!";
$node->wait_for('another consumer', "SELECT state = 'running' AND consumer_pid <> $silent FROM burrow.subscriptions");
$kafka->produce('orders', { key => 'b', value => '2', partition => 1 });
$node->wait_for('the second message', 'SELECT count(*) >= 2 FROM got');
$kafka->wait_until_committed($node->group_of('orders'), 'orders', diagnose => sub { $node->diagnostics });
is($node->sql('SELECT count(*) FROM got'), 2, 'each message was handled once');
is($node->sql('SELECT last_error IS NULL FROM burrow.subscriptions'), 't', 'nothing is wrong any more');

$node->stop;
done_testing();
