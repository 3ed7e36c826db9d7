# The extension is installed and the library is not preloaded: every function and
# view says so and what to do, and nothing else is disturbed.

use BurrowTest;

my $node = BurrowTest::Node->create('plain', kafka => undef, preload => 0);
my $message = qr/55000: burrow must be loaded via shared_preload_libraries\nHINT:  Add "burrow" to shared_preload_libraries/;

$node->sql("CREATE FUNCTION h(value text) RETURNS void LANGUAGE sql AS ''");
for my $call (
	"burrow.subscribe('orders', 'h')",
	"burrow.subscribe('', 'no such function', workers => 0)",
	"burrow.alter('orders', workers => 2)",
	"burrow.unsubscribe('orders')",
	"burrow.pause('orders')",
	"burrow.resume('orders')",
	'burrow.stats_reset()',
	"burrow.wait_until_caught_up('orders')",
	'* FROM burrow.options()',
	'* FROM burrow.subscriptions',
	'count(*) FROM burrow.subscriptions',
	'* FROM burrow.stats',
	'* FROM burrow.history',
	'* FROM burrow.partitions',
	'* FROM burrow.workers')
{
	like($node->sql_error("SELECT $call"), $message, $call);
}

is($node->sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'burrow%'"), '0', 'nothing of Burrow\'s runs');
like($node->sql_error('SHOW burrow.max_workers'), qr/42704/, 'and it has no settings');
is($node->sql('SELECT count(*) FROM burrow.subscription'), '0', 'its tables are there');

# A database that was used with Burrow can still be dumped and dropped.
$node->sql("INSERT INTO burrow.subscription (name, owner, system_identifier, dboid, topic, handler, handler_owner, consumer_group, uuid, status, options)
	VALUES ('orders', 'pg_monitor', 1, 1, 'orders', 'h(text)', 'pg_monitor', 'g', gen_random_uuid(), 'enabled', '{}')");
$node->command_ok(['pg_dump', '--file=/dev/null', $node->connstr('postgres')], 'pg_dump');
$node->sql('DROP EXTENSION burrow');
is($node->sql("SELECT count(*) FROM pg_class WHERE relnamespace = 'burrow'::regnamespace"), '0', 'DROP EXTENSION');

# Loading it later changes nothing.
like($node->sql_error("LOAD 'burrow'; CREATE EXTENSION burrow; SELECT burrow.pause('orders')"), $message, 'LOAD is not enough');

$node->stop;
done_testing();
