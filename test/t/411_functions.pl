# docs/security.md's table of functions is what the catalog of a new installation says, and each function asks what
# it says.  There is no earlier release, and so no update to look at.

use BurrowTest;
use File::Basename;

# no broker is needed: none of these calls gets so far
my $node = BurrowTest::Node->create('main', conf => "burrow.bootstrap_servers = 'localhost:1'");
my $docs = PostgreSQL::Test::Utils::slurp_file(dirname(__FILE__) . '/../../docs/security.md');

#
# The table, and the catalog.
#
my ($table) = $docs =~ /^## Functions\n(.*)/ms;
my %documented;
$documented{$1} = { execute => $2, asks => $3 } while $table =~ /^\| `(\w+)` \| (PUBLIC|granted) \| (.*?) ?\|$/mg;
my %found;
foreach (split /\n/, $node->sql(<<'SQL'))
SELECT p.proname, CASE WHEN bool_or(a.grantee IS NOT NULL) THEN 'PUBLIC' ELSE 'granted' END, bool_or(p.prosecdef), bool_and(l.lanname IN ('c', 'internal') OR coalesce(p.proconfig::text, '') ~ 'search_path')
FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
	LEFT JOIN LATERAL (SELECT x.grantee FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x WHERE x.grantee = 0 AND x.privilege_type = 'EXECUTE') a ON true
WHERE p.pronamespace = 'burrow'::regnamespace
GROUP BY p.proname
SQL
{
	my ($name, $execute, $definer, $path) = split /\|/;
	$found{$name} = $execute;
	is($definer, 'f', "$name is not SECURITY DEFINER");
	is($path, 't', "$name depends on nobody's search_path");
}
cmp_ok(scalar keys %found, '>', 20, 'the catalog was read');
is_deeply({ map { $_ => $documented{$_}{execute} } keys %documented }, \%found, 'who may execute which function is in docs/security.md');
is($node->sql(q{SELECT count(*) FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.deptype = 'e' WHERE d.refclassid = 'pg_extension'::regclass
	AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'burrow') AND p.pronamespace <> 'burrow'::regnamespace}), '0', 'and there are none elsewhere');

#
# Whoever may not, and whoever may but does not own the subscription.
#
$node->sql(<<'SQL');
CREATE ROLE app LOGIN;
CREATE ROLE nobody LOGIN;
CREATE ROLE stranger LOGIN;
CREATE ROLE watch LOGIN IN ROLE pg_monitor;
GRANT CREATE ON SCHEMA public TO app;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA burrow TO stranger;
SQL
# as docs/security.md says
my ($grants) = $docs =~ /^### What to grant.*?^```sql\n(.*?)^```/ms;
$node->sql($grants);
is($node->sql(q{SELECT string_agg(DISTINCT p.proname, ' ' ORDER BY p.proname) FROM pg_proc p WHERE p.pronamespace = 'burrow'::regnamespace AND has_function_privilege('app', p.oid, 'EXECUTE') AND NOT has_function_privilege('nobody', p.oid, 'EXECUTE')}),
	join(' ', grep { $found{$_} eq 'granted' && !/^_|offset_runs/ } sort keys %found), 'what docs/security.md grants is all that a role needs');
$node->sql(<<'SQL');
SET ROLE app;
CREATE FUNCTION h(value text) RETURNS void LANGUAGE sql AS 'SELECT';
SELECT burrow.subscribe('orders', 'h', enabled => false);
SQL

sub error_of
{
	my ($role, $sql) = @_;
	my ($status, $out, $err) = $node->psql('postgres', $sql, extra_params => ['-U', $role, '-v', 'VERBOSITY=verbose']);
	return $status == 0 ? 'none' : $err;
}

# a call of each function that is granted
my %calls = (
	alter => [q{SELECT burrow.alter('orders', workers => 2)}, q{SELECT burrow.alter('orders', enabled => false)}],
	check_connection => [q{SELECT burrow.check_connection()}],
	discard_dead_letters => [q{SELECT burrow.discard_dead_letters('orders')}],
	dry_run => [q{SELECT burrow.dry_run('orders')}],
	offset_runs => [q{SELECT burrow.offset_runs('')}],
	peek => [q{SELECT burrow.peek('orders')}],
	pause => [q{SELECT burrow.pause('orders')}],
	resume => [q{SELECT burrow.resume('orders')}],
	retry_dead_letters => [q{SELECT burrow.retry_dead_letters('orders')}],
	seek => [q{SELECT burrow.seek('orders', 'orders', 0, 0)}, q{SELECT burrow.seek('orders', now())}],
	stats_reset => [q{SELECT burrow.stats_reset('orders')}],
	subscribe => [q{SELECT burrow.subscribe('orders', 'h')}],
	topics => [q{SELECT burrow.topics()}],
	unsubscribe => [q{SELECT burrow.unsubscribe('orders')}],
	wait_until_caught_up => [q{SELECT burrow.wait_until_caught_up('orders')}],
);
foreach my $name (sort grep { $found{$_} eq 'granted' } keys %found)
{
# no role can call the function of a trigger, or without the argument that it has no value for
	next if $name =~ /^_/;
	ok($calls{$name}, "$name is called") or next;
	foreach my $sql (@{ $calls{$name} })
	{
		like(error_of('nobody', $sql), qr/42501: permission denied for function $name/, "nobody: $sql");
		like(error_of('watch', $sql), qr/42501: permission denied for function $name/, "a member of pg_monitor: $sql");
		like(error_of('stranger', $sql), qr/42501: must be owner of subscription "orders"/, "not the owner: $sql") if $documented{$name}{asks} =~ /^owner of the subscription/;
	}
}
like(error_of('stranger', $calls{subscribe}[0]), qr/42501: .*permission denied for function|42710: subscription "orders" already exists/, 'subscribe says no more than that the name is taken');
is($node->sql(q{SELECT name, status FROM burrow.subscription}), 'orders|disabled', 'nothing of it has changed anything');

# what PUBLIC may call shows no more than the views
like(error_of('nobody', "SELECT * FROM burrow.$_('orders')"), qr/42704: subscription "orders" does not exist/, "nobody: $_") foreach qw(why_stuck _visible_subid);
is(error_of('watch', "SELECT * FROM burrow.$_('orders')"), 'none', "a member of pg_monitor: $_") foreach qw(why_stuck _visible_subid);
my @shows = grep { ($documented{$_}{asks} // '') eq 'shows what the caller may see' } sort keys %documented;
cmp_ok(scalar @shows, '>=', 3, 'functions that show shared memory');
foreach my $name (@shows)
{
	my $arguments = $node->sql("SELECT pronargs FROM pg_proc WHERE pronamespace = 'burrow'::regnamespace AND proname = '$name'") ? '1' : '';
	my ($status, $out, $err) = $node->psql('postgres', "SELECT count(*) FROM burrow.$name($arguments) r WHERE NOT r IS NULL", extra_params => ['-U', 'nobody']);
	is($out, '0', "nobody: $name shows nothing");
}

# tables are nobody's, views everybody's, and no sequence can be used
is($node->sql(q{SELECT string_agg(c.relname, ' ' ORDER BY c.relname) FROM pg_class c WHERE c.relnamespace = 'burrow'::regnamespace AND has_table_privilege('nobody', c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER') AND c.relkind IN ('r', 'v', 'm', 'p', 'f')}),
	$node->sql(q{SELECT string_agg(c.relname, ' ' ORDER BY c.relname) FROM pg_class c WHERE c.relnamespace = 'burrow'::regnamespace AND c.relkind = 'v'}), 'everybody may read the views, and nothing else');
is($node->sql(q{SELECT count(*) FROM pg_class c WHERE c.relnamespace = 'burrow'::regnamespace AND CASE WHEN c.relkind = 'S' THEN has_sequence_privilege('nobody', c.oid, 'USAGE, SELECT, UPDATE') END}), '0', 'nobody may use a sequence');
is($node->sql(q{SELECT has_schema_privilege('nobody', 'burrow', 'CREATE')}), 'f', 'nobody may make something in the schema');

$node->stop;
done_testing();
