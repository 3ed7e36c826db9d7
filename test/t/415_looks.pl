# burrow.dry_run() and the looks at a cluster start a process each: a role has two at a time, all roles together a quarter of
# the processes (three at least), and consumers come first.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
# 8 places: PostgreSQL's launcher, Burrow's, and six that this is about
my $node = BurrowTest::Node->create('main', kafka => $kafka, conf => 'max_worker_processes = 8');
$kafka->create_topic('slow', 1);
$kafka->create_topic('work', 1);
$kafka->produce('slow', { value => 'wait' });
$node->sql(<<'SQL');
CREATE ROLE tenants;
CREATE ROLE alice LOGIN IN ROLE tenants;
CREATE ROLE bob LOGIN IN ROLE tenants;
CREATE ROLE carol LOGIN IN ROLE tenants;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA burrow TO tenants;
CREATE FUNCTION slow(value text) RETURNS void LANGUAGE sql AS 'SELECT pg_advisory_lock_shared(1), pg_advisory_unlock_shared(1)';
CREATE FUNCTION h(value text) RETURNS void LANGUAGE sql AS 'SELECT';
CREATE TABLE ended (told text);
GRANT INSERT ON ended TO tenants;
-- what it ends with, and that a transaction that goes on after an error has its place back, too
CREATE FUNCTION try(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	EXECUTE call;
	RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws('|', SQLSTATE, SQLERRM, detail, hint);
END $$;
SQL

sub try { my ($role, $call, $before) = @_; return $node->answer_to($role, ($before // '') . "SELECT try(\$\$$call\$\$)") }
$node->answer_to($_, "SELECT burrow.subscribe('slow', 'slow', '$_', enabled => false)") foreach qw(alice bob carol);

# A dry run that lasts until the gate is opened.
my $gate = $node->background_psql('postgres');
$gate->query_safe('SELECT pg_advisory_lock(1)');

sub begin_dry_run
{
	my ($role) = @_;
	my $session = $node->background_psql('postgres', extra_params => ['-U', $role]);
	$session->query_until(qr/begun/, "\\echo begun\nINSERT INTO ended SELECT try(\$\$SELECT * FROM burrow.dry_run('$role')\$\$);\n");
	return $session;
}
sub wait_for_dry_runs { my ($n) = @_; return $node->wait_for("$n dry runs", qq{SELECT count(*) = $n AND count(*) FILTER (WHERE wait_event_type = 'Lock') = $n FROM pg_stat_activity WHERE backend_type = 'burrow dry run'}) }

# ---- a role, and all roles

my @sessions = map { begin_dry_run('alice') } 1 .. 2;
wait_for_dry_runs(2);
my $calls = 'calls of burrow\.check_connection\(\), burrow\.dry_run\(\), burrow\.peek\(\) and burrow\.topics\(\) at a time\.';
my $enough = qr/^53400\|too many looks at Kafka at a time for role "alice"\|A role may have 2 $calls\|Wait until one has ended\. A superuser can raise burrow\.max_looks_per_role, also for one role\.$/;
like(try('alice', $_), $enough, $_) foreach 'SELECT * FROM burrow.topics()', q{SELECT * FROM burrow.peek('slow')}, 'SELECT * FROM burrow.check_connection()', q{SELECT * FROM burrow.dry_run('alice')};
like(try('alice', 'SELECT * FROM burrow.topics()', 'SET ROLE tenants; '), $enough, 'whose it is goes by who has logged in');
like($node->answer_to('alice', 'SET burrow.max_looks_per_role = 10'), qr/42501: permission denied to set parameter "burrow\.max_looks_per_role"/, 'she cannot raise it');
push @sessions, begin_dry_run('bob');
wait_for_dry_runs(3);
like(try($_, 'SELECT * FROM burrow.topics()'), qr/^53400\|too many looks at Kafka at a time\|All roles together may have 3 $calls\|Wait until one has ended\. A quarter of the configuration parameter "max_worker_processes" is for them\.$/, "$_: all together") foreach qw(bob carol);
is(try('postgres', 'SELECT * FROM burrow.topics()'), 'ok', 'a superuser is not bound by either');

# ---- a place comes back, however the call ends

$node->sql(q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = 'alice' AND query LIKE '%dry_run%' AND backend_type = 'client backend' LIMIT 1});
wait_for_dry_runs(2);
is(try('alice', 'SELECT * FROM burrow.topics()'), 'ok', 'after a cancel');
like(try('alice', q{SELECT * FROM burrow.peek('nothing')}), qr/^42704/, 'an error') foreach 1 .. 3;
is(try('alice', 'SELECT * FROM burrow.topics()'), 'ok', 'after errors');
$node->sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'bob' AND query LIKE '%dry_run%' AND backend_type = 'client backend'});
wait_for_dry_runs(1);
push @sessions, begin_dry_run('bob');
wait_for_dry_runs(2);
$node->sql('ALTER ROLE alice SET burrow.max_looks_per_role = 3');
push @sessions, begin_dry_run('alice');
wait_for_dry_runs(3);
$node->sql('ALTER ROLE alice RESET burrow.max_looks_per_role');

# ---- consumers come first: calls that have lasted for some seconds are ended

$node->sql(q{SELECT burrow.subscribe('work', 'h', 'one', workers => 1, min_workers => 1)});
$node->wait_for('a worker', q{SELECT workers = 1 FROM burrow.stats WHERE subscription = 'one'});
$node->sql(q{SELECT burrow.subscribe('work', 'h', 'two')});
$node->wait_for_state('two', 'running');
$node->sql(q{SET client_min_messages = error; SELECT burrow.subscribe('work', 'h', 'three')});
$node->wait_for_state('three', 'running');
$node->wait_for('a call to be ended', q{SELECT count(*) < 3 FROM pg_stat_activity WHERE backend_type = 'burrow dry run'});
like($node->sql('SELECT told FROM ended LIMIT 1'),
	qr/^53400\|burrow\.dry_run\(\) has been ended: its process's place is needed for subscriptions\|No background worker slot is free\.\|Consider increasing the configuration parameter "max_worker_processes"\.$/,
	'more of them take the places of calls');

# and while there is no place for a consumer, no call has one
$node->sql(q{SET client_min_messages = error; SELECT burrow.subscribe('work', 'h', n::text) FROM generate_series(1, 4) n});
$node->wait_for('calls to be refused', sub {
		return try('postgres', 'SELECT * FROM burrow.topics()') =~
			/^53400\|could not start a process for burrow\.topics\(\)\|No background worker slot is free, and subscriptions wait for one\.\|Consider increasing the configuration parameter "max_worker_processes"\.$/;
});
pass('no call gets a place that a subscription waits for');

# ---- the end

$gate->quit;
$node->sql('SELECT burrow.unsubscribe(name) FROM burrow.subscription');
$node->wait_for('calls to be possible again', sub { return try('alice', 'SELECT * FROM burrow.topics()') eq 'ok' });
pass('afterwards there are places again');

# the sessions of calls that were cancelled or terminated have ended
eval { $_->quit } foreach @sessions;

$node->stop;
done_testing();
