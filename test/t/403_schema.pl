# Who owns a schema "burrow" before the extension does, or puts look-alikes in the place of Burrow's tables and types,
# gets nothing.  The attacker may create schemas, and no more.

use BurrowTest;

my $node = BurrowTest::Node->create('main', extension => 0);
$node->sql(<<'SQL');
CREATE ROLE mallory LOGIN;
CREATE ROLE admin LOGIN SUPERUSER;
GRANT CREATE ON DATABASE postgres TO mallory;
CREATE TABLE system AS SELECT system_identifier AS id FROM pg_control_system();
GRANT SELECT ON system TO mallory;
SQL

sub as { my ($role, $sql) = @_; return $node->sql("SET SESSION AUTHORIZATION $role; $sql") }
sub refused { my ($role, $sql) = @_; return $node->sql_error("SET SESSION AUTHORIZATION $role; $sql") }

# ---- the schema is there already

as('mallory', 'CREATE SCHEMA burrow');
like(refused('postgres', 'CREATE EXTENSION burrow'),
	qr/ERROR:  42P06: schema "burrow" exists already and is owned by role "mallory"\nDETAIL:  .*\nHINT:  Look at what it is for, rename it or drop it, and create the extension again\./, 'a schema of somebody else is refused');
is($node->sql(q{SELECT count(*) FROM pg_extension WHERE extname = 'burrow'}), '0', 'and nothing is left');
as('mallory', q{CREATE FUNCTION burrow._key_order(key text) RETURNS bigint LANGUAGE sql AS 'SELECT 1'});
$node->sql('ALTER SCHEMA burrow OWNER TO postgres');
like(refused('postgres', 'CREATE EXTENSION burrow'), qr/42P06: schema "burrow" exists already and is not empty\nDETAIL:  It contains function (burrow\.)?_key_order\(text\)\./,
	'one with things in it, too, whoever owns it now');
$node->sql('DROP FUNCTION burrow._key_order(text); GRANT CREATE ON SCHEMA burrow TO mallory');
like(refused('postgres', 'CREATE EXTENSION burrow'), qr/42P06: schema "burrow" exists already and role "mallory" may create objects in it/, 'one that others can create in');
$node->sql('REVOKE CREATE ON SCHEMA burrow FROM mallory; GRANT CREATE ON SCHEMA burrow TO PUBLIC');
like(refused('postgres', 'CREATE EXTENSION burrow'), qr/42P06: schema "burrow" exists already and everybody may create objects in it/, 'PUBLIC, too');
$node->sql('REVOKE CREATE ON SCHEMA burrow FROM PUBLIC');
like(refused('admin', 'CREATE EXTENSION burrow'), qr/42P06: schema "burrow" exists already and is owned by role "postgres"/, 'one of another superuser');
$node->sql('CREATE EXTENSION burrow');
is($node->sql('SELECT count(*) FROM burrow.subscriptions'), '0', 'an empty one of the installing role is taken');
$node->sql('DROP EXTENSION burrow; DROP SCHEMA burrow');
$node->sql('CREATE EXTENSION burrow');
is($node->sql(q{SELECT count(*) FROM pg_proc WHERE proname = '_check_schema'}), '0', 'what looks at it is gone then');

# ---- look-alikes beside the extension

my $gone = qr/55000: table "burrow\.subscription" does not belong to extension "burrow"\nHINT:  /;
$node->sql(q{CREATE FUNCTION h(value jsonb) RETURNS void LANGUAGE sql AS ''; ALTER SYSTEM SET burrow.bootstrap_servers = 'localhost:1'; SELECT pg_reload_conf()});
$node->wait_for('the setting', q{SELECT current_setting('burrow.bootstrap_servers') = 'localhost:1'});
# the command is refused where the library is loaded (409_versions.pl)
$node->sql(q{UPDATE pg_namespace SET nspname = 'lair' WHERE nspname = 'burrow'});
as('mallory', <<'SQL');
CREATE SCHEMA burrow;
CREATE TYPE burrow.header AS (name text, value bytea);
CREATE TYPE burrow.message AS (topic text);
RESET SESSION AUTHORIZATION;
CREATE TABLE burrow.subscription (LIKE lair.subscription);
ALTER TABLE burrow.subscription OWNER TO mallory;
SET SESSION AUTHORIZATION mallory;
INSERT INTO burrow.subscription (subid, name, owner, system_identifier, dboid, topic, handler, handler_owner, consumer_group, join_group, uuid, commits_untagged, status, options)
	SELECT 1, 'bait', 'postgres', (SELECT id FROM public.system), (SELECT oid FROM pg_database WHERE datname = 'postgres'),
	'bait', 'public.h(jsonb)', 'postgres', 'bait', false, gen_random_uuid(), false, 'enabled', '{workers=1}';
SQL
like(refused('postgres', q{SELECT lair.subscribe('a', 'h')}), qr/55000: type "burrow\.message" does not belong to extension "burrow"\nHINT:  /, 'a look-alike type is not used to subscribe');
like(refused('postgres', q{SELECT lair.pause('bait')}), $gone, 'nor to find a subscription');
my $position = $node->log_position;
$node->restart;
$node->wait_for_log_line(qr{burrow discovery +ERROR:  table "burrow\.subscription" does not belong}, $position);
is($node->sql(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type ~ '^burrow (consumer|worker)'}), '0', 'nor by discovery');
as('mallory', 'DROP SCHEMA burrow CASCADE');
$node->sql(q{UPDATE pg_namespace SET nspname = 'burrow' WHERE nspname = 'lair'});
is($node->sql(q{SELECT burrow.subscribe('a', 'h', enabled => false)}), 'a', 'when it is gone, all is well');
$node->sql('ALTER EXTENSION burrow DROP TABLE burrow.progress');
like(refused('postgres', q{SELECT burrow.pause('a')}), qr/55000: table "burrow\.progress" does not belong to extension "burrow"/, 'each table is looked at');
$node->sql('ALTER EXTENSION burrow ADD TABLE burrow.progress');
$node->sql('ALTER EXTENSION burrow DROP TYPE burrow.message');
like(refused('postgres', q{SELECT burrow.subscribe('b', 'h')}), qr/55000: type "burrow\.message" does not belong to extension "burrow"/, 'and each type');
$node->sql('ALTER EXTENSION burrow ADD TYPE burrow.message');
$node->sql(q{SELECT burrow.unsubscribe('a')});

$node->stop;
done_testing();
