# ALTER EXTENSION burrow UPDATE from 0.1.0: subscriptions, their positions and dead letters, and what the administrator has
# granted are as before, no message is lost or handled twice, and the system catalogs are those of a new installation.
# Until then the server, which runs the new library on the old SQL objects, says what to do, and can stop subscriptions.
#
# There is no library of 0.1.0 here.  What it would have left is what this one does, put into 0.1.0's tables.

use File::Basename qw(dirname);

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
my $version = $node->sql(q{SELECT extversion FROM pg_extension WHERE extname = 'burrow'});
my $sources = dirname(dirname(__FILE__)) . '/upgrade';

# an installation has no use for the script of an older version
my $share = $node->config_data('--sharedir') . '/extension/burrow--0.1.0.sql';
$share =~ s/\n//g;
PostgreSQL::Test::Utils::system_or_bail('cp', "$sources/burrow--0.1.0.sql", $share);
END { unlink $share if defined $share }

#
# Subscriptions that have done something.
#
$node->sql(<<'SQL');
CREATE ROLE clerk LOGIN;
CREATE ROLE auditor LOGIN;
GRANT ALL ON SCHEMA public TO clerk;
GRANT EXECUTE ON FUNCTION burrow.subscribe TO clerk;
SET ROLE clerk;
CREATE TABLE got (topic text, n int, partition int, "offset" bigint);
CREATE FUNCTION h(topic text, value jsonb, partition int, "offset" bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF (value->>'n')::int % 50 = 7 THEN
		RAISE 'not this one' USING ERRCODE = '22000';
	END IF;
	INSERT INTO got VALUES (topic, (value->>'n')::int, partition, "offset");
END $$;
SQL
my @topics = qw(orders parts ends);
foreach my $topic (@topics)
{
	$kafka->create_topic($topic, 2);
	$kafka->produce_many($topic, count => 100, keys => 10);
	$node->sql("SET ROLE clerk; SELECT burrow.subscribe('$topic', 'h', workers => 2, on_failure => 'dead_letter', queue_memory => '32 MB',
		kafka => '{\"session.timeout.ms\": 6000}')");
}
foreach my $topic (@topics)
{
	is($node->sql("SELECT burrow.wait_until_caught_up('$topic')"), 't', "$topic: caught up");
	$node->sql("SELECT burrow.pause('$topic')");
	$node->wait_for_state($topic, 'paused');
}

#
# The same in 0.1.0's tables.
#
my %columns = (
	subscription => [qw(subid name owner system_identifier dboid topic handler handler_owner consumer_group uuid cluster_id status options)],
	progress => [qw(subid topic partition lane low done seen_offset seen_time)],
	dead_letter => [
		qw(subid topic partition "offset" key value headers "timestamp" attempts sqlstate message detail hint context first_failed_at last_failed_at)],
);
my %list = map { $_ => join(', ', @{ $columns{$_} }) } keys %columns;
# without what 0.1.0 has no option for, and sizes without a unit
my $options = q{ARRAY(SELECT CASE WHEN o ~ '^(queue_memory|max_inflight_bytes)=' THEN format('%s=%s', split_part(o, '=', 1), pg_size_bytes(split_part(o, '=', 2)))
	ELSE o END FROM unnest(options) o WHERE o !~ '^(dead_letter_headers|run_as_owner)=') AS options};
foreach my $table (qw(subscription progress dead_letter))
{
	my $taken = $list{$table} =~ s/\b(owner|handler_owner)\b/burrow._role_oid($1)::regrole AS $1/gr =~ s/\boptions\b/$options/r =~ s/\bheaders\b/'{}'::text[] AS headers/r;
	$node->sql("CREATE TABLE kept_$table AS SELECT $taken FROM burrow.$table");
}
$node->sql('DROP EXTENSION burrow');
$node->wait_for('the processes to end', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type IN ('burrow consumer', 'burrow worker')});
my $position = $node->log_position;
$node->sql("CREATE EXTENSION burrow VERSION '0.1.0'");
foreach my $table (qw(subscription progress dead_letter))
{
	my $put = $list{$table} =~ s/\bstatus\b/'enabled'/r =~ s/\bheaders\b/'{}'/r;
	$node->sql("INSERT INTO burrow.$table ($list{$table}) SELECT $put FROM kept_$table");
}
$node->sql(q{SELECT setval('burrow.subscription_subid_seq', 100)});
$node->sql("INSERT INTO burrow.subscription ($list{subscription}, error_topic, error_partition, error_offset, error_sqlstate, error_message, error_at)"
		. ' SELECT ' . ($list{subscription} =~ s/\bsubid\b/99/r =~ s/\bname\b/'broken'/r =~ s/\buuid\b/gen_random_uuid()/r =~ s/\bstatus\b/'halted'/r)
		. q{, 'orders', 0, 7, '22000', 'not this one: secret', now() FROM kept_subscription WHERE name = 'orders'});
my $grants = <<'SQL';
GRANT EXECUTE ON FUNCTION burrow.subscribe, burrow.pause TO clerk;
GRANT EXECUTE ON FUNCTION burrow.seek(text, timestamptz) TO clerk WITH GRANT OPTION;
GRANT SELECT ON burrow.dead_letters TO auditor;
GRANT SELECT (subscription, state) ON burrow.workers TO auditor;
REVOKE SELECT ON burrow.stats FROM PUBLIC;
SQL
$node->sql($grants);
$kafka->produce_many($_, count => 50, keys => 10) foreach @topics;

#
# The new library on the old SQL objects: nothing runs, all can be read, and what stops a subscription works.
#
$node->restart;
my $differs = qq{version "0.1.0" of extension "burrow" does not fit the library's version "$version"};
$node->wait_for_state($_, 'retrying') foreach @topics;
is($node->sql(q{SELECT DISTINCT last_error FROM burrow.subscriptions WHERE state = 'retrying'}), "$differs: ALTER EXTENSION burrow UPDATE;", 'the old view says what to do');
like($node->sql(q{SELECT error FROM burrow.why_stuck('orders')}), qr/\Q$differs\E: ALTER EXTENSION burrow UPDATE;/, '... and so does the old why_stuck');
$node->wait_for_log_line(qr/WARNING:  \Q$differs\E\n.*DETAIL:  The \d subscriptions .*\n.*HINT:  Use ALTER EXTENSION burrow UPDATE/, $position);
is($node->sql("SELECT count(*) FROM burrow.$_->[0]"), $_->[1], "burrow.$_->[0] can be read")
	foreach ['subscriptions', 4], ['stats', 4], ['partitions', 0], ['workers', 0], ['dead_letters', 6];
is($node->sql('SELECT min(workers), min(queue_memory), min(owner::text) FROM burrow.subscriptions'), '2|33554432|clerk', '... and has what it had');
cmp_ok($node->sql('SELECT count(*) FROM burrow.options()'), '>', 20, 'options, too');
like($node->sql_error("SELECT burrow.$_"), qr/55000: \Q$differs\E/, "$_ is refused")
	foreach "subscribe('new', 'h')", "alter('orders', workers => 3)", "resume('parts')", "seek('orders', 'orders', 0, 0)", "retry_dead_letters('orders')",
	"dry_run('orders')", "wait_until_caught_up('orders')";
like($node->sql_error($_), qr/\Q$differs\E/, "$_ is refused") foreach 'DROP OWNED BY clerk', 'REASSIGN OWNED BY clerk TO auditor';
like($node->sql_error('DROP ROLE clerk'), qr/owner of subscription "orders"/, 'DROP ROLE knows the owner');
$node->sql(q{SELECT burrow.alter('orders', enabled => false); SELECT burrow.pause('parts'); SELECT burrow.unsubscribe('ends')});
is($node->sql('SELECT name, status FROM burrow.subscription ORDER BY subid'), "orders|disabled\nparts|paused\nbroken|halted", 'subscriptions can be stopped');
$node->wait_for_state('parts', 'paused');
# as before, for what follows
$node->sql(q{UPDATE burrow.subscription SET status = 'enabled' WHERE status <> 'halted'});
$node->sql('INSERT INTO burrow.subscription (' . $list{subscription} . ') SELECT ' . ($list{subscription} =~ s/\bstatus\b/'enabled'/r) . q{ FROM kept_subscription WHERE name = 'ends'});
foreach my $table (qw(progress dead_letter))
{
	my $put = $list{$table} =~ s/\bheaders\b/'{}'/r;
	$node->sql("INSERT INTO burrow.$table ($list{$table}) SELECT $put FROM kept_$table WHERE topic = 'ends'");
}
is($node->sql('SELECT count(*) FROM got'), 3 * 98, 'no message was handled');

#
# The update: by whom it must be, and what is in its way.
#
$node->sql('CREATE ROLE another SUPERUSER; CREATE VIEW lag AS SELECT subscription, lag FROM burrow.stats');
like($node->sql_error('SET ROLE another; ALTER EXTENSION burrow UPDATE'), qr/42501: Burrow's tables belong to role "postgres", which must update the extension\nHINT:  Use SET ROLE postgres/, 'not by another superuser');
like($node->sql_error('ALTER EXTENSION burrow UPDATE'), qr/2BP01: .*\nDETAIL:  view (public\.)?lag depends on view (burrow\.)?stats/, 'not while views depend on its views');
$node->sql('DROP VIEW lag');

$node->sql('ALTER EXTENSION burrow UPDATE');
is($node->sql(q{SELECT extversion FROM pg_extension WHERE extname = 'burrow'}), $version, "the extension is of version $version");
foreach my $topic (@topics)
{
	$node->wait_for("all of $topic", "SELECT count(*) = 147 FROM got WHERE topic = '$topic'");
	is($node->sql("SELECT burrow.wait_until_caught_up('$topic')"), 't', "$topic: caught up");
	is($node->sql(qq{SELECT count(*), count(DISTINCT (partition, "offset")) FROM got WHERE topic = '$topic'}), '147|147', '... each message once');
	is($node->sql("SELECT count(*), count(DISTINCT message) FROM burrow.dead_letters WHERE subscription = '$topic'"), '3|1', '... or a dead letter');
	$kafka->wait_until_committed($node->group_of($topic), $topic, diagnose => sub { $node->diagnostics });
}
is($node->sql(q{SELECT string_agg(s.name || burrow._role_oid(s.owner)::regrole::text || s.uuid, ' ' ORDER BY s.subid) FROM burrow.subscription s WHERE s.subid < 99}),
	$node->sql(q{SELECT string_agg(name || owner::text || uuid, ' ' ORDER BY subid) FROM kept_subscription}), 'subscriptions are as they were');
is($node->sql(q{SELECT state, error_message FROM burrow.subscriptions WHERE subscription = 'broken'}), 'halted|not this one: secret', 'who was halted still is');
is($node->sql(q{GRANT pg_monitor TO auditor; SET ROLE auditor; SELECT error_message FROM burrow.subscriptions WHERE subscription = 'broken'}), 'the message could not be handled (SQLSTATE 22000)',
	'... and shows the message to its owner only');
is($node->sql(q{SELECT DISTINCT queue_memory, on_failure, dead_letter_headers FROM burrow.subscriptions}), '33554432|dead_letter|connect,spring', 'with their options');
$node->sql('CREATE OR REPLACE FUNCTION h(topic text, value jsonb, partition int, "offset" bigint) RETURNS void'
		. q{ LANGUAGE sql AS 'INSERT INTO got VALUES ($1, ($2->>''n'')::int, $3, $4)'});
is($node->sql(q{SET ROLE clerk; SELECT burrow.pause('parts')}), '', 'who could pause still can');
$node->sql(q{SELECT burrow.retry_dead_letters('orders')});
$node->wait_for('the dead letters of orders', q{SELECT count(*) = 150 FROM got WHERE topic = 'orders'});
is($node->sql(q{SELECT count(*) FROM pg_shdepend WHERE refobjid = 'clerk'::regrole AND objid = 'burrow.subscription'::regclass}), '4', 'the cluster knows the owner');
like($node->sql_error('DROP ROLE clerk'), qr/owner of subscription "orders"/, '... and so does DROP ROLE');
like($node->sql(q{SET ROLE clerk; SELECT burrow.subscribe('orders', 'h', 'another', enabled => false)}), qr/another/, 'new subscriptions can be made');

#
# The system catalogs say what they say of a new installation.
#
$node->sql('CREATE DATABASE fresh');
$node->sql("CREATE EXTENSION burrow; $grants", 'fresh');
$node->sql("CREATE DATABASE updated");
$node->sql("CREATE EXTENSION burrow VERSION '0.1.0'; $grants; ALTER EXTENSION burrow UPDATE", 'updated');
my $query = PostgreSQL::Test::Utils::slurp_file("$sources/catalog.sql");
my %facts = map { $_ => $node->sql($query, $_) } qw(fresh updated);
my %lines = map { my $d = $_; $d => { map { $_ => 1 } split /\n/, $facts{$d} } } keys %facts;
cmp_ok(scalar keys %{ $lines{fresh} }, '>', 1000, 'the catalogs have much to say');
is(join("\n", grep { !$lines{fresh}{$_} } sort keys %{ $lines{updated} }), '', 'nothing is in an updated database alone');
is(join("\n", grep { !$lines{updated}{$_} } sort keys %{ $lines{fresh} }), '', 'nor in a new one alone');
my %dump = map { my ($out) = PostgreSQL::Test::Utils::run_command(['pg_dump', '--schema-only', $node->connstr($_)]); $_ => $out =~ s/^\\(un)?restrict .*\n//gmr } qw(fresh updated);
like($dump{updated}, qr/GRANT SELECT ON TABLE burrow\.dead_letters TO auditor/, 'pg_dump takes along what was granted');
is($dump{updated}, $dump{fresh}, '... and nothing else');

$node->stop;
done_testing();
