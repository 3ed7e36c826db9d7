# A standby does nothing; promoted, it goes on where its data is.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $primary = BurrowTest::Node->create('primary', kafka => $kafka, init => [allows_streaming => 1]);

$kafka->create_topic('orders', 4);
$primary->sql(<<'END');
CREATE TABLE got (n int);
CREATE FUNCTION on_order(value jsonb) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES ((value->>''n'')::int)';
SELECT burrow.subscribe('orders', 'on_order', kafka => '{"session.timeout.ms": 6000}');
END
$primary->wait_for_state('orders', 'running');

$primary->backup('copy');
my $standby = BurrowTest::Node->new('standby');
$standby->init_from_backup($primary, 'copy', has_streaming => 1);
$standby->start;

my $burrow = "SELECT count(*) FROM pg_stat_activity WHERE backend_type ~ '^burrow'";

$kafka->produce_many('orders', count => 500, keys => 20);
$primary->wait_for('500 rows', 'SELECT count(*) = 500 FROM got');
# workers commit asynchronously: what is visible may not have been written yet
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
is($standby->sql('SELECT count(*) FROM got'), '500', 'the standby has what the primary has handled');
is($standby->sql($burrow), '0', 'and none of Burrow\'s processes');
is($standby->sql('SELECT subscription, consumer_pid FROM burrow.subscriptions'), 'orders|',
	'it shows the subscription, without a consumer');
like($standby->sql_error("SELECT burrow.pause('orders')"), qr/25006: /, 'and cannot change it');
like($standby->sql_error("SELECT burrow.$_"), qr/55000: burrow\.\w+\(\) is not available during recovery.*HINT:  Burrow works on the primary: call it there\./s, "burrow.$_ says where it works")
	foreach q{peek('orders')}, 'topics()', 'check_connection()';

# The standby becomes the primary.
$kafka->wait_until_committed($primary->group_of('orders'), 'orders');
$primary->stop;
my $position = $standby->log_position;
$standby->promote;
$standby->wait_for_log_line(qr/burrow launcher started/, $position);
$standby->wait_for_state('orders', 'running');
pass('promotion starts the launcher, and that the subscription');

$kafka->produce_many('orders', count => 500, keys => 20, first => 500);
$standby->wait_for('the next 500 rows', 'SELECT count(DISTINCT n) = 1000 FROM got');
is($standby->sql('SELECT count(*), min(n), max(n) FROM got'), '1000|0|999', 'each message was handled once');
$kafka->wait_until_committed($standby->group_of('orders'), 'orders');
$standby->stop;
done_testing();
