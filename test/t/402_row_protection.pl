# Privileges on all tables do not reach into Burrow's: who may write everything has no function run as somebody
# else, and who may read everything sees no dead letter of others.  Burrow itself works all the same.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
$kafka->create_topic($_, 1) foreach 'orders', 'bait';
$node->sql(<<'SQL');
CREATE ROLE clerk LOGIN;
CREATE ROLE writer LOGIN IN ROLE pg_write_all_data;
CREATE ROLE reader LOGIN IN ROLE pg_read_all_data;
CREATE ROLE bypass LOGIN BYPASSRLS IN ROLE pg_write_all_data, pg_read_all_data;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA burrow TO clerk;
CREATE SCHEMA clerk AUTHORIZATION clerk;
CREATE SCHEMA evil AUTHORIZATION writer;
GRANT USAGE ON SCHEMA evil TO PUBLIC;
SET SESSION AUTHORIZATION clerk;
CREATE TABLE clerk.got (value text);
CREATE FUNCTION clerk.h(value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF value = 'SECRET' THEN RAISE EXCEPTION 'no SECRET here'; END IF;
    INSERT INTO clerk.got VALUES (value);
END $$;
SET SESSION AUTHORIZATION writer;
CREATE TABLE evil.ran_as (role name);
CREATE FUNCTION evil.h(value text) RETURNS void LANGUAGE sql AS 'INSERT INTO evil.ran_as VALUES (current_user)';
SQL
# what a session of the owner's is set to makes no difference to Burrow's own statements
$node->sql('ALTER ROLE clerk SET row_security = off');

sub as { my ($role, $sql) = @_; return $node->sql("SET SESSION AUTHORIZATION $role; $sql") }
sub refused { my ($role, $sql) = @_; return $node->sql_error("SET SESSION AUTHORIZATION $role; $sql") }

# ---- Burrow's own code

as('clerk', q{SELECT burrow.subscribe('orders', 'clerk.h', on_failure => 'dead_letter', max_retries => 0, max_consecutive_errors => 1000)});
$kafka->produce('orders', map { { key => "k$_", value => $_ % 2 ? 'SECRET' : "order $_" } } 1 .. 60);
$kafka->wait_until_committed($node->group_of('orders'), 'orders', diagnose => sub { $node->diagnostics });
is($node->sql('SELECT count(*) FROM clerk.got'), '30', 'messages are handled');
is($node->sql('SELECT count(*) > 0 FROM burrow.progress WHERE lane >= 0 OR low > 0'), 't', 'progress is written');
is(as('clerk', 'SELECT count(*) FROM burrow.dead_letters'), '30', 'the owner sees the dead letters');

my @tables = split /\n/, $node->sql(q{SELECT c.oid::regclass FROM pg_class c JOIN pg_depend d ON d.objid = c.oid AND d.classid = 'pg_class'::regclass
	AND d.deptype = 'e' JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'burrow' WHERE c.relkind IN ('r', 'p') ORDER BY c.relname});
cmp_ok(scalar @tables, '>=', 4, 'tables of the extension');
is($node->sql(<<"SQL"), 't|t|f', "$_ is protected") foreach @tables;
SELECT c.relrowsecurity, EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'guard' AND t.tgenabled = 'A'),
	EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid) FROM pg_class c WHERE c.oid = '$_'::regclass
SQL

# ---- writing

my $row = q{(subid, name, owner, system_identifier, dboid, topic, handler, handler_owner, consumer_group, uuid, status, options)
	SELECT 4711, 'bait', 'postgres', (SELECT system_identifier FROM pg_control_system()), (SELECT oid FROM pg_database WHERE datname = 'postgres'),
	'bait', 'evil.h(text)', 'writer', 'bait', gen_random_uuid(), 'enabled', '{workers=1}'};
for my $role ('writer', 'bypass')
{
	my $denied = qr/ERROR:  42501: permission denied for table subscription\nDETAIL:  Only the table's owner and Burrow's own functions write it\.\nHINT:  Use Burrow's functions/;
	like(refused($role, "INSERT INTO burrow.subscription $row"), $denied, "$role cannot add a subscription of the superuser's");
	like(refused($role, q{UPDATE burrow.subscription SET owner = 'postgres', handler = 'evil.h(text)', handler_owner = 'writer'}), $denied, "$role cannot give one away");
	like(refused($role, q{DELETE FROM burrow.subscription}), $denied, "$role cannot delete it");
	for my $table (@tables)
	{
		my $column = $node->sql("SELECT attname FROM pg_attribute WHERE attrelid = '$table'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum LIMIT 1");
		my ($name) = $table =~ /(\w+)$/;
		like(refused($role, $_), qr/42501: permission denied for table $name/, "$role: $_") foreach "INSERT INTO $table DEFAULT VALUES",
			"UPDATE $table SET $column = DEFAULT", "DELETE FROM $table";
	}
}
like(refused('bypass', q{SET session_replication_role = replica; DELETE FROM burrow.progress}), qr/42501: permission denied/, 'the guard cannot be turned off');
$node->sql('GRANT SET ON PARAMETER session_replication_role TO bypass');
like(refused('bypass', q{SET session_replication_role = replica; DELETE FROM burrow.progress}), qr/42501: permission denied for table progress/, 'not even so');
$kafka->produce('bait', { value => 'x' });
as('clerk', q{SELECT burrow.alter('orders', workers => 2)});
is($node->sql('SELECT count(*) FROM evil.ran_as'), '0', 'nothing ran as anybody else');

# the triggers' functions, on a table of somebody's own, who was granted all functions
my $own = 'CREATE TEMP TABLE t (owner text, system_identifier bigint); CREATE TRIGGER x %s INSERT ON t FOR EACH %s EXECUTE FUNCTION burrow._keep_owner(); INSERT INTO t VALUES (NULL, 1)';
like(refused('clerk', sprintf($own, @$_)), qr/39P01: function "burrow\._keep_owner" is the trigger of table "burrow\.subscription" only/, "not @$_ of another table")
	foreach ['AFTER', 'ROW'], ['BEFORE', 'ROW'], ['AFTER', 'STATEMENT'];

# ---- reading

is(as('reader', "SELECT count(*) FROM $_"), '0', "reader sees no row of $_") foreach @tables;
is(as('reader', "SELECT count(*) FROM burrow.$_"), '0', "nor through burrow.$_") foreach 'dead_letters', 'subscriptions', 'stats', 'workers', 'partitions';
$node->sql('ANALYZE burrow.dead_letter, burrow.subscription');
is(as('reader', q{SELECT count(*) FROM pg_statistic s WHERE s.starelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'burrow'::regnamespace)
	AND (s::text ~ 'SECRET' OR s::text ~ encode('SECRET', 'hex'))}), '0', 'nor in the statistics');
cmp_ok(as('reader', q{SELECT count(*) FROM pg_statistic WHERE starelid = 'burrow.dead_letter'::regclass}), '>', 0, 'which reader can read');
$node->command_checks_all(['pg_dump', '-U', 'reader', '-f', $node->basedir . '/reader.sql', $node->connstr('postgres')], 1, [],
	[qr/query would be affected by row-level security policy for table "(subscription|progress|topic_identity|pending_seek|dead_letter)"/], 'reader cannot dump it');

# ---- and what is ours goes on

$node->command_ok(['pg_dump', '-f', $node->basedir . '/super.sql', $node->connstr('postgres')], 'a superuser can');
like(PostgreSQL::Test::Utils::slurp_file($node->basedir . '/super.sql'), qr/\\\\x534543524554/, 'with the dead letters');
as('clerk', q{CREATE OR REPLACE FUNCTION clerk.h(value text) RETURNS void LANGUAGE sql AS 'INSERT INTO clerk.got VALUES (value)'});
is(as('clerk', q{SELECT burrow.retry_dead_letters('orders')}), '30', 'letters are tried again');
$node->wait_for('them to be handled', 'SELECT count(*) = 60 FROM clerk.got');
as('clerk', q{SELECT burrow.seek('orders', 'orders', 0, 50)});
$node->wait_for('the seek', 'SELECT count(*) = 70 FROM clerk.got');
as('clerk', q{SELECT burrow.pause('orders'), burrow.unsubscribe('orders')});
is($node->sql('SELECT (SELECT count(*) FROM burrow.progress) + (SELECT count(*) FROM burrow.dead_letter)'), '0', 'and unsubscribe leaves nothing');

$node->stop;
done_testing();
