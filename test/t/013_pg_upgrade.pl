# pg_upgrade takes subscriptions and their positions along: in the new cluster they stand still until they are resumed, and
# then go on where they were, and no message is handled twice or lost.  The old cluster is of the same release, or
# of the one in BURROW_OLD_POSTGRES (scripts/test: BURROW_OLD_PG_CONFIG).

use File::Basename qw(dirname);

use BurrowTest;

# what initdb has made for others is of one release
delete $ENV{BURROW_CLUSTERS};
chomp(my $new_bin = `pg_config --bindir`);
my $old_path = $ENV{BURROW_OLD_POSTGRES} // dirname($new_bin);
my $kafka = BurrowTest::Kafka->create('kafka');
my $old = BurrowTest::Node->create('old', kafka => $kafka, install_path => $old_path);
my $old_version = $old->sql('SHOW server_version');

foreach my $topic (qw(orders parts))
{
	$kafka->create_topic($topic, 2);
	$kafka->produce_many($topic, count => 100, keys => 10);
}
$old->sql(<<'SQL');
CREATE ROLE clerk LOGIN;
GRANT ALL ON SCHEMA public TO clerk;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA burrow TO clerk;
SET ROLE clerk;
CREATE TABLE got (topic text, n int, partition int, "offset" bigint);
CREATE FUNCTION h(topic text, value jsonb, partition int, "offset" bigint) RETURNS void
LANGUAGE sql AS $$ INSERT INTO got VALUES (topic, (value->>'n')::int, partition, "offset") $$;
SELECT burrow.subscribe('orders', 'h', kafka => '{"session.timeout.ms": 6000}');
SELECT burrow.subscribe('parts', 'h', kafka => '{"session.timeout.ms": 6000}');
SQL
is($old->sql("SELECT burrow.wait_until_caught_up('$_')"), 't', "$_: caught up") foreach qw(orders parts);
$old->sql("SELECT burrow.pause('parts')");
$old->wait_for_state('parts', 'paused');
$old->stop('fast');
$kafka->produce_many($_, count => 50, keys => 10) foreach qw(orders parts);

# what it has stands still, and is looked at
$old->append_conf('postgresql.conf', "burrow.enabled = off\n");
$old->start;
my $rows = "SELECT (SELECT jsonb_agg(s ORDER BY name) FROM burrow.subscription s), (SELECT jsonb_agg(p ORDER BY p) FROM burrow.progress p)";
my $before = $old->sql($rows);
my $checksums = $old->sql('SHOW data_checksums');
$old->stop('fast');

# 18 makes clusters with checksums by itself; an older one has none
my ($major) = `pg_config --version` =~ /(\d+)/;
my $new = BurrowTest::Node->prepare('new', kafka => $kafka,
	init => [extra => ['--encoding=UTF8', '--locale=C', $major >= 18 && $checksums eq 'off' ? '--no-data-checksums' : ()]]);
my $folder = PostgreSQL::Test::Utils::tempdir();
chdir $folder or die "cannot enter $folder: $!";
$new->command_ok(['pg_upgrade', '--no-sync', '-d', $old->data_dir, '-D', $new->data_dir, '-b', "$old_path/bin", '-B', $new_bin,
		'-s', $new->host, '-p', $old->port, '-P', $new->port], "pg_upgrade from $old_version to $major");
$new->start;
is($new->sql($rows), $before, 'subscriptions and progress are as they were');
is($new->sql("SELECT string_agg(state, ' ' ORDER BY subscription) FROM burrow.subscriptions"), 'disabled paused', 'they stand still');

foreach my $topic (qw(orders parts))
{
	$new->sql("SET ROLE clerk; SELECT burrow.resume('$topic')");
	is($new->sql("SELECT burrow.wait_until_caught_up('$topic')"), 't', "$topic: resumed, and caught up");
	is($new->sql(qq{SELECT count(*), count(DISTINCT (partition, "offset")) FROM got WHERE topic = '$topic'}), '150|150',
		"$topic: each message was handled once");
	$kafka->wait_until_committed($new->group_of($topic), $topic, diagnose => sub { $new->diagnostics });
}
is($new->sql("SELECT string_agg(state, ' ') FROM burrow.subscriptions"), 'running running', 'both run');

$new->stop;
done_testing();
