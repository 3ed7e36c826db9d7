# Worker processes are few: one role's min_workers takes neither the places of others' consumers nor their share of the
# workers, whoever came first; and a role has a ceiling.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
# 11 places: PostgreSQL's launcher, Burrow's, the exporter, and one that workers leave free
my $socket = PostgreSQL::Test::Utils::tempdir_short() . '/metrics';
my $node = BurrowTest::Node->create('main', kafka => $kafka, conf => "max_worker_processes = 11\nburrow.metrics_listen = '$socket'\n");
my @roles = qw(alice bob carol dave);
$kafka->create_topic($_, 1) foreach @roles;
$node->sql(<<'SQL');
CREATE ROLE tenants;
CREATE ROLE alice LOGIN IN ROLE tenants;
CREATE ROLE bob LOGIN IN ROLE tenants;
CREATE ROLE carol LOGIN IN ROLE tenants;
CREATE ROLE dave LOGIN IN ROLE tenants;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA burrow TO tenants;
CREATE TABLE got (topic text, value text);
GRANT INSERT ON got TO tenants;
CREATE FUNCTION keep(topic text, value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF value LIKE 'wait%' THEN PERFORM pg_advisory_lock_shared(1), pg_advisory_unlock_shared(1); END IF;
    INSERT INTO public.got VALUES (topic, value);
END $$;
SQL

sub as { return $node->answer_to(@_) }

sub subscribe
{
	my ($role, $options) = @_;
	return as($role => "SELECT burrow.subscribe('$role', 'keep', batch_size => 1, ordering => 'unordered', $options)");
}

sub workers { my ($role, $n) = @_; return $node->wait_for("$n workers of $role", "SELECT workers = $n FROM burrow.stats WHERE subscription = '$role'") }
my %sent;
sub produce { my ($role, $what, $n) = @_; $kafka->produce($role, map { { value => "$what $_" } } 1 .. $n); $sent{$role} += $n; return }

# ---- one who wants them all

is(subscribe('alice', 'workers => 100, min_workers => 100'), 'alice', 'a subscription with 100 min_workers');
workers('alice', 6);
is($node->sql(q{SELECT short_of_workers FROM burrow.stats}), 't', 'it has what there is, but for a place');

# ---- and another, who comes later

my $gate = $node->background_psql('postgres');
$gate->query_safe('SELECT pg_advisory_lock(1)');
produce('bob', 'wait', 20);
is(subscribe('bob', 'workers => 4'), 'bob', 'another subscription comes');
workers('bob', 2);
workers('alice', 3);
is($node->sql(q{SELECT workers_active FROM burrow.stats WHERE subscription = 'bob'}), '2', 'it has a consumer and its share of the workers');
like($node->sql(q{SELECT cause, next_statement FROM burrow.why_stuck('bob') WHERE next_statement LIKE 'ALTER SYSTEM%'}),
	qr/^no worker slot is free\|ALTER SYSTEM SET max_worker_processes = \d+;/, 'and knows what it could have more workers by');

# ---- a third one, when all workers are busy: why_stuck says that others have what is its share

produce('alice', 'wait', 20);
$node->wait_for('five workers at the gate', q{SELECT sum(workers_active) = 5 FROM burrow.stats});
produce('carol', 'quick', 20);
is(subscribe('carol', 'workers => 4'), 'carol', 'a third one');
$node->wait_for_state('carol', 'running');
$node->wait_for('why it does not move', q{SELECT count(*) = 1 FROM burrow.why_stuck('carol') WHERE cause = 'other subscriptions have workers that are its share'});
my $statement = $node->sql(q{SELECT next_statement FROM burrow.why_stuck('carol') WHERE cause LIKE 'other subscriptions%'});
is(scalar(split /\n/, $node->sql($statement)), 5, 'the statement shows who has them');

# nor is there a place to look at what a fourth one wants
produce('dave', 'quick', 20);
like(subscribe('dave', 'workers => 4'), qr/WARNING:  subscription "dave" cannot be started now|^dave$/, 'a fourth one');

# ---- each gives back what is too much when it has ended what it had in hand

$gate->quit;
$node->wait_for("${_}'s messages", "SELECT count(*) = $sent{$_} FROM got WHERE topic = '$_'", timeout => 120) foreach @roles;
is($node->sql('SELECT count(*), count(DISTINCT (topic, value)) FROM got'), '80|80', 'all messages of all, once');
is($node->sql(q{SELECT count(*) FROM burrow.subscriptions WHERE state = 'running'}), '4', 'and all run');

# ---- a ceiling for a role

as($_ => "SELECT burrow.unsubscribe('$_')") foreach qw(bob carol dave);
$node->wait_for('alice to have more again', q{SELECT workers > 3 FROM burrow.stats});
$node->sql('ALTER SYSTEM SET burrow.max_workers_per_role = 2');
$node->reload;
workers('alice', 2);
like(subscribe('bob', 'workers => 4'),
	qr/ERROR:  53400: invalid value for option "workers": "4"\nDETAIL:  All subscriptions of a role together may have 2 workers\.\nHINT:  A superuser can raise burrow\.max_workers_per_role\./,
	'more workers than a role may have');
is(as(bob => q{SELECT burrow.subscribe('bob', 'keep', workers => 2, min_workers => 2), burrow.subscribe('bob', 'keep', 'second', workers => 2, min_workers => 2)}), 'bob|second', 'two subscriptions');
$node->wait_for('their workers', q{SELECT sum(workers) = 2 AND min(workers) = 1 FROM burrow.stats WHERE subscription IN ('bob', 'second')});
is($node->sql(q{SELECT workers FROM burrow.stats WHERE subscription = 'alice'}), '2', 'a ceiling is that of each role');

# its end, by the statement that is shown
as(alice => q{SELECT burrow.unsubscribe('alice')});
$gate = $node->background_psql('postgres');
$gate->query_safe('SELECT pg_advisory_lock(1)');
produce('bob', 'wait', 10);
my $cause = 'the subscriptions of its owner have as many workers as a role may have';
$node->wait_for('why there are no more', "SELECT count(*) = 1 FROM burrow.why_stuck('second') WHERE cause = '$cause'");
$statement = $node->sql("SELECT next_statement FROM burrow.why_stuck('second') WHERE cause = '$cause'");
is($statement, 'ALTER SYSTEM SET burrow.max_workers_per_role = 8; SELECT pg_reload_conf();', 'the statement');
$node->sql($statement);
$node->wait_for('as many as they want', q{SELECT sum(workers) = 4 FROM burrow.stats});
$gate->quit;

$node->stop;
done_testing();
