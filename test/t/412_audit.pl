# burrow.audit: who has changed which subscription, when, and how; who may read it, and how long it is kept.

use BurrowTest;

# no broker is needed: what is asked for is written down when it is asked for
my $node = BurrowTest::Node->create('main', conf => "burrow.bootstrap_servers = 'localhost:1'");
my $super = $node->sql('SELECT current_user');

$node->sql(<<'SQL');
CREATE ROLE app LOGIN;
CREATE ROLE colleague LOGIN IN ROLE app;
CREATE ROLE watch LOGIN IN ROLE pg_monitor;
CREATE ROLE reader LOGIN IN ROLE pg_read_all_data;
CREATE ROLE writer LOGIN IN ROLE pg_write_all_data;
CREATE ROLE nobody LOGIN;
GRANT CREATE ON SCHEMA public TO app;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA burrow TO app;
SQL

sub as
{
	my ($role, $sql) = @_;
	my ($status, $out, $err) = $node->psql('postgres', $sql, extra_params => ['-U', $role]);
	is($status, 0, "$role: $sql") or diag($err);
	return $out;
}

sub is_refused
{
	my ($role, $sql, $error) = @_;
	my ($status, $out, $err) = $node->psql('postgres', $sql, extra_params => ['-U', $role, '-v', 'VERBOSITY=verbose']);
	like($err, $error, "$role: $sql");
	return;
}

# What the last entries say, without their times.
sub last_entries
{
	my ($n) = @_;
	return $node->sql("SELECT subscription, action, role, session_role, details FROM (SELECT * FROM burrow.audit ORDER BY at DESC LIMIT $n) a ORDER BY at");
}

as('app', q{CREATE FUNCTION h(value text) RETURNS void LANGUAGE sql AS 'SELECT'; CREATE FUNCTION other(value text) RETURNS void LANGUAGE sql AS 'SELECT'});

#
# Each action, with what was asked for.
#
my $position = $node->log_position;
as('app', q{SELECT burrow.subscribe('orders', 'h', workers => 2, consumer_group => 'g', kafka => '{"client.rack": "b"}')});
is(last_entries(1), 'orders|subscribe|app|app|{"kafka": "{\"client.rack\": \"b\"}", "topic": "orders", "handler": "public.h(pg_catalog.text)", "workers": "2", "consumer_group": "g"}', 'subscribe: what differs from the defaults');
like($node->log_since($position), qr/LOG:  subscription "orders": subscribe by role "app"\n.*DETAIL:  Session of role "app"; \{"topic": "orders", "handler": "public\.h\(pg_catalog\.text\)", .*"workers": "2"/, 'the log has it, too');
unlike($node->log_since($position), qr/STATEMENT/, '... without the statement');

as('colleague', q{SELECT burrow.alter('orders', workers => 3, ordering => 'partition', handler => 'other', batch_size => 100)});
is(last_entries(1), 'orders|alter|colleague|colleague|{"handler": {"after": "public.other(pg_catalog.text)", "before": "public.h(pg_catalog.text)"}, "workers": {"after": "3", "before": "2"}, "ordering": {"after": "partition", "before": "key"}}', 'alter: what has changed, by a member of the owner');
as('colleague', q{SET ROLE app; SELECT burrow.alter('orders', enabled => false)});
is(last_entries(1), 'orders|alter|app|colleague|{"status": {"after": "disabled", "before": "enabled"}}', 'who has logged in is known after SET ROLE');
as('app', q{SELECT burrow.resume('orders')});
is(last_entries(1), 'orders|resume|app|app|{"copied": "false", "status_before": "disabled"}', 'resume');
as('app', q{SELECT burrow.pause('orders')});
is(last_entries(1), 'orders|pause|app|app|{"status_before": "enabled"}', 'pause');
as('app', q{SELECT burrow.seek('orders', 'orders', 0, 42)});
is(last_entries(1), 'orders|seek|app|app|{"topic": "orders", "offset": 42, "partition": 0}', 'seek');
as('app', q{SELECT burrow.seek('orders', '2024-05-01 12:00+00')});
is(last_entries(1), 'orders|seek|app|app|{"time": "2024-05-01 12:00:00+00"}', 'seek, by time');

$node->sql(<<'END');
INSERT INTO burrow.dead_letter (subid, topic, partition, "offset", key, value, headers, attempts, sqlstate, message, detail, hint, context, first_failed_at, last_failed_at)
	SELECT subid, 'orders', 0, n, 'secret', 'secret', '{}', 1, '22023', 'secret', 'secret', 'secret', 'secret', now(), now()
	FROM burrow.subscription, generate_series(1, 5) n;
END
as('app', q{SELECT burrow.retry_dead_letters('orders', partition => 0, from_offset => 3, older_than => '-1 day')});
is(last_entries(1), 'orders|retry_dead_letters|app|app|{"letters": 3, "partition": "0", "older_than": "-1 days", "from_offset": "3"}', 'retry_dead_letters: the filter, and how many');
as('app', q{SELECT burrow.discard_dead_letters('orders', topic => 'orders', sqlstate => '22')});
is(last_entries(1), 'orders|discard_dead_letters|app|app|{"topic": "orders", "letters": 5, "sqlstate": "22"}', 'discard_dead_letters');
as('app', q{SELECT burrow.discard_dead_letters('orders')});
like(last_entries(1), qr/"letters": 5/, 'what changes nothing is not written');
as('app', q{SELECT burrow.unsubscribe('orders')});
is(last_entries(1), 'orders|unsubscribe|app|app|{"status_before": "paused"}', 'unsubscribe');
unlike($node->sql('TABLE burrow.audit_entry') . $node->log_since($position), qr/secret/, 'no contents of messages, anywhere');

# by way of a function of somebody else's
as('app', q{CREATE FUNCTION make() RETURNS text LANGUAGE sql SECURITY DEFINER AS $$SELECT burrow.subscribe('made', 'h', enabled => false)$$});
as('nobody', 'SELECT make()');
like(last_entries(1), qr/^made\|subscribe\|app\|nobody\|/, 'a SECURITY DEFINER function: both roles');

# long values are cut
my $many = '{' . join(',', map { qq{"$_": 0} } 0 .. 500) . '}';
as('app', qq{SELECT burrow.subscribe('long', 'h', start_from => '$many', enabled => false)});
is($node->sql(q{SELECT length(details->>'start_from') FROM burrow.audit WHERE subscription = 'long'}), '1003', 'long values are cut');

#
# In the same transaction.
#
my $n = $node->sql('SELECT count(*) FROM burrow.audit');
as('app', q{BEGIN; SELECT burrow.alter('made', workers => 7); ROLLBACK});
as('app', q{BEGIN; SAVEPOINT s; SELECT burrow.alter('made', workers => 7); ROLLBACK TO s; COMMIT});
is_refused('app', q{SELECT burrow.alter('made', workers => -7)}, qr/22023/);
is($node->sql('SELECT count(*) FROM burrow.audit'), $n, 'what is rolled back, or refused, leaves no entry');
like($node->log_since($position), qr/subscription "made": alter by role "app"/, '... but a line in the log');

#
# Commands of PostgreSQL's that give away or end what a role owns.
#
$node->sql(q{CREATE ROLE heir LOGIN IN ROLE app});
as('app', q{SELECT burrow.subscribe('orders', 'h', 'second', enabled => false)});
$position = $node->log_position;
$node->sql(q{REASSIGN OWNED BY app TO heir});
is($node->sql(q{SELECT subscription, action, role, session_role, details FROM burrow.audit WHERE action = 'reassign_owned' ORDER BY subscription}),
	join("\n", map { qq{$_|reassign_owned|$super|$super|{"owner": {"after": "heir", "before": "app"}}} } qw(long made second)), 'REASSIGN OWNED: an entry for each subscription');
like($node->log_since($position), qr/LOG:  subscription "second": reassign_owned by role "$super"\n/, '... and a line in the log');
is(as('app', q{SELECT count(*) FROM burrow.audit WHERE action = 'reassign_owned'}), '3', '... which the owner of before sees');
$node->sql(q{BEGIN; DROP OWNED BY heir; ROLLBACK});
is($node->sql(q{SELECT count(*) FROM burrow.audit WHERE action = 'drop_owned'}), '0', 'DROP OWNED, rolled back: none');
$node->sql(q{CREATE ROLE ender LOGIN; GRANT EXECUTE ON FUNCTION burrow.subscribe TO ender});
as('ender', q{SELECT burrow.subscribe('orders', 'h', 'his', enabled => false)});
as('ender', 'DROP OWNED BY ender');
is(last_entries(1), 'his|drop_owned|ender|ender|{"status_before": "disabled"}', 'DROP OWNED: what it has ended');
$node->sql(q{REASSIGN OWNED BY heir TO app});

#
# Who may read it.
#
$n = $node->sql(q{SELECT count(*) FROM burrow.audit_entry WHERE owner = 'app'::regrole});
is(as('app', 'SELECT count(*) FROM burrow.audit'), $n, 'the owner sees what was done to what is, or was, his');
is(as('colleague', 'SELECT count(*) FROM burrow.audit'), $n, '... and so does a member');
is(as('watch', 'SELECT count(*) FROM burrow.audit'), $node->sql('SELECT count(*) FROM burrow.audit'), '... and pg_monitor all of it');
is(as($_, 'SELECT count(*) FROM burrow.audit'), '0', "$_ sees nothing") foreach qw(nobody reader writer);
is_refused($_, 'TABLE burrow.audit_entry', qr/42501: permission denied for table audit_entry/) foreach qw(app watch nobody);
is(as('reader', 'SELECT count(*) FROM burrow.audit_entry'), '0', 'not even who may read all tables');
is_refused('writer', 'DELETE FROM burrow.audit_entry', qr/42501: permission denied for table audit_entry/);
is_refused('writer', q{INSERT INTO burrow.audit_entry VALUES (gen_random_uuid(), now(), 'pause', 1, 's', 10, 'r', 'r', '{}')}, qr/42501: permission denied for table audit_entry/);
is_refused($_, 'TRUNCATE burrow.audit_entry', qr/42501: permission denied for table audit_entry/) foreach qw(app writer);
is_refused('app', 'DELETE FROM burrow.audit', qr/42501: permission denied for view audit/);

#
# How long it is kept, and that no call removes much.
#
$node->sql(q{INSERT INTO burrow.audit_entry SELECT gen_random_uuid(), now() - interval '91 days', 'pause', 1, 'old', 10, 'r', 'r', '{}' FROM generate_series(1, 250)});
my $old = sub { return $node->sql(q{SELECT count(*) FROM burrow.audit WHERE subscription = 'old'}) };
as('app', q{SELECT burrow.alter('made', workers => 5)});
is($old->(), '150', 'a call removes 100 of the old');
as('app', q{BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT burrow.alter('made', workers => 6); COMMIT});
is($old->(), '150', 'none under a snapshot of the whole transaction');
$node->sql(q{ALTER SYSTEM SET burrow.audit_retention = -1});
$node->reload;
$node->wait_for('the setting', q{SELECT current_setting('burrow.audit_retention') = '-1'});
as('app', q{SELECT burrow.alter('made', workers => 5)});
is($old->(), '150', 'none, where they are kept for ever');
$n = $node->sql('SELECT count(*) FROM burrow.audit');
$node->sql(q{ALTER SYSTEM SET burrow.audit_retention = 0});
$node->reload;
$node->wait_for('the setting', q{SELECT current_setting('burrow.audit_retention') = '0'});
$position = $node->log_position;
as('app', q{SELECT burrow.alter('made', workers => 6)});
is($node->sql('SELECT count(*) FROM burrow.audit'), $n, 'none is written, where none is kept');
like($node->log_since($position), qr/subscription "made": alter by role "app"/, '... but logged');
$node->sql(q{ALTER SYSTEM RESET burrow.audit_retention});
$node->reload;
$node->wait_for('the setting', q{SELECT current_setting('burrow.audit_retention') = '90d'});
as('app', q{SELECT burrow.alter('made', workers => 7)}) foreach 1 .. 2;
is($old->(), '0', 'all of them in the end');
is_refused('app', q{SET burrow.audit_retention = 1}, qr/55P02: parameter "burrow.audit_retention" cannot be changed now/);

# somebody holds the oldest: nobody waits for him
$node->sql(q{INSERT INTO burrow.audit_entry VALUES (gen_random_uuid(), now() - interval '91 days', 'pause', 1, 'old', 10, 'r', 'r', '{}')});
my $session = $node->background_psql('postgres');
$session->query_safe(q{BEGIN; SELECT * FROM burrow.audit_entry WHERE subscription = 'old' FOR UPDATE});
as('app', q{SET lock_timeout = '10s'; SELECT burrow.alter('made', workers => 8)});
$session->quit;

#
# A dump leaves it out: its owners are this cluster's.
#
my ($dump, $err) = PostgreSQL::Test::Utils::run_command(['pg_dump', '-d', $node->connstr('postgres')]);
like($dump, qr/COPY burrow\.subscription /, 'a dump has the subscriptions');
unlike($dump, qr/audit_entry/, 'and no entries');

$node->stop;
done_testing();
