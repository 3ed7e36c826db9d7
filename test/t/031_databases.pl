# Commands that need a database for themselves, while subscriptions run in it: each
# has to be done long before PostgreSQL gives up waiting, which is after 5 seconds.

use BurrowTest;
use Time::HiRes qw(time);

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka, extension => 0);
my $sent = 0;

# A database with the extension and a running subscription on a topic of its name.
sub make_database
{
	my ($database) = @_;
	$kafka->create_topic($database, 2);
	$node->sql("CREATE DATABASE $database");
	$node->sql(<<"END", $database);
CREATE EXTENSION burrow;
CREATE TABLE got (n int);
CREATE FUNCTION on_message(value jsonb) RETURNS void LANGUAGE plpgsql AS \$\$
BEGIN
	PERFORM pg_sleep((value->>'sleep')::float8) WHERE value ? 'sleep';
	INSERT INTO got VALUES ((value->>'n')::int);
END \$\$;
SELECT burrow.subscribe('$database', 'on_message', kafka => '{"session.timeout.ms": 6000}');
END
	$node->wait_for_state($database, 'running', database => $database);
	return;
}

sub works
{
	my ($topic, $database, $what) = @_;
	my $n = ++$sent;
	$kafka->produce($topic, { key => "k$n", value => "{\"n\": $n}" });
	$node->wait_for("message $n, $what", "SELECT count(*) > 0 FROM got WHERE n = $n", database => $database);
	pass("a message is handled $what");
	return;
}

# Have a worker of the database at work for a while: longer than psql takes to look, on a busy machine.
sub occupy
{
	my ($topic, $database, $seconds) = @_;
	my $n = ++$sent;
	$kafka->produce($topic, { key => "k$n", value => "{\"n\": $n, \"sleep\": $seconds}" });
	$node->wait_for('a message in hand', "SELECT count(*) = 1 FROM burrow.workers WHERE state = 'running'", database => $database);
	return $n;
}

sub connected
{
	my ($database) = @_;
	return $node->sql("SELECT count(*) FROM pg_stat_activity WHERE datname = '$database'");
}

# The command succeeds, and quickly.
sub quick
{
	my ($command) = @_;
	my $started = time;
	$node->sql($command);
	cmp_ok(time - $started, '<', 4 * slow_by(), "$command does not take long");
	return;
}

make_database($_) foreach qw(alpha beta gamma);
works($_, $_, "in database $_") foreach qw(alpha beta gamma);
my ($other) = $node->sql("SELECT consumer_pid FROM burrow.subscriptions", 'alpha');
my $start = $node->log_position;

# ---- RENAME

quick('ALTER DATABASE beta RENAME TO beta2');
works('beta', 'beta2', 'after RENAME');
occupy('beta', 'beta2', 3);
quick('ALTER DATABASE beta2 RENAME TO beta');
works('beta', 'beta', 'after RENAME with a message in hand');

# A transaction that takes its time keeps Burrow out until its end.
my $session = $node->background_psql('postgres');
$session->query_safe('BEGIN; ALTER DATABASE beta RENAME TO beta3');
is(connected('beta'), '0', 'nobody is in a database that is being renamed');
$session->query_safe('ROLLBACK');
works('beta', 'beta', 'after a RENAME that was rolled back');

# The session that has the hold goes: the database is free again.
$session->query_safe('BEGIN; ALTER DATABASE beta RENAME TO beta3');
$session->quit;
works('beta', 'beta', 'after the session that renamed went away');

# ---- SET TABLESPACE

my $space = PostgreSQL::Test::Utils::tempdir;
$node->sql("CREATE TABLESPACE elsewhere LOCATION '$space'");
quick('ALTER DATABASE beta SET TABLESPACE elsewhere');
works('beta', 'beta', 'after SET TABLESPACE');

# ---- a copy

quick('CREATE DATABASE copy TEMPLATE beta');
works('beta', 'beta', 'after the database was a template');
is($node->sql('SELECT state FROM burrow.subscriptions', 'copy'), 'disabled', 'a copy does not start by itself');
is($node->sql('SELECT consumer_pid IS NULL FROM burrow.subscriptions', 'copy'), 't', 'it has no consumer');
$node->restart;
$node->wait_for_state('beta', 'running', database => 'beta');
works('beta', 'beta', 'after a restart');
is($node->sql('SELECT state FROM burrow.subscriptions', 'copy'), 'disabled', 'nor does it start with the server');
quick('DROP DATABASE copy');

# A database that is made a template is left, and found again.
$node->sql('ALTER DATABASE beta IS_TEMPLATE true');
$node->wait_for('Burrow to leave the template', "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'beta'");
$node->sql('ALTER DATABASE beta IS_TEMPLATE false');
works('beta', 'beta', 'after it was a template for a while');
$node->sql('ALTER DATABASE beta ALLOW_CONNECTIONS false');
$node->wait_for('Burrow to leave it', "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'beta'");
$node->sql('ALTER DATABASE beta ALLOW_CONNECTIONS true');
works('beta', 'beta', 'after it allowed no connections');

# ---- those who may not

$node->sql('CREATE ROLE nobody LOGIN; CREATE ROLE creator LOGIN CREATEDB');
my ($consumer) = $node->sql('SELECT consumer_pid FROM burrow.subscriptions', 'beta');
for my $case (
	[nobody => 'ALTER DATABASE beta RENAME TO mine', 'must be owner of database beta'],
	[creator => 'ALTER DATABASE beta RENAME TO mine', 'must be owner of database beta'],
	[creator => 'ALTER DATABASE beta SET TABLESPACE pg_default', 'must be owner of database beta'],
	[nobody => 'CREATE DATABASE mine TEMPLATE beta', 'permission denied to create database'],
	[creator => 'CREATE DATABASE mine TEMPLATE beta', 'permission denied to copy database'],
	[nobody => 'DROP DATABASE beta', 'must be owner of database beta'],
	[nobody => 'DROP DATABASE beta WITH (FORCE)', 'must be owner of database beta'])
{
	my ($role, $command, $error) = @$case;
	my ($status, $out, $err) = $node->psql('postgres', $command, extra_params => ['-U', $role]);
	like($err, qr/$error/, "$command by $role is refused");
}
works('beta', 'beta', 'after commands that were refused');
is($node->sql('SELECT consumer_pid FROM burrow.subscriptions', 'beta'), $consumer, 'by the same consumer');

# Somebody else is connected: PostgreSQL's own complaint, and Burrow comes back.
$session = $node->background_psql('beta');
my ($status, $out, $err) = $node->psql('postgres', 'ALTER DATABASE beta RENAME TO mine');
like($err, qr/is being accessed by other users.*There is 1 other session using the database/s, 'another session is PostgreSQL\'s business');
$session->quit;
works('beta', 'beta', 'after a command that failed');

# In a session of the database itself the command fails before anybody has to leave.
($consumer) = $node->sql('SELECT consumer_pid FROM burrow.subscriptions', 'beta');
($status, $out, $err) = $node->psql('beta', 'ALTER DATABASE beta RENAME TO mine');
like($err, qr/current database cannot be renamed/, 'the current database cannot be renamed');
is($node->sql('SELECT consumer_pid FROM burrow.subscriptions', 'beta'), $consumer, 'and goes on undisturbed');

# ---- DROP DATABASE

occupy('beta', 'beta', 3);
quick('DROP DATABASE beta');

# A message that takes too long is cancelled, and runs again.
my $group = $node->group_of('gamma', 'gamma');
$node->sql("SELECT burrow.alter('gamma', shutdown_timeout => '1 s')", 'gamma');
occupy('gamma', 'gamma', 600);
quick('ALTER DATABASE gamma RENAME TO gamma2');
quick('ALTER DATABASE gamma2 RENAME TO gamma');
$node->wait_for('the message to be in hand again', "SELECT count(*) = 1 FROM burrow.workers WHERE state = 'running'", database => 'gamma');
is($node->sql('SELECT state FROM burrow.subscriptions', 'gamma'), 'running', 'a message that was cancelled to make room is no failure');
my $started = time;
$node->sql('DROP DATABASE gamma WITH (FORCE)');
cmp_ok(time - $started, '<', 8 * slow_by(), 'DROP DATABASE WITH (FORCE) waits for no message');
is($node->sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type ~ '^burrow (consumer|worker)' AND datname IS DISTINCT FROM 'alpha'"),
	'0', 'nothing is left of databases that are gone');
$node->wait_for('their slots to be free',
	"SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'burrow consumer'");
# a static member that was asked to make room may come back, and so does not leave for good
wait_until('the group to be empty', sub { !$kafka->group_members($group) });
pass('nor in the group once its session has expired');

works('alpha', 'alpha', 'in the database that nobody touched');
unlike($node->log_since($start), qr/PANIC|terminated by signal|deadlock detected/, 'nothing crashed');

# One that comes after all that.
make_database('delta');
works('delta', 'delta', 'in a database that is new');
$node->stop;
done_testing();
