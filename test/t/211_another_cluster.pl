# Another Kafka cluster under burrow.bootstrap_servers: positions mean nothing there, so the
# subscription halts, until the old cluster is back or a seek by time accepts the new one.

use BurrowTest;

my $old = BurrowTest::Kafka->create('old');
my $new = BurrowTest::Kafka->create('new');
my $node = BurrowTest::Node->create('main', kafka => $old);
$node->sql(<<'SQL');
CREATE TABLE got (value text);
CREATE FUNCTION keep(value text) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES ($1)';
SQL
foreach my $cluster ($old, $new)
{
	my $name = $cluster == $old ? 'old' : 'new';
	$cluster->create_topic('orders', 1);
	$cluster->produce('orders', map { { value => "$name $_" } } 0 .. 4);
}

sub use_cluster
{
	my ($cluster) = @_;
	$node->sql("ALTER SYSTEM SET burrow.bootstrap_servers = '" . $cluster->bootstrap . "'");
	$node->sql('SELECT pg_reload_conf()');
	return;
}

sub value_of { my ($column) = @_; return $node->sql("SELECT $column FROM burrow.subscriptions") }

$node->sql("SELECT burrow.subscribe('orders', 'keep')");
is($node->sql("SELECT burrow.wait_until_caught_up('orders')"), 't', 'caught up');
my $id = value_of('cluster_id');
like($id, qr/^\S{10,}$/, 'the id of the cluster is kept');

use_cluster($new);
$node->wait_for_state('orders', 'halted');
my $text = value_of("concat_ws(' | ', error_message, error_detail, error_hint)");
like($text, qr/^Kafka cluster "(\S+)" is not cluster "\Q$id\E" that subscription "orders" has consumed \| .* \| Correct the address \(burrow\.bootstrap_servers, or the foreign server\) and use burrow\.resume\(\), or use burrow\.seek\(\) with a time/, 'another cluster halts, with both ids');
my ($new_id) = $text =~ /cluster "(\S+)" is not/;

my $position = $node->log_position;
$node->sql("SELECT burrow.resume('orders')");
$node->wait_for_log_line(qr/subscription "orders" is halted/, $position);
$node->wait_for_state('orders', 'halted');
$node->sql("SELECT burrow.seek('orders', 'orders', 0, 0)");
$node->wait_for_state('orders', 'halted');
is(value_of('cluster_id') . ' ' . $node->sql('SELECT count(*) FROM got'), "$id 5", 'neither resume nor a seek of one partition accepts it');

# back again: the seek that was asked for is done there
use_cluster($old);
$node->sql($node->sql(q{SELECT next_statement FROM burrow.why_stuck('orders')}));
is($node->sql("SELECT burrow.wait_until_caught_up('orders')"), 't', 'with the old cluster it goes on');
is($node->sql("SELECT string_agg(value, ',' ORDER BY value) FROM got WHERE value LIKE 'new%'"), '', 'and nothing came from the other');

use_cluster($new);
$node->wait_for_state('orders', 'halted');
$node->sql("SELECT burrow.seek('orders', '-infinity'::timestamptz)");
is($node->sql("SELECT burrow.wait_until_caught_up('orders')"), 't', 'a seek by time accepts the new cluster');
is($node->sql("SELECT string_agg(value, ',' ORDER BY value) FROM got WHERE value LIKE 'new%'"), 'new 0,new 1,new 2,new 3,new 4', 'from where it says');
is(value_of('cluster_id'), $new_id, 'and keeps its id');

$node->stop;
done_testing();
