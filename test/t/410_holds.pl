# What a role leaves open is in nobody else's way: transactions that keep Burrow out of their own databases do not
# use up what others need for theirs.  And COMMIT PREPARED, which tells Burrow nothing, does nothing that it should have known.

use BurrowTest;
use Time::HiRes qw(time);

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka, conf => "max_prepared_transactions = 5\n");
$kafka->create_topic($_, 2) foreach qw(orders shop);
$node->sql('CREATE ROLE tenants; CREATE ROLE alice LOGIN CREATEDB IN ROLE tenants; CREATE ROLE mallory LOGIN CREATEDB IN ROLE tenants');

sub as { return $node->answer_to(@_) }

sub set_up
{
	my ($database) = @_;
	$node->sql(<<'SQL', $database);
CREATE EXTENSION IF NOT EXISTS burrow;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA burrow TO tenants;
CREATE TABLE got (value text);
GRANT INSERT, SELECT ON got TO tenants;
SQL
	as(alice => q{CREATE SCHEMA a; CREATE FUNCTION a.keep(value text) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES (value)'}, $database);
	return;
}

# ---- holds: six sessions of one role, with six databases of its own each

my @sessions;
for my $i (1 .. 6)
{
	as(mallory => "CREATE DATABASE m${i}_$_ TEMPLATE template0") foreach 1 .. 6;
	my $session = $node->background_psql('postgres', extra_params => ['-U', 'mallory']);
	$session->query_safe(join '; ', 'BEGIN', map { "ALTER DATABASE m${i}_$_ RENAME TO n${i}_$_" } 1 .. 6);
	push @sessions, $session;
}
is(as(alice => 'CREATE DATABASE shop') . as(alice => 'CREATE DATABASE spare'), '', 'another role has databases');
$node->sql('GRANT CREATE ON DATABASE shop TO alice');
set_up('shop');
is(as(alice => "SELECT burrow.subscribe('shop', 'a.keep')", 'shop'), 'shop', 'where Burrow runs');
$node->wait_for_state('shop', 'running', database => 'shop');
my $started = time;
is(as(alice => 'ALTER DATABASE shop RENAME TO shop2'), '', 'it can rename one');
is(as(alice => 'DROP DATABASE shop2'), '', 'and drop it');
cmp_ok(time - $started, '<', 10 * slow_by(), 'without waiting for the transactions of the other');
is($node->sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'burrow consumer'"), '0', 'Burrow has left it');
as(mallory => "CREATE DATABASE p$_ TEMPLATE template0") foreach 1 .. 9;
like(as(mallory => join '; ', 'BEGIN', (map { "ALTER DATABASE p$_ RENAME TO q$_" } 1 .. 9), 'COMMIT'),
	qr/ERROR:  54000: cannot keep burrow's workers out of more than 8 databases in one transaction\nHINT:  Use a transaction for each of these commands\./,
	'how many one transaction can have is limited');
is(as(mallory => join '; ', 'BEGIN', (map { "ALTER DATABASE p$_ RENAME TO q$_" } 1 .. 8), 'COMMIT'), '', 'to a number that suffices');
is(as(alice => "BEGIN; ALTER DATABASE spare RENAME TO a; ALTER DATABASE a RENAME TO b; ALTER DATABASE b RENAME TO spare; COMMIT"), '', 'one database counts once');
$_->query_safe('ROLLBACK'), $_->quit foreach @sessions;

# ---- what is prepared

$node->sql('GRANT CREATE ON DATABASE postgres TO alice');
set_up('postgres');
is(as(alice => "SELECT burrow.subscribe('orders', 'a.keep')"), 'orders', 'a subscription');
$node->wait_for_state('orders', 'running');

my $changed = qr/ERROR:  0A000: cannot PREPARE a transaction that has changed a burrow subscription/;
my $renamed = qr/ERROR:  0A000: cannot PREPARE a transaction that has renamed, opened or closed a database that burrow may run in\nHINT:  Use COMMIT\./;
my $settings = qr/ERROR:  0A000: cannot PREPARE a transaction that has changed settings of burrow subscriptions that run\nDETAIL:  COMMIT PREPARED would not tell their workers\.\nHINT:  Use COMMIT/;
for my $case (
	[alice => "SELECT burrow.subscribe('orders', 'a.keep', subscription => 'p')", $changed],
	[alice => "SELECT burrow.alter('orders', consumer_group => 'p')", $changed],
	[alice => "SELECT burrow.pause('orders')", $changed],
	[alice => "SELECT burrow.seek('orders', 'orders', 0, 0)", $changed],
	[alice => "SELECT burrow.unsubscribe('orders')", $changed],
	[postgres => 'DROP EXTENSION burrow CASCADE', $changed],
	[alice => 'ALTER DATABASE spare RENAME TO other', $renamed],
	[alice => 'ALTER DATABASE spare ALLOW_CONNECTIONS false', $renamed],
	[alice => 'ALTER DATABASE spare IS_TEMPLATE true', $renamed],
	[alice => "ALTER ROLE alice SET work_mem = '5MB'", $settings],
	[postgres => "ALTER DATABASE postgres SET work_mem = '5MB'", $settings])
{
	my ($role, $command, $error) = @$case;
	like(as($role => "BEGIN; $command; PREPARE TRANSACTION 'p'"), $error, "$command, prepared");
	is($node->sql('SELECT count(*) FROM pg_prepared_xacts'), '0', 'is not there');
}
is($node->sql("SELECT state, consumer_group ~ '^burrow\.', datallowconn FROM burrow.subscriptions, pg_database WHERE datname = 'spare'"), 'running|t|t', 'nothing of it has happened');
is(as(alice => "SELECT burrow.subscribe('orders', 'a.keep', subscription => 'other', consumer_group => 'p', enabled => false)"), 'other', 'nor is a group taken');

# what does not concern Burrow is nobody's business, and what reaches its processes by itself may be prepared
is(as(mallory => "BEGIN; ALTER ROLE mallory SET work_mem = '5MB'; PREPARE TRANSACTION 'p'; COMMIT PREPARED 'p'"), '', 'settings of somebody else');
is(as(alice => "BEGIN; ALTER DATABASE spare CONNECTION LIMIT 5; PREPARE TRANSACTION 'p'; COMMIT PREPARED 'p'"), '', 'a limit of connections');
$kafka->produce('orders', { key => 'k', value => 'first' });
$node->wait_for('a message', "SELECT count(*) = 1 FROM got");
is(as(alice => "BEGIN; CREATE OR REPLACE FUNCTION a.keep(value text) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES (''new '' || value)'; PREPARE TRANSACTION 'p'"), '', 'another handler, prepared');
$kafka->produce('orders', { key => 'k', value => 'second' });
$node->wait_for('the old handler', "SELECT count(*) = 1 FROM got WHERE value = 'second'");
as(alice => "COMMIT PREPARED 'p'");
$kafka->produce('orders', { key => 'k', value => 'third' });
$node->wait_for('the new handler', "SELECT count(*) = 1 FROM got WHERE value = 'new third'");
pass('is called once it is committed');
is($node->sql("BEGIN; REVOKE INSERT ON got FROM tenants; PREPARE TRANSACTION 'p'; COMMIT PREPARED 'p'"), '', 'a privilege of the owner, taken away');
$kafka->produce('orders', { key => 'k', value => 'fourth' });
$node->wait_for_state('orders', 'halted');
is($node->sql("SELECT error_sqlstate FROM burrow.subscriptions WHERE subscription = 'orders'"), '42501', 'is missed by the next message');
is($node->sql('SELECT count(*) FROM got'), '3', 'which had no effect');
$node->sql('GRANT INSERT ON got TO tenants');
as(alice => "SELECT burrow.resume('orders')");
$node->wait_for('it to go on', "SELECT count(*) = 1 FROM got WHERE value = 'new fourth'");

$node->stop;
done_testing();
