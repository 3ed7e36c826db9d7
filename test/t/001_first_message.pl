# The first of all promises: a message goes from Kafka through a function of the
# user's into a table, and Kafka learns that it was processed.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);

$kafka->create_topic('orders', 2);
$node->sql(<<'END');
CREATE TABLE got (n int, key text, partition int, "offset" bigint);
CREATE FUNCTION on_order(key text, value jsonb, partition int, "offset" bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO got VALUES ((value->>'n')::int, key, partition, "offset");
END $$;
END

is($node->sql("SELECT burrow.subscribe('orders', 'on_order', kafka => '{\"session.timeout.ms\": 6000}')"),
	'orders', 'subscribe returns the name');
my $group = $node->group_of('orders');

$kafka->produce_many('orders', count => 100, keys => 10);
$node->wait_for('100 rows', 'SELECT count(*) = 100 FROM got');
is($node->sql('SELECT count(DISTINCT n), min(n), max(n) FROM got'), '100|0|99', 'every message has its row');
is($node->sql("SELECT count(*) FROM got WHERE key <> 'key-' || n % 10"), '0', 'with its own key');

$kafka->wait_until_committed($group, 'orders', diagnose => sub { $node->diagnostics });
is_deeply($kafka->committed_by_kafka($group, 'orders'),
	$kafka->end_offsets_by_kafka('orders'), 'the committed offsets are the end offsets');
is($node->sql("SELECT burrow.wait_until_caught_up('orders')"), 't', 'Burrow knows that it has caught up');
is($node->sql("SELECT messages_processed, messages_failed, lag FROM burrow.stats WHERE subscription = 'orders'"),
	'100|0|0', 'and has counted');

$node->sql("SELECT burrow.unsubscribe('orders')");
is($node->sql('SELECT count(*) FROM burrow.subscriptions'), '0', 'unsubscribed');
$node->wait_for('the consumer and its workers to be gone', <<'END');
SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type ~ '^burrow (consumer|worker)'
END
is_deeply([$kafka->group_members($group)], [], 'and out of the group');
is($node->sql('SELECT count(*) FROM got'), '100', 'the rows stay');

$node->stop;
done_testing();
