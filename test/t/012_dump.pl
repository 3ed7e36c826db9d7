# pg_dump takes subscriptions and progress along.  A restored one does not start by
# itself, and goes on where its data stands when it is resumed.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$kafka->create_topic('orders', 2);
$node->sql(<<'END');
CREATE ROLE clerk LOGIN;
GRANT ALL ON SCHEMA public TO clerk;
CREATE TABLE got (n int, partition int, "offset" bigint);
ALTER TABLE got OWNER TO clerk;
CREATE FUNCTION on_order(value jsonb, partition int, "offset" bigint) RETURNS void
LANGUAGE sql AS $$ INSERT INTO got VALUES ((value->>'n')::int, partition, "offset") $$;
GRANT EXECUTE ON FUNCTION burrow.subscribe TO clerk;
END
$node->sql(<<'END');
SET ROLE clerk;
SELECT burrow.subscribe('orders', 'on_order', workers => 2, kafka => '{"session.timeout.ms": 6000}');
END
$kafka->produce_many('orders', count => 100, keys => 10);
is($node->sql("SELECT burrow.wait_until_caught_up('orders')"), 't', 'caught up');
is($node->sql('SELECT count(DISTINCT n) FROM got'), '100', 'and all rows are there');
$node->sql("SELECT burrow.pause('orders')");
$node->wait_for_state('orders', 'paused');

my $dump = $node->basedir . '/dump.sql';
$node->command_ok(['pg_dump', "--file=$dump", $node->connstr('postgres')], 'pg_dump');
$node->sql('CREATE DATABASE restored');
$node->command_ok(['psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', "--file=$dump", $node->connstr('restored')], 'restored');

my $columns = 'subid, name, owner, topic, handler, handler_owner, consumer_group, uuid, status, options, dboid, system_identifier';
is($node->sql("SELECT $columns FROM burrow.subscription", 'restored'),
	$node->sql("SELECT $columns FROM burrow.subscription"), 'the subscription came along');
is($node->sql('TABLE burrow.progress ORDER BY partition, lane', 'restored'),
	$node->sql('TABLE burrow.progress ORDER BY partition, lane'), 'and its progress');
is($node->sql('SELECT sum(low) FROM (SELECT max(low) AS low FROM burrow.progress GROUP BY partition) p', 'restored'), '100', 'which is at the end');
is($node->sql("SELECT nextval('burrow.subscription_subid_seq') > max(subid) FROM burrow.subscription", 'restored'), 't', 'the numbers go on');
is($node->sql("SELECT has_function_privilege('clerk', 'burrow.subscribe'::regproc, 'EXECUTE')", 'restored'), 't', 'and the privileges');

# ---- the copy stands still, whatever its status was

$node->sql("UPDATE burrow.subscription SET status = 'enabled'", 'restored');
is($node->sql('SELECT state FROM burrow.subscriptions', 'restored'), 'disabled', 'a copy is disabled');
$kafka->produce_many('orders', count => 50, keys => 10);

# ---- the original goes away, and the copy takes over

$node->sql("SELECT burrow.unsubscribe('orders')");
$node->wait_for('the consumer to be gone', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type ~ '^burrow (consumer|worker)'");
my ($status, $out, $err) = $node->psql('restored', "SELECT burrow.resume('orders')");
like($err, qr/WARNING:  subscription "orders" was copied from another server or database and goes on in its consumer group/, 'resume warns');
is($node->sql("SELECT burrow.wait_until_caught_up('orders')", 'restored'), 't', 'the copy runs');
is($node->sql('SELECT count(*), count(DISTINCT (partition, "offset")) FROM got', 'restored'), '150|150', 'and did what was new, once');
is($node->sql('SELECT state FROM burrow.subscriptions', 'restored'), 'running', 'its state');

# ---- another copy beside it: another group, and another UUID

$node->sql("SELECT burrow.pause('orders')", 'restored');
$node->wait_for('the pause', "SELECT state = 'paused' FROM burrow.subscriptions", database => 'restored');
$node->sql('CREATE DATABASE beside TEMPLATE restored');
$node->sql("SELECT burrow.alter('orders', consumer_group => 'beside')", 'beside');
$node->sql("SELECT burrow.resume('orders')", $_) foreach 'restored', 'beside';
$kafka->produce_many('orders', count => 30, keys => 10);
for my $database ('restored', 'beside')
{
	is($node->sql("SELECT burrow.wait_until_caught_up('orders')", $database), 't', "$database caught up");
	is($node->sql('SELECT count(*), count(DISTINCT (partition, "offset")) FROM got', $database), '180|180', "$database has every message once");
}
is($kafka->lag('beside', 'orders'), 0, 'the new group has committed all');

$node->stop;
done_testing();
