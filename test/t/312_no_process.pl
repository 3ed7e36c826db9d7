# Where no background worker slot is free for the launcher, for a look at the database or for a consumer,
# the state, last_error and why_stuck() say so, and so does a warning of subscribe() and resume(); the
# statement that is shown ends it.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$node->sql(<<'SQL');
CREATE TABLE got (topic text);
CREATE FUNCTION keep(topic text) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES ($1)';
SQL

# What it says of a subscription; and its next statement, which names the setting.
sub says
{
	my ($name, $cause) = @_;
	$node->wait_for("$name: $cause", "SELECT count(*) = 1 FROM burrow.why_stuck('$name') WHERE cause = '$cause'");
	is($node->sql("SELECT state, last_error FROM burrow.subscriptions WHERE subscription = '$name'"), "retrying|$cause", "$name: state and last_error");
	return $node->sql("SELECT next_statement FROM burrow.why_stuck('$name')");
}

sub warns
{
	my ($statement, $detail) = @_;
	my ($status, $out, $err) = $node->psql('postgres', $statement);
	is($status, 0, "$statement works");
	like($err, qr/WARNING:  subscription ".*" cannot be started now\nDETAIL:  $detail\nHINT:  Increase max_worker_processes/, 'and warns');
	return;
}

# Runs the statement; the setting takes effect at a restart, as it says.
sub ends_by
{
	my ($statement) = @_;
	like($statement, qr/^ALTER SYSTEM SET max_worker_processes = \d+; -- and restart the server$/, 'the statement');
	$node->sql($statement);
	$node->restart;
	return;
}

sub restart_with
{
	my ($n) = @_;
	$node->sql("ALTER SYSTEM SET max_worker_processes = $n");
	$node->restart;
	return;
}

sub runs
{
	my ($name) = @_;
	$kafka->produce($name, { value => 'v' });
	$node->wait_for("$name: a message", "SELECT count(*) > 0 FROM got WHERE topic = '$name'");
	is($node->sql("SELECT state, last_error FROM burrow.subscriptions WHERE subscription = '$name'"), 'running|', "$name runs");
	is($node->sql("SELECT count(*) FROM burrow.why_stuck('$name')"), '0', 'and nothing holds it up');
	return;
}

$kafka->create_topic($_, 1) foreach qw(a b c);

# ---- the launcher
restart_with(0);
warns(q{SELECT burrow.subscribe('a', 'keep')}, 'The launcher does not run.');
ends_by(says('a', 'the launcher does not run'));
runs('a');

# ---- a look at the database: the launcher has the last place, beside PostgreSQL's own
restart_with(2);
$node->wait_for('the launcher to have found no place', sub { $node->log_since(0) =~ /no background worker slot is free/ });
warns(q{SELECT burrow.subscribe('b', 'keep')}, 'No background worker slot is free.');
says('a', 'no background worker slot is free');
ends_by(says('b', 'no background worker slot is free'));
runs('b');

# ---- a consumer: one has the last place
$node->sql(q{SELECT burrow.unsubscribe('b')});
restart_with(3);
$node->wait_for('the consumer that has a place', q{SELECT count(*) = 1 FROM burrow.subscriptions WHERE subscription = 'a' AND consumer_pid IS NOT NULL});
warns(q{SELECT burrow.subscribe('c', 'keep')}, 'No background worker slot is free.');
$node->sql(q{SELECT burrow.pause('c')});
warns(q{SELECT burrow.resume('c')}, 'No background worker slot is free.');
says('c', 'no background worker slot is free');

# the place becomes free, without a restart
$node->sql(q{SELECT burrow.pause('a')});
$node->wait_for('the other to have the place', q{SELECT count(*) = 1 FROM burrow.subscriptions WHERE subscription = 'c' AND consumer_pid IS NOT NULL}, timeout => 120);
$node->wait_for('nothing about it any more', q{SELECT count(*) = 0 FROM burrow.why_stuck('c') WHERE cause LIKE 'no background%'});

# ---- and a subscription that is not to run is not warned of
my ($status, $out, $err) = $node->psql('postgres', q{SELECT burrow.subscribe('b', 'keep', enabled => false)});
is($err, '', 'no warning for one that is not enabled');

$node->stop;
done_testing();
