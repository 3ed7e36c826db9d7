# The library and the extension's SQL objects are of different versions: nothing runs, burrow.why_stuck() says why, and
# what stops a subscription works all the same.  And ALTER SCHEMA ... RENAME.

use BurrowTest;

my $kafka = BurrowTest::Kafka->create('kafka');
my $node = BurrowTest::Node->create('main', kafka => $kafka);
my $version = $node->sql(q{SELECT extversion FROM pg_extension WHERE extname = 'burrow'});

$node->sql(<<'SQL');
CREATE ROLE app LOGIN;
CREATE ROLE other LOGIN;
GRANT CREATE ON SCHEMA public TO app;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA burrow TO app, other;
SQL

sub as_role
{
	my ($role, $sql) = @_;
	return $node->psql('postgres', $sql, extra_params => ['-U', $role, '-v', 'VERBOSITY=verbose']);
}

sub works
{
	my ($sql) = @_;
	my ($status, $out, $err) = as_role('app', $sql);
	is($status, 0, $sql) or diag($err);
	return $out;
}

sub is_refused
{
	my ($sql, $error, $role) = @_;
	my ($status, $out, $err) = as_role($role // 'app', $sql);
	isnt($status, 0, "$sql is refused");
	like($err, $error, '... with a reason');
	return;
}

works(<<'SQL');
CREATE TABLE got (topic text, value text);
CREATE FUNCTION h(topic text, value text) RETURNS void LANGUAGE sql AS 'INSERT INTO got VALUES (topic, value)';
SQL
foreach my $name (qw(runs stops ends pauses))
{
	$kafka->create_topic($name, 1);
	works("SELECT burrow.subscribe('$name', 'h')");
	$kafka->produce($name, { value => 'before' });
}
$node->wait_for('all to run', 'SELECT count(*) = 4 FROM got');
$node->wait_for_state($_, 'running') foreach qw(runs stops ends pauses);

#
# Another version, which calls some columns otherwise.
#
my $renamed = join ' ', map { "ALTER TABLE burrow.subscription RENAME COLUMN $_ TO ${_}_of_old;" } qw(topic handler options uuid error_message);
$node->sql("BEGIN; $renamed UPDATE pg_extension SET extversion = '0.0.9' WHERE extname = 'burrow'; COMMIT");
my $position = $node->log_position;
my $differs = qr/55000: version "0\.0\.9" of extension "burrow" does not fit the library's version "\Q$version\E"/;
is_refused($_, $differs) foreach
	"SELECT burrow.subscribe('new', 'h')", "SELECT burrow.alter('runs', workers => 2)", "SELECT burrow.alter('runs', enabled => false, workers => 2)",
	"SELECT burrow.alter('runs', enabled => true)", "SELECT burrow.resume('runs')", "SELECT burrow.seek('runs', 'runs', 0, 0)",
	"SELECT burrow.seek('runs', '2024-01-01')", "SELECT burrow.wait_until_caught_up('runs')", "SELECT * FROM burrow.dry_run('runs')",
	"SELECT burrow.retry_dead_letters('runs')", "SELECT burrow.discard_dead_letters('runs')";

# what stops a subscription, by its owner
is_refused("SELECT burrow.$_", qr/42501: must be owner of subscription/, 'other') foreach "pause('pauses')", "unsubscribe('ends')", "alter('stops', enabled => false)";
is_refused("SELECT burrow.pause('pausse')", qr/42704: subscription "pausse" does not exist.*Perhaps you meant "pauses"/s);
works("SELECT burrow.alter('stops', enabled => false)");
works("SELECT burrow.pause('pauses')");
works("SELECT burrow.unsubscribe('ends')");
is($node->sql('SELECT name, status FROM burrow.subscription ORDER BY 1'), "pauses|paused\nruns|enabled\nstops|disabled", 'the catalog has it');
like($node->log_since($position), qr/subscription "pauses": pause by role "app"/, 'the log has who did it');
is($node->sql(q{SELECT count(*) FROM burrow.audit WHERE action <> 'subscribe'}), '0', '... and burrow.audit, which is another version\'s, has not');
$node->wait_for('all consumers to be gone', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type IN ('burrow consumer', 'burrow worker')});
$node->wait_for_state('pauses', 'paused');
$node->wait_for_state('stops', 'disabled');
$node->wait_for_log_line(qr/WARNING:  version "0\.0\.9" of extension "burrow" does not fit .*\n.*DETAIL:  The \d subscriptions of this database do not run until it does/, $position);

# the one that should run does not, and says why
$node->wait_for_state('runs', 'retrying');
my $cause = qq{version "0.0.9" of extension "burrow" does not fit the library's version "$version"};
is(works(q{SELECT last_error FROM burrow.subscriptions WHERE subscription = 'runs'}), $cause, 'last_error says why');
is(works(q{SELECT cause, next_statement FROM burrow.why_stuck('runs')}), "$cause|ALTER EXTENSION burrow UPDATE;", 'why_stuck says why, and what to do');
$kafka->produce('runs', { value => 'meanwhile' });

# nor after a restart
$node->restart;
$node->wait_for_state('runs', 'retrying');
is($node->sql(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'burrow consumer'}), '0', 'nor does it run after a restart');

#
# The statement ends it.
#
my $share = $node->config_data('--sharedir') . '/extension/burrow--0.0.9--' . "$version.sql";
chomp $share;
PostgreSQL::Test::Utils::append_to_file($share, join "\n", map { "ALTER TABLE burrow.subscription RENAME COLUMN ${_}_of_old TO $_;" } qw(topic handler options uuid error_message));
END { unlink $share if defined $share }
$node->sql($node->sql(q{SELECT next_statement FROM burrow.why_stuck('runs')}));
$node->wait_for('the message of meanwhile', q{SELECT count(*) = 1 FROM got WHERE value = 'meanwhile'});
$node->wait_for_state('runs', 'running');
is(works(q{SELECT count(*) FROM burrow.why_stuck('runs')}), '0', 'nothing is stuck any more');
works(q{SELECT burrow.resume('pauses')});
$node->wait_for_state('pauses', 'running');

#
# The schema keeps its name, whoever asks; and how.
#
is_refused('ALTER SCHEMA burrow RENAME TO hamster', qr/0A000: cannot rename schema "burrow"\nDETAIL:  Extension "burrow" is in it/, $_) foreach 'app', $node->sql('SELECT current_user');
is_refused("DO \$\$ BEGIN EXECUTE 'ALTER SCHEMA burrow RENAME TO hamster'; END \$\$", qr/0A000: cannot rename schema "burrow"/, $node->sql('SELECT current_user'));
is_refused('ALTER EXTENSION burrow SET SCHEMA public', qr/0A000: extension "burrow" does not support SET SCHEMA/, $node->sql('SELECT current_user'));
$node->sql('CREATE SCHEMA hamster; ALTER SCHEMA hamster RENAME TO gerbil; CREATE DATABASE without');
$node->sql('CREATE SCHEMA burrow; ALTER SCHEMA burrow RENAME TO hamster', 'without');
pass('other schemas, and other databases, are left alone');

$node->stop;
done_testing();
