# An error that may come from what a session keeps (plans, caches) is held against a message
# only when it comes in a fresh session, too.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka, conf => 'log_min_messages = debug1');

sub subscribe
{
	my ($name, $handler, $options) = @_;
	$kafka->create_topic($name, 1);
	$node->sql(qq{SELECT burrow.subscribe('$name', '$handler', on_failure => 'dead_letter', commit_interval => '100 ms',
		retry_backoff => '10 ms', max_retries => 1, $options)});
	return;
}

sub handled_once
{
	my ($name, $description) = @_;
	$kafka->wait_until_committed($node->group_of($name), $name, diagnose => sub { $node->diagnostics });
	my ($messages) = values %{ $kafka->end_offsets($name) };
	is($node->sql("SELECT count(*), max(attempt) FROM got WHERE topic = '$name'"), "$messages|1", "$description: each is handled once, at its first attempt");
	is($node->sql("SELECT count(*) FROM burrow.dead_letters WHERE subscription = '$name'"), '0', "$description: no dead letters");
	return;
}

sub workers_started
{
	my ($position) = @_;
	my $n = () = $node->log_since($position) =~ /worker \d+ of subscription "\w+" has started/g;
	return $n;
}

$node->sql(<<'SQL');
CREATE TABLE got (topic text, value text, attempt int, pid int);
CREATE TABLE items (id int, n int);
INSERT INTO items VALUES (1, 1);
CREATE TABLE sums (n numeric);
CREATE FUNCTION loops(topic text, value text, attempt int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE r record;
BEGIN
    FOR r IN SELECT n FROM items LOOP
        INSERT INTO sums VALUES (r.n);
    END LOOP;
    INSERT INTO got VALUES (topic, value, attempt, pg_backend_pid());
END $$;
CREATE FUNCTION prepared(topic text, value text, attempt int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_prepared_statements) THEN
        EXECUTE 'PREPARE p AS SELECT * FROM items';
    END IF;
    EXECUTE 'EXECUTE p';
    INSERT INTO got VALUES (topic, value, attempt, pg_backend_pid());
END $$;
CREATE FUNCTION broken(topic text, value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF value = 'good' THEN
        INSERT INTO got VALUES (topic, value, 1, pg_backend_pid());
    ELSE
        EXECUTE 'SELECT nowhere';
    END IF;
END $$;
SQL

#
# ALTER TABLE ... TYPE under a PL/pgSQL handler that has the table's row in a record.
#
subscribe('types', 'loops', 'workers => 4, min_workers => 4');
my $n = 0;
for my $type (qw(bigint numeric int text))
{
	# all four sessions have a plan
	$node->wait_for('all workers to have been at work', sub {
			$kafka->produce('types', map { $n++; { key => "k$n", value => "$n" } } 1 .. 40);
			return $node->sql(q{SELECT count(*) = 4 AND (SELECT count(*) = 4 FROM burrow.workers w WHERE w.pid IN (SELECT pid FROM got)) FROM burrow.workers}) eq 't';
	});
	my $cast = $type eq 'text' ? 'n::text' : "n::$type";
	$node->sql(q{ALTER TABLE sums ALTER n TYPE text}) if $type eq 'text';
	$node->sql("ALTER TABLE items ALTER n TYPE $type USING $cast");
	$kafka->produce('types', map { $n++; { key => "k$n", value => "$n" } } 1 .. 200);
	handled_once('types', "type becomes $type");
}
like($node->log_since(0), qr/does not match that when preparing the plan/, 'the sessions had old plans indeed');
$node->sql(q{SELECT burrow.unsubscribe('types')});

#
# The same with another class: a prepared statement whose result has changed.
#
subscribe('statements', 'prepared', "workers => 2, min_workers => 2, permanent_errors => '{22,23,42,0A}'");
$kafka->produce('statements', map { { key => "k$_", value => "$_" } } 1 .. 50);
handled_once('statements', 'before');
$node->sql('ALTER TABLE items ADD COLUMN more int');
$kafka->produce('statements', map { { key => "k$_", value => "$_" } } 1 .. 50);
handled_once('statements', 'a column more');
like($node->log_since(0), qr/cached plan must not change result type/, 'the sessions had an old plan indeed');
$node->sql(q{SELECT burrow.unsubscribe('statements')});

#
# A handler that is broken: its messages are given up as ever, and cost no processes.
#
my $position = $node->log_position;
subscribe('broken', 'broken', 'workers => 4, max_consecutive_errors => 100000');
$kafka->produce('broken', map { { key => "k$_", value => 'bad' } } 1 .. 1000);
$kafka->wait_until_committed($node->group_of('broken'), 'broken', diagnose => sub { $node->diagnostics });
is($node->sql(q{SELECT count(*), min(attempts), max(attempts), min(sqlstate), max(sqlstate) FROM burrow.dead_letters WHERE subscription = 'broken'}),
	'1000|1|1|42703|42703', 'all are dead letters after one attempt');
cmp_ok(workers_started($position), '<=', 12, '1,000 of them do not cost as many processes');

# Nor when the catalog changes all the time.
$node->sql(<<'SQL');
CREATE TABLE stop ();
CREATE PROCEDURE noise() LANGUAGE plpgsql AS $$
BEGIN
    WHILE to_regclass('stop') IS NOT NULL LOOP
        CREATE TEMP TABLE IF NOT EXISTS t (a int);
        DROP TABLE t;
        COMMIT;
    END LOOP;
END $$;
SQL
my $noise = $node->background_psql('postgres');
$noise->query_until(qr/^/, "CALL noise();\n");
$position = $node->log_position;
my $since = time;
$kafka->produce('broken', map { { key => "k$_", value => $_ % 2 ? 'bad' : 'good' } } 1 .. 1000);
$kafka->wait_until_committed($node->group_of('broken'), 'broken', diagnose => sub { $node->diagnostics });
my $seconds = time - $since;
$node->sql('DROP TABLE stop');
$noise->quit;
is($node->sql(q{SELECT count(*), min(attempts), max(attempts) FROM burrow.dead_letters WHERE subscription = 'broken'}), '1500|1|1', 'all that are bad are dead letters');
is($node->sql(q{SELECT count(*) FROM got WHERE topic = 'broken'}), '500', 'all others are handled once');
my $started = workers_started($position);
note("$started processes in $seconds s");
cmp_ok($started, '<=', 12 + 2 * $seconds, '1,000 messages in a catalog that changes do not cost as many processes');
$node->sql(q{SELECT burrow.unsubscribe('broken')});

# And it halts, where it is to halt.
$kafka->create_topic('halting', 1);
$node->sql(q{SELECT burrow.subscribe('halting', 'broken', max_retries => 0)});
$kafka->produce('halting', { value => 'good' }, { value => 'bad' });
$node->wait_for_state('halting', 'halted');
is($node->sql(q{SELECT error_offset, error_sqlstate FROM burrow.subscriptions}), '1|42703', 'a broken handler halts');

$node->stop;
done_testing();
