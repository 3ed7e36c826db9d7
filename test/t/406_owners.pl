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
my $depends = qr/2BP01: role "clerk" cannot be dropped because some objects depend on it\nDETAIL:  owner of subscription "orders"\nHINT:  Use REASSIGN OWNED or DROP OWNED/;
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

$node->stop;
done_testing();
