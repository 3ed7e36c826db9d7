# What becomes of a subscription when its owner is dropped, gives away what it owns, or loses a right that the
# workers need.  Roles have no more rights than what is shown needs.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$kafka->create_topic($_, 1) foreach 'orders', 'other';
$node->sql(<<'SQL');
CREATE ROLE clerk LOGIN;
CREATE ROLE friend LOGIN;
CREATE ROLE stranger LOGIN;
CREATE ROLE maker LOGIN CREATEROLE;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA burrow TO clerk;
CREATE TABLE got (value text, by name DEFAULT session_user);
GRANT INSERT ON got TO PUBLIC;
CREATE FUNCTION h(value text) RETURNS void LANGUAGE sql AS 'INSERT INTO public.got VALUES (value)';
SQL

# who may drop a role must be told so, from 16 on, and is no member of it
$node->sql('GRANT clerk, friend TO maker WITH ADMIN TRUE, INHERIT FALSE, SET FALSE') if $node->sql(q{SELECT current_setting('server_version_num')}) >= 160000;

sub as { my ($role, $sql, $database) = @_; return $node->sql("SET SESSION AUTHORIZATION $role; $sql", $database) }
sub refused { my ($role, $sql, $database) = @_; return $node->sql_error("SET SESSION AUTHORIZATION $role; $sql", $database) }
my $sent = 0;

# Another message is handled, by this role.
sub goes_on
{
	my ($role, $what) = @_;
	$sent++;
	$kafka->produce('orders', { key => 'k', value => "m$sent" });
	$node->wait_for("message $sent", "SELECT count(*) = 1 FROM got WHERE value = 'm$sent'");
	is($node->sql("SELECT by FROM got WHERE value = 'm$sent'"), $role, $what);
	return;
}

# ---- DROP ROLE

as('clerk', q{SELECT burrow.subscribe('orders', 'h', min_workers => 1, workers => 2, batch_size => 1)});
goes_on('clerk', 'it runs as its owner');
my $depends = qr/2BP01: role "clerk" cannot be dropped because some objects depend on it\nDETAIL:  owner of subscription "orders"(?:\nowner of subscription "other")?\nHINT:  Use REASSIGN OWNED or DROP OWNED/;
like(refused('maker', 'DROP ROLE clerk'), $depends, 'DROP ROLE is refused');
$node->sql('CREATE DATABASE elsewhere');
like(refused('maker', 'DROP ROLE clerk', 'elsewhere'), qr/2BP01: role "clerk" cannot be dropped because some objects depend on it\nDETAIL:  \d+ objects? in database postgres/, 'from another database, too');
like($node->sql_error('BEGIN; DROP OWNED BY clerk; ROLLBACK; DROP ROLE clerk'), $depends, 'after a DROP OWNED that was rolled back, too');
my $entries = q{SELECT count(*) FROM pg_shdepend WHERE refobjid = 'clerk'::regrole AND objid = 'burrow.subscription'::regclass AND dbid = (SELECT oid FROM pg_database WHERE datname = 'postgres')};
as('clerk', q{SELECT burrow.subscribe('other', 'h', enabled => false)});
is($node->sql($entries), '2', 'each subscription is known');
as('clerk', q{BEGIN; SELECT burrow.subscribe('other', 'h', 'third', enabled => false); SELECT burrow.unsubscribe('other'); ROLLBACK});
is($node->sql($entries), '2', 'and none that there is not');
$node->sql('CREATE DATABASE copy TEMPLATE postgres', 'elsewhere');
as('clerk', q{SELECT burrow.unsubscribe('other')});
is($node->sql($entries), '1', 'one that has ended is not known any more');
like(refused('maker', 'DROP ROLE clerk', 'elsewhere'), qr/DETAIL:  .*in database copy/s, 'a copy of the database has its own');
$node->sql('DROP DATABASE copy');
goes_on('clerk', 'and it runs');

# ---- giving away

like(refused('stranger', q{SELECT burrow.alter('orders', owner => 'stranger')}), qr/42501: permission denied for function alter/, 'a stranger cannot take it');
$node->sql('GRANT EXECUTE ON FUNCTION burrow.alter TO stranger');
like(refused('stranger', q{SELECT burrow.alter('orders', owner => 'stranger')}), qr/42501: must be owner of subscription "orders"/, 'nor if he may call the function');
like(refused('clerk', q{SELECT burrow.alter('orders', owner => 'friend')}), qr/42501: must be (a )?member of role "friend"|42501: must be able to SET ROLE "friend"/, 'its owner cannot give it to just anybody');
like(refused('clerk', q{SELECT burrow.alter('orders', owner => 'postgres')}), qr/42501: must be/, 'nor to a superuser');
$node->sql('GRANT friend TO clerk');
like(refused('clerk', q{SELECT burrow.alter('orders', owner => 'friend')}),
	qr/42501: role "friend" may not own subscriptions\nDETAIL:  .*\nHINT:  This mends it: GRANT EXECUTE ON FUNCTION burrow.subscribe TO friend;/, 'nor to one who may not subscribe');
like(refused('clerk', q{SELECT burrow.alter('orders', owner => 'nobody')}), qr/42704: role "nobody" does not exist/, 'nor to nobody');
$node->sql('GRANT EXECUTE ON FUNCTION burrow.subscribe TO friend');
as('clerk', q{SELECT burrow.alter('orders', owner => 'friend')});
goes_on('friend', 'the new owner runs it');
$node->sql('REVOKE friend FROM clerk');
is(as('clerk', 'SELECT count(*) FROM burrow.subscriptions'), '0', 'the old one does not see it any more');
is($node->sql($entries), '0', 'and does not depend on it');
like(refused('maker', 'DROP ROLE friend'), qr/2BP01: .*\nDETAIL:  owner of subscription "orders"/, 'the new one does');

# ---- REASSIGN OWNED, DROP OWNED

like(refused('maker', 'REASSIGN OWNED BY friend TO clerk'), qr/42501/, 'REASSIGN OWNED by a stranger') if $node->sql('SELECT current_setting(\'server_version_num\')::int') >= 160000;
like(refused('stranger', 'REASSIGN OWNED BY friend TO stranger'), qr/42501: permission denied to reassign objects/, 'REASSIGN OWNED by who is no member');
$node->sql('GRANT friend TO clerk');
as('clerk', 'REASSIGN OWNED BY friend TO clerk');
goes_on('clerk', 'REASSIGN OWNED gives it away');
$node->sql('REVOKE friend FROM clerk');
like(refused('stranger', 'DROP OWNED BY clerk'), qr/42501: permission denied to drop objects/, 'DROP OWNED by a stranger');
is($node->sql('SELECT count(*) FROM burrow.subscriptions'), '1', 'leaves it alone');
as('clerk', 'DROP OWNED BY clerk');
is($node->sql('SELECT count(*) FROM burrow.subscriptions'), '0', 'DROP OWNED by its owner ends it');
$node->wait_for('its processes to be gone', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type ~ '^burrow (consumer|worker)'});
$node->sql('DROP OWNED BY clerk; DROP ROLE clerk');
ok(1, 'and the role can be dropped');

# ---- TRUNCATE, by a superuser

$node->sql(<<'SQL');
CREATE ROLE clerk LOGIN;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA burrow TO clerk;
SQL
as('clerk', q{SELECT burrow.subscribe('orders', 'h', start_from => 'latest'), burrow.subscribe('other', 'h', enabled => false)});
$node->wait_for_state('orders', 'running');
like($node->sql_error('BEGIN; TRUNCATE burrow.subscription CASCADE; ROLLBACK; DROP ROLE clerk'), $depends, 'after a TRUNCATE that was rolled back a role is known as an owner');
$node->sql('TRUNCATE burrow.subscription CASCADE');
is($node->sql($entries), '0', 'and after one that was not, it is none any more');
$node->wait_for('its processes to be gone', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type ~ '^burrow (consumer|worker)'});
$node->sql('DROP OWNED BY clerk; DROP ROLE clerk');

# ---- a superuser's rights

$node->sql(<<'SQL');
CREATE ROLE clerk LOGIN;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA burrow TO clerk;
CREATE FUNCTION trap(value text) RETURNS void LANGUAGE sql AS 'INSERT INTO public.got VALUES (value)';
ALTER FUNCTION trap OWNER TO stranger;
SQL
my $not_his = qr/42501: function public\.trap\((?:pg_catalog\.)?text\) is owned by role "stranger", who is not a superuser\nDETAIL:  .*rights of role "postgres".*\nHINT:  This mends it: ALTER FUNCTION public\.trap\((?:pg_catalog\.)?text\) OWNER TO postgres;/;
like($node->sql_error(q{SELECT burrow.subscribe('orders', 'trap')}), $not_his, 'a superuser does not run it without saying so');
as('clerk', q{SELECT burrow.subscribe('orders', 'trap', 'clerks', enabled => false)});
like($node->sql_error(q{SELECT burrow.alter('clerks', owner => 'postgres')}), $not_his, 'nor when it becomes his');
like(refused('clerk', q{SELECT burrow.alter('clerks', run_as_owner => true)}), qr/42501: permission denied to set option "run_as_owner"/, 'nobody can say it for him beforehand');
like(refused('clerk', q{SELECT burrow.subscribe('orders', 'trap', 'second', run_as_owner => true)}), qr/42501: permission denied to set option "run_as_owner"/, 'nor from the start');
$node->sql(q{SELECT burrow.alter('clerks', run_as_owner => true)});
$node->sql('REASSIGN OWNED BY clerk TO postgres');
is($node->sql(q{SELECT owner, run_as_owner FROM burrow.subscriptions}), 'postgres|f', 'and what was said for another owner does not count');
like($node->sql_error(q{SELECT burrow.resume('clerks')}), $not_his, 'so it does not run');
$node->sql(q{SELECT burrow.unsubscribe('clerks'); SELECT burrow.subscribe('orders', 'trap', run_as_owner => true, start_from => 'latest')});
$node->wait_for_state('orders', 'running');
goes_on('postgres', 'but when he means it');
$node->sql(q{SELECT burrow.unsubscribe('orders')});

# ---- rights that are taken away: the workers stop before the next message, and go on when they are back

$node->sql(<<'SQL');
CREATE SCHEMA app;
CREATE FUNCTION app.h(value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF value = 'wait' THEN PERFORM pg_advisory_lock_shared(4711), pg_advisory_unlock_shared(4711); END IF;
    INSERT INTO public.got VALUES (value);
END $$;
REVOKE EXECUTE ON FUNCTION app.h FROM PUBLIC;
GRANT USAGE ON SCHEMA app TO clerk;
GRANT EXECUTE ON FUNCTION app.h TO clerk;
CREATE ROLE second LOGIN SUPERUSER;
CREATE FUNCTION seconds(value text) RETURNS void LANGUAGE sql AS 'INSERT INTO public.got VALUES (value)';
ALTER FUNCTION seconds OWNER TO second;
SQL
as('clerk', q{SELECT burrow.subscribe('orders', 'app.h', workers => 1, batch_time => '30 s', start_from => 'latest')});

# Takes a right away, sees the subscription stop and say why, has that statement run, and sees it go on.
sub stops_and_goes_on
{
	my ($role, $take, $cause, $statement) = @_;
	$node->wait_for_state('orders', 'running');
	$node->wait_for('a worker', q{SELECT count(*) > 0 FROM burrow.workers});
	$node->sql($take);
	$sent++;
	$kafka->produce('orders', { key => 'k', value => "m$sent" });
	$node->wait_for('the workers to leave', q{SELECT state = 'retrying' AND (SELECT count(*) = 0 FROM burrow.workers) FROM burrow.subscriptions});
	my ($error, $failed, $handled) = split /\|/, $node->sql("SELECT last_error, (SELECT messages_failed FROM burrow.stats), (SELECT count(*) FROM got WHERE value = 'm$sent') FROM burrow.subscriptions");
	like($error, $cause, "$take: why");
	is("$failed $handled", '0 0', 'no message is handled, and none fails');
	my ($why, $next) = split /\|/, $node->sql(q{SELECT cause, next_statement FROM burrow.why_stuck('orders')});
	like($why, $cause, 'why_stuck says it');
	like($next, $statement, 'with the statement that mends it');
	$node->sql($next);
	$node->wait_for("message $sent", "SELECT count(*) = 1 FROM got WHERE value = 'm$sent'");
	is($node->sql("SELECT by FROM got WHERE value = 'm$sent'"), $role, 'goes on by itself');
	$node->wait_for_state('orders', 'running');
	is($node->sql(q{SELECT last_error, (SELECT count(*) FROM burrow.why_stuck('orders')) FROM burrow.subscriptions}), '|0', 'and the error is gone');
	return;
}

stops_and_goes_on('clerk', 'ALTER ROLE clerk NOLOGIN', qr/^role "clerk" is not permitted to log in$/, qr/^ALTER ROLE clerk LOGIN;$/);
stops_and_goes_on('clerk', 'REVOKE CONNECT ON DATABASE postgres FROM PUBLIC', qr/^role "clerk" may not connect to database "postgres"$/, qr/^GRANT CONNECT ON DATABASE postgres TO clerk;$/);
stops_and_goes_on('clerk', 'REVOKE EXECUTE ON FUNCTION app.h FROM clerk', qr/^role "clerk" may not execute function app\.h\((pg_catalog\.)?text\)$/, qr/^GRANT EXECUTE ON FUNCTION app\.h\((pg_catalog\.)?text\) TO clerk;$/);
stops_and_goes_on('clerk', 'REVOKE USAGE ON SCHEMA app FROM clerk', qr/^role "clerk" may not use schema "app"$/, qr/^GRANT USAGE ON SCHEMA app TO clerk;$/);

# at the next message, though many are in a worker's hands
my $lock = $node->background_psql('postgres');
$lock->query_safe('SELECT pg_advisory_lock(4711)');
$kafka->produce('orders', map { { key => 'k', value => $_ } } (map { "before $_" } 1 .. 10), 'wait', (map { "after $_" } 1 .. 10));
$node->wait_for('the worker to wait', q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted});
$node->sql('ALTER ROLE clerk NOLOGIN');
$lock->quit;
$node->wait_for('the workers to leave', q{SELECT state = 'retrying' AND (SELECT count(*) = 0 FROM burrow.workers) FROM burrow.subscriptions});
is($node->sql(q{SELECT count(*) FILTER (WHERE value LIKE 'before%'), count(*) FILTER (WHERE value = 'wait'), count(*) FILTER (WHERE value LIKE 'after%') FROM got}), '10|1|0',
	'the one in hand is done, the next is not begun');
$node->sql('ALTER ROLE clerk LOGIN');
$node->wait_for('the others', q{SELECT count(*) = 10 FROM got WHERE value LIKE 'after%'});
is($node->sql(q{SELECT count(*), count(DISTINCT value) FROM got WHERE value ~ '^(before|wait|after)'}), '21|21', 'each once');

# a consumer that starts so
$node->sql('ALTER ROLE clerk NOLOGIN');
$node->restart;
$node->wait_for_state('orders', 'retrying');
$node->wait_for('the error', q{SELECT last_error = 'role "clerk" is not permitted to log in' FROM burrow.subscriptions});
$node->sql('ALTER ROLE clerk LOGIN');
$node->wait_for_state('orders', 'running');
is($node->sql(q{SELECT last_error FROM burrow.subscriptions}), '', 'after a restart, too');
as('clerk', q{SELECT burrow.unsubscribe('orders')});

# a superuser's: who owns the function is not one any more
$node->sql(q{SELECT burrow.subscribe('orders', 'seconds', start_from => 'latest')});
goes_on('postgres', "a superuser runs another superuser's function");
stops_and_goes_on('postgres', 'ALTER ROLE second NOSUPERUSER', qr/^function public\.seconds\((pg_catalog\.)?text\) is owned by role "second", who is not a superuser$/,
	qr/^ALTER FUNCTION public\.seconds\((pg_catalog\.)?text\) OWNER TO postgres;$/);
$node->sql(q{SELECT burrow.unsubscribe('orders')});

# forged by a superuser's hand: what is read is checked
$node->sql(q{SELECT burrow.subscribe('orders', 'h', enabled => false); UPDATE burrow.subscription SET handler = 'public.trap(text)', status = 'enabled'});
as('clerk', q{SELECT burrow.subscribe('other', 'h')});
$node->wait_for('the consumer to say so', q{SELECT last_error ~ 'trap.* is owned by role "stranger", who is not a superuser' FROM burrow.subscriptions WHERE subscription = 'orders'});
is($node->sql(q{SELECT count(*) FROM burrow.workers WHERE subscription = 'orders'}), '0', 'a row that was written by hand gives nobody rights');

$node->stop;
done_testing();
