# What the server's settings allow is asked when a subscription is made, and the
# answer names the setting.

use BurrowTest;

my $node = BurrowTest::Node->create('small', kafka => undef, conf => <<'END');
burrow.max_subscriptions = 2
burrow.max_workers = 6
END
$node->sql("CREATE FUNCTION h(value text) RETURNS void LANGUAGE sql AS ''");

# ---- no brokers

like($node->sql_error("SELECT burrow.subscribe('orders', 'h')"),
	qr/55000: no Kafka brokers are configured\nHINT:  Name a foreign server, set burrow\.default_server for the database, or set burrow\.bootstrap_servers/, 'brokers have to be configured');
$node->sql("ALTER SYSTEM SET burrow.bootstrap_servers = '127.0.0.1:1'");
$node->reload;
$node->wait_for('the setting', "SELECT current_setting('burrow.bootstrap_servers') <> ''");

# ---- workers

like($node->sql_error("SELECT burrow.subscribe('orders', 'h', workers => 7)"),
	qr/22023: invalid value for option "workers": "7"\nDETAIL:  This server has room for 6 workers .*\nHINT:  Raise burrow.max_workers/,
	'not more workers than the server has slots');
$node->sql("SELECT burrow.subscribe('orders', 'h', workers => 6)");
like($node->sql_error("SELECT burrow.alter('orders', workers => 8)"), qr/22023: .*"workers": "8"/, 'nor after alter');

# ---- subscriptions, those of the same transaction and of other databases among them

my $full = qr/53400: too many subscriptions\nDETAIL:  This server has room for 2 subscriptions\.\nHINT:  Raise burrow.max_subscriptions/;
like($node->sql_error("BEGIN; SELECT burrow.subscribe('b', 'h'); SELECT burrow.subscribe('c', 'h')"),
	$full, 'two more in one transaction do not fit');
is($node->sql('SELECT count(*) FROM burrow.subscriptions'), '1', 'and nothing of it is left');
$node->wait_for('the slot of the first', 'SELECT count(*) = 1 FROM burrow._subscription_slots()');
$node->sql('CREATE DATABASE other');
$node->sql("CREATE EXTENSION burrow; CREATE FUNCTION h(value text) RETURNS void LANGUAGE sql AS ''", 'other');
$node->sql("SELECT burrow.subscribe('orders', 'h')", 'other');
$node->wait_for('its slot', 'SELECT count(*) = 1 FROM burrow._subscription_slots()', database => 'other');
like($node->sql_error("SELECT burrow.subscribe('more', 'h')"), $full, 'another database\'s count too');
like($node->sql_error("SELECT burrow.subscribe('more', 'h')", 'other'), qr/53400/, 'in either');
$node->sql("SELECT burrow.alter('orders', workers => 2)");
pass('what has a slot can be changed');

# One that is gone makes room.
$node->sql("SELECT burrow.unsubscribe('orders')", 'other');
$node->wait_for('the slot to be free', 'SELECT count(*) = 0 FROM burrow._subscription_slots()', database => 'other');
is($node->sql("SELECT burrow.subscribe('more', 'h')"), 'more', 'there is room again');

# ---- the owner has to be able to log in, on all versions

$node->sql("CREATE ROLE team NOLOGIN; GRANT EXECUTE ON FUNCTION burrow.subscribe TO team; SELECT burrow.unsubscribe('more')");
$node->wait_for('the slot to be free', 'SELECT count(*) = 1 FROM burrow._subscription_slots()');
like($node->sql_error("SET ROLE team; SELECT burrow.subscribe('team', 'h')"),
	qr/42501: role "team" is not permitted to log in\nDETAIL:  The workers of subscription "team" connect as this role\.\nHINT:  This mends it: ALTER ROLE team LOGIN;/,
	'workers could not connect as a role without LOGIN');

# ---- burrow.enabled

$node->sql('ALTER SYSTEM SET burrow.enabled = off');
$node->reload;
$node->wait_for('the setting', "SELECT current_setting('burrow.enabled') = 'off'");
$node->sql("SELECT burrow.resume('orders')");
# its consumer hears of the setting a moment later
$node->wait_for('the consumer to be gone', "SELECT consumer_pid IS NULL FROM burrow.subscriptions WHERE subscription = 'orders'");
is($node->sql("SELECT state FROM burrow.subscriptions WHERE subscription = 'orders'"), 'disabled', 'burrow.enabled is off');
like($node->sql_error("SELECT burrow.wait_until_caught_up('orders')"),
	qr/55000: subscription "orders" is disabled\nHINT:  Set burrow.enabled to on/, 'and a wait says so');
$node->sql('ALTER SYSTEM SET burrow.enabled = on');
$node->reload;
$node->wait_for('a consumer', "SELECT consumer_pid IS NOT NULL FROM burrow.subscriptions WHERE subscription = 'orders'");
is($node->sql("SELECT burrow.wait_until_caught_up('orders', '10 ms')"), 'f', 'no broker: never caught up');

$node->stop;
done_testing();
