# A handler's session has the libraries that a client's session of the same role and database has.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);

# a library whose setting has a value where it is loaded, and is not known where it is not; no server is without it, as
# one may be without PostgreSQL's own contrib modules
my $library = BurrowTest::server_module('trace_setting');
$node->sql(<<'SQL');
CREATE TABLE got (value text, loaded bool);
CREATE FUNCTION loaded() RETURNS bool LANGUAGE sql AS $$ SELECT EXISTS (SELECT FROM pg_settings WHERE name = 'pg_tracing.trace_context') $$;
CREATE FUNCTION h(value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO got VALUES (value, loaded());
    RAISE NOTICE 'loaded: %', loaded();
END $$;
SQL
$kafka->create_topic('t', 1);
$node->sql(q{SELECT burrow.subscribe('t', 'h', commit_interval => '100 ms')});

sub loads
{
	my ($expected, $description) = @_;
	$node->wait_for($description, sub {
			$kafka->produce('t', { value => 'x' });
			return $node->sql('SELECT loaded FROM got ORDER BY ctid DESC LIMIT 1') eq $expected;
	});
	pass($description);
	is($node->sql('SELECT loaded()'), $expected, "... as in a client's session");
	# in the next one it would be handled, and so be gone
	$node->sql(q{SELECT burrow.pause('t')});
	$node->wait_for_state('t', 'paused');
	$kafka->produce('t', { value => 'dry' });
	my ($status, $out, $err) = $node->psql('postgres', q{SELECT outcome FROM burrow.dry_run('t', 1)});
	is($out, 'ok', '... a dry run');
	like($err, qr/NOTICE:  loaded: $expected$/m, '... has it too');
	$node->sql(q{SELECT burrow.resume('t')});
	return;
}

loads('f', 'no library');
my $user = $node->sql('SELECT quote_ident(current_user)');
$node->sql("ALTER DATABASE postgres SET session_preload_libraries = '$library'");
loads('t', 'session_preload_libraries of the database');
$node->sql('ALTER DATABASE postgres RESET session_preload_libraries');
loads('f', 'reset');
$node->sql("ALTER ROLE $user SET session_preload_libraries = '$library'");
loads('t', 'session_preload_libraries of the role');
$node->sql("ALTER ROLE $user RESET session_preload_libraries");

# Users may choose from this folder.
my $folder = $node->sql(q{SELECT setting FROM pg_config WHERE name = 'PKGLIBDIR'});
mkdir "$folder/plugins" unless -d "$folder/plugins";
unlink "$folder/plugins/trace_setting.so";
symlink($library, "$folder/plugins/trace_setting.so") or die "cannot make a link to \"$library\": $!\n";
$node->sql("ALTER ROLE $user SET local_preload_libraries = 'trace_setting'");
loads('t', 'local_preload_libraries of the role');

# One that is not there: clients cannot connect, nor can workers, and go on when they can.
$node->sql("ALTER DATABASE postgres SET session_preload_libraries = 'nonexistent'");
$node->wait_for_log_line(qr/burrow worker +ERROR:  could not access file "nonexistent"/);
$node->sql("ALTER DATABASE postgres RESET session_preload_libraries", 'template1');
$node->sql("ALTER ROLE $user RESET local_preload_libraries", 'template1');
$kafka->produce('t', { value => 'last' });
$node->wait_for('the last', q{SELECT count(*) = 1 FROM got WHERE value = 'last'});

$node->stop;
done_testing();
